# SPDX-License-Identifier: Apache-2.0
"""Decoder of zero runs and codes."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.formats.csr import MAX_GAP, MAX_WIDTH, QUEUE, WIDTHS
from fantastic4_hw.decoder.signature import Decoder


class CsrDecoder(Decoder):
    """Tokens to beats; ``fantastic4.formats.csr`` describes the words.

    A token goes through four stages, one clock each:

    1. the word in hand is shifted by one, which brings the bits of the next token to fixed places;
    2. its advance is subtracted from the positions that remain: so the last token is known before
       another word is taken. (The next word is *copied* with the last token of the one before, but
       only acknowledged a clock later, if that token did not end the layer.)
    3. the palette gives its code, and its advance the lane and how many beats it goes on;
    4. its code is put into the beat in hand. If it is beyond that beat, that beat and the number of
       beats it stands for, itself and the empty ones behind it, become an item of a queue.

    ``Spread`` behind the queue makes beats of items. A token a clock, a beat a clock: as long as
    there are no more tokens than beats, up to what the queue evens out, no beat is late, and empty
    beats cost no tokens beyond the gap. ``fantastic4.formats.csr.ready_times`` is exact.

    Whatever the words are, each token moves on by a position at least, so a layer ends, and its
    last item is cut to the beats that remain. A code behind the last position and a name without
    a code in the palette are faults.

    Parameters
    ----------
    lanes : int
        4 or 8.
    """

    beat_to_command = 1
    """Clocks from the last beat to taking the next command."""

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        lane_bits = (self.lanes - 1).bit_length()
        skip_bits = MAX_GAP + 1 - lane_bits
        m.submodules.queue = queue = Queue(4 * self.lanes + skip_bits)
        m.submodules.spread = spread = Spread(4 * self.lanes, skip_bits)
        m.d.comb += [
            spread.i.payload.as_value().eq(queue.o.payload),
            spread.i.valid.eq(queue.o.valid),
            queue.o.ready.eq(spread.i.ready),
            self.o.as_value().eq(spread.o.payload),
            self.can.eq(spread.o.valid),
            spread.o.ready.eq(self.step),
            queue.clear.eq(self.start),
            spread.clear.eq(self.start),
        ]

        # Commands: the palette goes round once, and no token moves before it has.
        load, loading = Signal(), Signal()
        reload = Signal(range(17))
        go = Signal()
        gap_mask = Signal(MAX_GAP, reset_less=True)
        name_mask = Signal(MAX_WIDTH, reset_less=True)
        kind = Signal(range(len(WIDTHS[self.lanes])), reset_less=True)
        command = self.command.payload
        m.d.comb += [load.eq(self.command.valid & self.command.ready), go.eq(queue.i.ready)]
        m.d.sync += loading.eq(load)
        with m.If(reload != 0):
            m.d.comb += go.eq(0)
            m.d.sync += reload.eq(reload - 1)
        with m.If(load):
            bits = command.gap + command.width
            m.d.sync += [
                reload.eq(16),
                gap_mask.eq(Cat(1, *(command.gap > b for b in range(1, MAX_GAP)))),
                name_mask.eq(Cat(command.width > b for b in range(MAX_WIDTH))),
                kind.eq(sum(bits > width for width in WIDTHS[self.lanes][:-1])),
            ]

        # Stage 1: the word in hand.
        remain = Signal(self.count_width + lane_bits + 1, init=-1)
        after = Signal.like(remain)
        ends, running = Signal(), Signal()
        word = Signal(4 * self.lanes, reset_less=True)
        held = Signal(range(max(self._slots()) + 1))
        unread, fetch, move = Signal(), Signal(), Signal()
        valid_2 = Signal()
        m.d.comb += [
            running.eq(~remain[-1]),
            move.eq(go & (held != 0)),
            fetch.eq(running & self.i.valid & ~unread & ((held == 0) | ((held == 1) & go))),
            self.i.ready.eq(unread & (~valid_2 | (go & ~ends))),
        ]
        with m.If(self.i.ready):
            m.d.sync += unread.eq(0)
        with m.If(go | (held == 0)):  # what an empty word holds does not matter
            m.d.sync += word.eq(Mux(held[1:] == 0, self.i.payload, word >> 1))
        with m.If(move | fetch):
            m.d.sync += held.eq(Mux(fetch, Array(self._slots())[kind], held - 1))
        with m.If(fetch):
            m.d.sync += unread.eq(1)
        gap, name = self._token(word, kind)

        # Stage 2: what remains. ``advance`` is the complement of what is subtracted, but for the
        # one of a code; a command's positions come in the same way.
        advance = Signal(len(remain), init=-1)
        code_2, name_2 = Signal(init=1), Signal(MAX_WIDTH, reset_less=True)
        m.d.sync += advance[MAX_GAP:].eq(-1)
        with m.If(go):
            m.d.sync += valid_2.eq(move)
        with m.If(move):
            m.d.sync += [
                advance[:MAX_GAP].eq(~(gap & gap_mask)),
                code_2.eq((gap & gap_mask) != gap_mask),
                name_2.eq(name & name_mask),
            ]
        with m.If(load):
            m.d.sync += [advance.eq(command.beats << lane_bits), code_2.eq(1)]
        total = Cat(1, remain) + Cat(~code_2, advance)  # the lowest bit is the carry in
        m.d.comb += [after.eq(total[1:]), ends.eq(after[-1])]
        with m.If(self.start | (~running & ~loading)):
            m.d.sync += remain.eq(-1)
        with m.Elif(loading | (valid_2 & go)):
            m.d.sync += remain.eq(after)
        with m.If(valid_2 & go & ends):
            m.d.sync += [valid_2.eq(0), held.eq(0), unread.eq(0)]

        # Stage 3: the beat in hand. The last token is cut to what remains, and an empty token
        # behind it pushes the layer's last beat.
        gap_3 = Signal(MAX_GAP, reset_less=True)
        name_3 = Signal(MAX_WIDTH, reset_less=True)
        code_3, last_3, valid_3 = Signal(), Signal(), Signal()
        at, to = Signal(lane_bits + 1), Signal(MAX_GAP + 1)
        with m.If(go):
            m.d.sync += [
                gap_3.eq(Mux(ends, remain[:MAX_GAP], ~advance[:MAX_GAP])),
                name_3.eq(name_2),
                code_3.eq(code_2 & valid_2),
                last_3.eq(ends & valid_2),
                valid_3.eq(valid_2 | last_3),
            ]
            with m.If(~valid_2):
                m.d.sync += gap_3.eq(0)
        m.d.comb += to.eq(at + gap_3)
        lane, skip = to[:lane_bits], to[lane_bits:]
        code = self._palette(m, name_3, reload != 0)
        with m.If(valid_3 & go):
            m.d.sync += at.eq(lane + (code_3 | last_3))

        # Stage 4: the beat in hand.
        here = Signal(self.lanes)
        code_4 = Signal(4, reset_less=True)
        skip_4 = Signal(skip_bits, reset_less=True)
        valid_4, pushes = Signal(), Signal()
        beat = [Signal(4, name=f"beat_{j}") for j in range(self.lanes)]
        with m.If(go):
            m.d.sync += [
                valid_4.eq(valid_3),
                here.eq(Cat(code_3 & (lane == j) for j in range(self.lanes))),
                code_4.eq(code),
                skip_4.eq(skip),
                pushes.eq(valid_3 & (skip != 0)),
            ]
            for j in range(self.lanes):
                m.d.sync += beat[j].eq(Mux(pushes, 0, beat[j]) | (code_4 & here[j].replicate(4)))
        m.d.comb += [
            queue.i.valid.eq(pushes & (reload == 0)),
            queue.i.payload.eq(Cat(beat, skip_4)),
        ]

        ended_in_code = Signal()
        past_end, nameless = Signal(), Signal()
        m.d.comb += [
            past_end.eq(ended_in_code & ~remain[: MAX_GAP + 1].all()),
            nameless.eq(go & here.any() & (code_4 == 0)),
        ]
        m.d.sync += [
            ended_in_code.eq(valid_2 & go & ends & code_2),
            self.fault.eq(past_end | nameless),
        ]
        m.d.comb += self.command.ready.eq(
            ~(running | loading | valid_3 | valid_4 | queue.o.valid | self.can)
        )
        with m.If(self.start):
            m.d.sync += [loading.eq(0), ended_in_code.eq(0), reload.eq(0), unread.eq(0), held.eq(0)]
            m.d.sync += [valid_2.eq(0), valid_3.eq(0), last_3.eq(0), valid_4.eq(0), pushes.eq(0)]
            m.d.sync += [self.fault.eq(0), at.eq(0), here.eq(0), code_3.eq(0)]
            m.d.sync += [codes.eq(0) for codes in beat]
        return m

    def _slots(self) -> list[int]:
        """Return the tokens in a word for each of the widths."""
        return [4 * self.lanes // width for width in WIDTHS[self.lanes]]

    def _token(self, word: Signal, kind: Signal) -> tuple[Value, Value]:
        """Return gap and name of the token in hand; bits they do not have are any."""

        def plane(of: list[int | None]) -> Value:
            places = [word[0] if p is None else word[p * n] for p, n in zip(of, slots, strict=True)]
            return Array(places)[kind]

        slots, widths = self._slots(), WIDTHS[self.lanes]
        gap = [plane([b if b < width else None for width in widths]) for b in range(MAX_GAP)]
        name = [plane([width - 1 - b for width in widths]) for b in range(MAX_WIDTH)]
        return Cat(gap), Cat(name)

    def _palette(self, m: Module, name: Signal, write_enable: Value) -> Value:
        """Return the code of ``name``."""
        m.submodules.palette = palette = memory.Memory(shape=4, depth=16, init=[])
        read, write = palette.read_port(domain="comb"), palette.write_port()
        m.d.comb += [
            read.addr.eq(name),
            write.addr.eq(self.entry.index),
            write.data.eq(self.entry.code),
            write.en.eq(write_enable),
        ]
        return read.data


class Queue(wiring.Component):
    """First in, first out, in LUT-RAM.

    What is put in can be taken out in the next clock. Ready does not wait for valid, and depends
    on registers only.
    """

    clear: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, width: int):
        self.width = width
        super().__init__(
            {
                "clear": In(1),
                "i": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.items = items = memory.Memory(shape=self.width, depth=QUEUE, init=[])
        read, write = items.read_port(domain="comb"), items.write_port()
        head, tail = Signal(range(2 * QUEUE)), Signal(range(2 * QUEUE))
        m.d.comb += [
            read.addr.eq(head),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
            self.i.ready.eq((head ^ tail) != QUEUE),
            self.o.valid.eq(head != tail),
            self.o.payload.eq(read.data),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += head.eq(head + 1)
        with m.If(self.clear):
            m.d.sync += [head.eq(0), tail.eq(0)]
        return m


class Spread(wiring.Component):
    """Items to beats: the beat of the item, then zeros until it has given as many as it says.

    Parameters
    ----------
    width : int
        Bits of a beat.
    count_bits : int
        Bits of the number of beats, which lie above the beat.
    """

    clear: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, width: int, count_bits: int):
        self.width, self.count_bits = width, count_bits
        super().__init__(
            {
                "clear": In(1),
                "i": In(stream.Signature(data.StructLayout({"beat": width, "count": count_bits}))),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        left = Signal(self.count_bits)
        beat = Signal(self.width, reset_less=True)
        again = Signal()
        room = Signal()
        m.d.comb += [
            self.o.payload.eq(beat),
            again.eq(left[1:] != 0),
            room.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(room & ~again),
        ]
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(again | self.i.valid),
                beat.eq(self.i.payload.beat),
                left.eq(Mux(again, left - 1, self.i.payload.count)),
            ]
            with m.If(again):
                m.d.sync += beat.eq(0)
            with m.Elif(~self.i.valid):
                m.d.sync += left.eq(0)
        with m.If(self.clear):
            m.d.sync += [left.eq(0), self.o.valid.eq(0)]
        return m
