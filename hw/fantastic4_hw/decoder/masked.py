# SPDX-License-Identifier: Apache-2.0
"""What decoders of masks with packed non-zero codes have in common: all behind the mask."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from fantastic4.layout import Format
from fantastic4_hw.decoder.counting import LATE, Masks, count_ahead, count_at_once
from fantastic4_hw.decoder.expand import Spread, later, level, levels
from fantastic4_hw.decoder.names import NameUnits, Palettes
from fantastic4_hw.decoder.signature import BEATS_WIDTH, Decoder
from fantastic4_hw.delay import delayed


class MaskedDecoder(Decoder):
    """Masks and names to beats; ``fantastic4.formats.names`` describes the name words.

    With names of up to four bits, names are looked up in the palette a unit at a time. A name
    without a code in the palette is a fault. With narrower ones there is no palette: name ``n``
    stands for mask ``n`` alone, and it is names that go through the network.

    A unit stays in ``slots`` until its last name has been used, and together with the unit that
    follows it makes the ring from which an expanding network feeds the lanes.

    At most one word a clock is taken: a beat takes a name word or, if it does not, a word of masks
    ahead. ``command_to_beat`` clocks lie between a command and its first beat. What goes through
    the network does not stop.

    ``ahead``, names are counted a beat before they are used, and words are taken the clock after
    the beat was asked for: where they come from is far away, and has a register in front of it.

    With ``dense`` it decodes dense layers, too: their words join what comes through the
    network two levels before its end, where a LUT has an input to spare, as a multiplexer behind
    two decoders would cost one a bit.

    Parameters
    ----------
    lanes : int
        A power of two, at most 8.
    count_width : int
        Bits that count the beats of a layer; without effect.
    name_width : int
        4, or the most bits of a name if that is 1 or 2.
    dense : bool
        Dense layers, too.
    at_hand : bool
        There is always a word, once there has been one. `ahead`, none is offered before ``ready``
        has been high for some clocks.
    """

    beat_to_command = 1
    """Clocks from the last beat to taking the next command."""

    def __init__(
        self,
        lanes: int,
        count_width: int = BEATS_WIDTH,
        name_width: int = 4,
        dense: bool = False,
        at_hand: bool = False,
    ):
        self.name_width = name_width
        self.dense, self.at_hand = dense, at_hand
        super().__init__(lanes, count_width)

    first_words = 1
    """Words of masks that the first beat may need."""

    ahead = False
    """Whether names are counted a beat ahead."""

    @property
    def command_to_beat(self) -> int:
        """Clocks from taking a command to its first beat: a palette takes 16."""
        return 17 if self.name_width > 2 else 1 + self.first_words + 2 * self.ahead

    dense_to_beat = 1
    """The same for a dense layer."""

    @property
    def latency(self) -> int:
        """See `Decoder`: the ring, the levels of the network, and what makes masks of names."""
        return self._late + 1 + levels(self.lanes) + (self.name_width <= 2)

    @property
    def _late(self) -> int:
        """Clocks from being asked for a beat to looking at its names."""
        return LATE * self.ahead

    def masks(
        self, m: Module, platform: object, step: Value, takes: Value, running: Value
    ) -> Masks:
        """Return the source of masks.

        ``step``: the masks are used; ``takes``: the word at the port is taken, and is one of masks,
        which ``ahead`` was decided the clock before; ``running``: words that the command counts
        remain.
        """
        raise NotImplementedError

    def elaborate(self, platform: object) -> Any:
        """Return the gateware."""
        m = Module()
        lanes, command = self.lanes, self.command.payload
        has_palette = self.name_width > 2
        load, step, takes_mask = Signal(), Signal(), Signal()
        running = Signal(reset_less=True)
        next_mask = Signal()
        is_dense, dense = Signal(), Signal(reset_less=True)
        word = delayed(m, self.i.payload, max(0, self._late - 1), "taken")
        here: Value = Const(1) if self.at_hand else self.i.valid
        takes = Signal(reset_less=True)
        masks = self.masks(m, platform, next_mask, takes, running)
        if self.ahead:
            beat = count_ahead(m, masks, step, load, next_mask, self.start, platform)
        else:
            beat = count_at_once(m, masks, step, load, next_mask)

        m.submodules.names = names = NameUnits(lanes, self.name_width, self._late)
        m.d.comb += [
            names.word.eq(word),
            names.width.eq(command.width),
            names.restart.eq(load),
        ]
        unit: list[Value] = [names.unit[slot] for slot in range(lanes)]
        blocked: Value = Const(0)
        if not has_palette and self.first_words > 1:
            # Also where the first beat has no more than flags, so that all banks begin together.
            early = Signal(self.first_words, reset_less=True)
            m.d.sync += early.eq(Cat(load, early))
            blocked = early.any()
        if has_palette:
            m.submodules.palettes = palettes = Palettes(lanes)
            nameless = Signal(lanes)
            m.d.comb += [palettes.names.eq(names.unit), palettes.entry.eq(self.entry)]
            unit = [palettes.codes[slot] for slot in range(lanes)]
            m.d.comb += nameless.eq(Cat(code == 0 for code in unit))
            m.d.sync += self.fault.eq(names.takes & nameless.any() & ~self.start)
            blocked = self.entry.write

        # Words: a beat takes a name word or, if it does not, a word of masks.
        takes_unit, wants = Signal(), Signal()
        needs_name = beat.needs_unit & ~names.spare
        m.d.comb += [
            self.can.eq(beat.valid & ~blocked & (here | ~(needs_name | masks.wanted))),
            # Of masks that are counted ahead none is there in a dense layer.
            step.eq(self.step if self.ahead else self.step & ~dense),
            takes_mask.eq(masks.wanted & Mux(beat.valid, step & ~needs_name, 1)),
            # The step comes late: it is the last to be looked at.
            wants.eq(
                (self.step & (dense | needs_name | masks.wanted)) | (masks.wanted & ~beat.valid)
            ),
            takes_unit.eq(step & beat.needs_unit),
            names.takes.eq(takes_unit),
        ]
        if self.dense:
            m.d.comb += is_dense.eq(command.format == Format.DENSE)
            m.d.sync += dense.eq(is_dense)
            with m.If(dense):
                m.d.comb += self.can.eq(self.open & here)
        works_dense: Value = dense
        if self.ahead:
            # Ready in every second clock brings the first word, and does not take it.
            ready = Signal(reset_less=True)
            m.d.sync += [ready.eq(wants | ~(self.i.valid | ready)), takes.eq(takes_mask)]
            m.d.comb += self.i.ready.eq(ready)
            with m.If(self.start):
                m.d.sync += [ready.eq(0), takes.eq(0)]
            takes_unit = delayed(m, takes_unit, LATE, "takes_unit")
            works_dense = delayed(m, dense, LATE, "works_dense")
        else:
            m.d.comb += [self.i.ready.eq(wants), takes.eq(takes_mask & here)]

        # The ring: slots that have been used hold the unit that comes with this beat.
        slots = [
            Signal.like(code, name=f"slot_{s}", reset_less=True) for s, code in enumerate(unit)
        ]
        with m.If(takes_unit):
            m.d.sync += [slot.eq(code) for slot, code in zip(slots, unit, strict=True)]
        ring = [Mux(s <= beat.used, unit[s], slots[s]) for s in range(lanes)]
        ring = ring[1:] + ring[:1]

        # Commands. All banks are as far as the reader, who says when the end is near, and never
        # more than some words ahead: a few bits tell whether all of a layer's have been taken.
        blocks = Signal.like(command.blocks, reset_less=True)
        all_taken = Signal(reset_less=True)
        m.d.comb += [
            self.command.ready.eq(~self.open),
            load.eq(self.command.valid & self.command.ready),
        ]
        at_last = Signal()
        m.d.comb += at_last.eq((blocks + 1)[: len(blocks)] == command.blocks)
        have_all = Mux(takes, at_last, all_taken) if self.ahead else all_taken
        remain = self.open & ~(command.near & have_all)
        if self.ahead:
            # A clock late, which is early enough: behind a word none is wanted for two clocks.
            m.d.sync += running.eq((load | remain) & ~is_dense)
            with m.If(self.start):
                m.d.sync += running.eq(0)
        else:
            m.d.comb += running.eq(remain & ~dense)
        with m.If(takes & masks.counted):
            m.d.sync += [blocks.eq(blocks + 1), all_taken.eq(at_last)]
        with m.If(load):
            m.d.sync += [blocks.eq(0), all_taken.eq(command.blocks == 0)]

        # A register behind the ring, and one behind each level of the network.
        first = Spread(ring, beat.mask, beat.used, beat.middle)
        if has_palette:
            self._spread_codes(m, first, works_dense)
        else:
            self._spread_names(m, first, works_dense, word)
        return m

    def _word(self, m: Module, taken: Value, dense: Sequence[Value], clocks: int) -> Signal:
        """Return the word of so many clocks ago, 0 where it was not of a dense layer."""
        before = delayed(m, taken, clocks - 1, "dense_word")
        word = Signal(4 * self.lanes, name="dense_word", reset_less=True)
        m.d.sync += word.eq(before)
        with m.If(~dense[clocks - 1]):
            m.d.sync += word.eq(0)
        return word

    def _spread_codes(self, m: Module, at: Spread, works_dense: Value) -> None:
        """Codes to ``o``. In a dense layer the network has but to pass on what joins it."""
        last = levels(self.lanes)
        dense = _history(m, works_dense, last)
        for s in range(last, -1, -1):
            values = list(at.values) if s == last else level(m, s, at)
            if s == 0:
                values = [
                    code & bit.replicate(4) for code, bit in zip(values, at.mask, strict=True)
                ]
            if self.dense and s == 1:
                values = self._join(m, values, dense)
            after = later(m, "code", s, 4, self.lanes)
            m.d.sync += self._moves(after, at, values)
            if self.dense and s == 2:
                with m.If(dense[last - s]):
                    m.d.sync += [value.eq(0) for value in after.values]
            if self.dense and s == 1:
                with m.If(dense[last - s]):
                    m.d.sync += [
                        after.mask.eq(-1),
                        after.first.eq(0),
                        after.middle.eq(self.lanes // 2),
                    ]
            at = after
        m.d.comb += self.o.as_value().eq(Cat(at.values))

    def _join(self, m: Module, values: list[Value], dense: Sequence[Value]) -> list[Value]:
        """Return codes with the words of dense layers joined; of more than two lanes, the codes
        are 0 in such a layer.
        """
        if self.lanes <= 2:
            word: Value = self.i.payload
            return [Mux(dense[0], word.word_select(n, 4), code) for n, code in enumerate(values)]
        word = self._word(m, self.i.payload, dense, levels(self.lanes) - 1)
        return [word.word_select(n, 4) | code for n, code in enumerate(values)]

    def _spread_names(self, m: Module, at: Spread, works_dense: Value, taken: Value) -> None:
        """Names to masks in ``o``: name ``n`` is mask ``n``."""
        last = levels(self.lanes)
        dense = _history(m, works_dense, last + 1)
        for s in range(last, -1, -1):
            values = list(at.values) if s == last else level(m, s, at)
            after = later(m, "name", s, self.name_width, self.lanes)
            m.d.sync += self._moves(after, at, values)
            at = after
            if s == last:
                # Bits that the layer's names do not have.
                missing = Cat(self.command.payload.width <= n for n in range(self.name_width))
                missing = delayed(m, missing, self._late, "missing")
                for bit in range(self.name_width):
                    with m.If(missing[bit]):
                        m.d.sync += [value[bit].eq(0) for value in after.values]
        word: Value = Const(0, 4 * self.lanes)
        if self.dense:
            word = self._word(m, taken, dense, last + 1)
            with m.If(dense[last]):
                m.d.sync += at.mask.eq(0)
        codes = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(codes)
        for lane in range(self.lanes):
            named = [at.mask[lane] & (at.values[lane] == n) for n in range(1 << self.name_width)]
            m.d.sync += codes[lane].eq(Cat(named) | word.word_select(lane, 4))

    def _moves(self, after: Spread, at: Spread, values: list[Value]) -> list[Any]:
        moves = [new.eq(old) for new, old in zip(after.values, values, strict=True)]
        moves += [after.mask.eq(at.mask), after.first.eq(at.first), after.middle.eq(at.middle)]
        return moves


def _history(m: Module, bit: Value, clocks: int) -> list[Value]:
    """Return ``bit``, as it was one clock ago, and so on up to so many clocks."""
    found = [bit]
    for clock in range(clocks):
        found.append(delayed(m, found[-1], 1, f"dense_{clock}"))
    return found
