# SPDX-License-Identifier: Apache-2.0
"""Loads an image: checks it word by word and writes the memories."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.image import banks_of, geometry_of
from fantastic4.layout import (
    BASIS_WORDS,
    HEADER_WORDS,
    LAYER,
    LAYER_WORDS,
    SECTION,
    ErrorCode,
    Section,
)
from fantastic4.selection import formats_of
from fantastic4_hw.checksum import WordChecksum
from fantastic4_hw.imagewords import FLAGS, section_sizes, set_flags
from fantastic4_hw.memories import (
    WordWritePort,
    WordWriteSignature,
    WritePort,
    WriteSignature,
    written_after,
)
from fantastic4_hw.shapes import LOAD_LAYOUT, struct_of

TAKES = ("HEADER", "SECTION", "RECORDS", "SKIP", "CHECKSUM", "REFUSED")
"""States in which words are taken."""


class Loader(wiring.Component):
    """Takes an image and fills layer table, basis, biases and weight banks.

    A word is taken every second clock, or every seventh with ``cfg.byte_checksum``; words between
    the records take a clock more.

    Magic, version, geometry and needs are checked before anything is written, sections must come
    in the order of ``Section``, with a BASIS and a BIAS section a core and a WEIGHTS section a
    bank, and the checksum decides. A
    refused image is read to its ``last`` word; the next one starts afresh. From the first word
    of an image until its checksum was right ``loaded`` is low.

    Members
    -------
    grant : ``In(1)``
        An image may begin: no inference needs the memories.
    i : ``In(stream(LOAD_LAYOUT))``
        Image words, ``last`` on the checksum.
    wanted : ``Out(1)``
        An image waits to begin.
    busy, loaded : ``Out(1)``
    error : ``Out(4)``
        ``ErrorCode`` of the latest image.
    layers : ``Out(5)``
        Layers of the network that is loaded.
    write_table, write_basis, write_bias, write_weights : ``Out``
        Write ports: one a core of ``write_basis`` and ``write_bias``, one a bank of
        ``write_weights``.
    """

    grant: Signal
    i: stream.Interface
    wanted: Signal
    busy: Signal
    loaded: Signal
    error: Signal
    layers: Signal
    write_table: WritePort
    write_basis: list[WritePort]
    write_bias: list[WritePort]
    write_weights: list[WordWritePort]

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        self.banks = banks_of(geometry_of(cfg))
        super().__init__(
            {
                "grant": In(1),
                "i": In(stream.Signature(LOAD_LAYOUT)),
                "wanted": Out(1),
                "busy": Out(1),
                "loaded": Out(1),
                "error": Out(4),
                "layers": Out(5),
                "write_table": Out(WriteSignature(cfg.max_layers, LAYER.width)),
                "write_basis": Out(WriteSignature(cfg.basis_depth, 32 * BASIS_WORDS)).array(
                    cfg.cores
                ),
                "write_bias": Out(WriteSignature(cfg.row_depth, cfg.bias_width)).array(cfg.cores),
                "write_weights": Out(WordWriteSignature(cfg.weight_depth, cfg.word_width)).array(
                    self.banks
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware.

        A word is looked at in the clock behind the one in which it is taken, and what is no record
        decided in yet the next, from flags: no state hangs on a port or on whole words.
        """
        m = Module()
        cfg = self.cfg
        kind = Signal(4, reset_less=True)
        index = Signal(12, reset_less=True)
        """Core or bank of the section that is due."""
        at = Signal(16, reset_less=True)
        left = Signal(signed(17), reset_less=True)
        """Records behind the next one, or words of what is skipped, less one."""
        granted, section_ends = Signal(), Signal()
        """An image may begin; the next record's last word is its section's, too."""
        first, write_first = Signal(), Signal()
        """The next record is the first of its section; the one that is written is."""
        part, last_part = Signal(range(LAYER_WORDS), reset_less=True), Signal()
        """Words of the record behind the next one; whether there is none."""
        header = Signal(range(HEADER_WORDS), reset_less=True)
        count = Signal(32, reset_less=True)
        length = Signal(32, reset_less=True)
        move, checking, takes = Signal(), Signal(), Signal(name="takes")
        foreign = Signal()
        latest = Signal(32, reset_less=True)
        shifted = Signal(32 * LAYER_WORDS, reset_less=True)
        """The latest words, the very latest on top, a clock later."""
        fresh, ended = Signal(), Signal()
        """The latest word has just been taken; it was the image's last."""
        begins, recording, writes = Signal(name="begins"), Signal(), Signal()
        section = data.View(struct_of(SECTION), latest)
        write_at = Signal(16, reset_less=True)

        m.submodules.crc = crc = WordChecksum(bytewise=cfg.byte_checksum)
        m.d.comb += [
            self.i.ready.eq(takes & ~fresh & ~crc.busy),
            move.eq(self.i.valid & self.i.ready),
            crc.data.eq(latest),
            crc.valid.eq(fresh & ~checking),
            crc.start.eq(begins),
        ]
        m.d.sync += [
            fresh.eq(move),
            writes.eq(recording & move & last_part),
            granted.eq(self.i.valid & self.grant),
            section_ends.eq(last_part & left[-1]),
        ]
        with m.If(fresh):
            m.d.sync += [count.eq(count + 1), shifted.eq(Cat(shifted[32:], latest))]
        with m.If(begins):
            m.d.sync += [header.eq(0), count.eq(0)]
        with m.If(move):
            m.d.sync += Cat(latest, ended).eq(Cat(self.i.payload.data, self.i.payload.last))

        # Flags of the latest word, of the section that is due, and of the image so far.
        words = Signal(16, reset_less=True)
        flags = Signal(FLAGS, reset_less=True)
        sizes = section_sizes(m, cfg, kind)
        set_flags(
            m, flags, cfg, latest, header=header, kind=kind, index=index, words=words, sizes=sizes
        )
        m.d.sync += [flags.checksum.eq(latest == crc.crc), flags.length.eq(count == length)]

        # Why an image is refused is said a clock later.
        fails, reason = Signal(name="fails"), Signal.like(self.error, name="reason")
        m.d.sync += [fails.eq(0), reason.eq(0)]
        with m.If(fails):
            m.d.sync += self.error.eq(reason)

        def go(state: str) -> None:
            """Go to another state; a flip-flop says whether it takes words."""
            m.next = state
            m.d.sync += takes.eq(state in TAKES)

        def refuse(code: ErrorCode) -> None:
            """Remember why, and read on to the end of the image."""
            m.d.sync += [fails.eq(1), reason.eq(code)]
            go("REFUSED")

        @contextmanager
        def word_taken() -> Iterator[None]:
            """What a word does; the last one ends the image in whatever state it comes."""
            with m.If(fresh):
                with m.If(ended):
                    m.d.sync += [fails.eq(1), reason.eq(ErrorCode.LENGTH)]
                yield
                with m.If(ended):
                    go("IDLE")

        def state(name: str) -> None:
            """Take a word; the state ``name DECIDES`` follows when there are flags of it."""
            with m.State(name), word_taken():
                go(f"{name} DECIDES")

        chosen = Signal(1 + 2 * cfg.cores + self.banks, reset_less=True)
        """The write port of the section that is due, in the order of sections."""
        opens, follows, counts = Signal(), Signal(), Signal()
        m.d.sync += [opens.eq(0), follows.eq(0), counts.eq(0)]
        with m.If(opens):
            m.d.sync += chosen.eq(1)
        with m.Elif(follows):
            m.d.sync += chosen.eq(chosen << 1)
        with m.If(counts):
            m.d.sync += self.layers.eq(section.count)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += self.wanted.eq(self.i.valid)
                with m.If(granted):
                    m.d.sync += [begins.eq(1), self.loaded.eq(0), self.error.eq(ErrorCode.NONE)]
                    go("BEGIN")

            with m.State("BEGIN"):
                m.d.sync += begins.eq(0)
                go("HEADER")

            state("HEADER")
            with m.State("HEADER DECIDES"):
                m.d.sync += header.eq(header + 1)
                go("HEADER")
                with m.If(flags.last_word):
                    m.d.sync += [kind.eq(Section.LAYERS), index.eq(0), opens.eq(1)]
                    go("SECTION")
                with m.If(flags.length_word):
                    m.d.sync += length.eq(latest)
                for right, code in (
                    (flags.magic, ErrorCode.MAGIC),
                    (flags.version, ErrorCode.VERSION),
                    (flags.geometry, ErrorCode.GEOMETRY),
                    (flags.roomy, ErrorCode.CAPACITY),
                ):
                    with m.If(~right):
                        refuse(code)

            state("SECTION")
            with m.State("SECTION DECIDES"):
                ends = flags.behind
                m.d.sync += [at.eq(0), left.eq(section.count - 2), first.eq(1)]
                m.d.sync += [part.eq(sizes.parts - 1), last_part.eq(sizes.parts == 1)]
                with m.If(ends & flags.end & flags.none):
                    go("CHECKSUM")
                with m.Elif(ends & flags.meta & ~flags.none):
                    go("SKIP")
                with m.Elif(ends | ~flags.right | flags.none):
                    refuse(ErrorCode.SECTION)
                with m.Elif(~flags.fits):
                    refuse(ErrorCode.CAPACITY)
                with m.Elif(flags.uneven):
                    refuse(ErrorCode.WEIGHTS)
                with m.Else():
                    m.d.sync += counts.eq(chosen[0])
                    m.d.sync += words.eq(section.count)
                    go("RECORDS")

            with m.State("RECORDS"):
                m.d.comb += recording.eq(1)
                with word_taken():
                    m.d.sync += [part.eq(part - 1), last_part.eq(part == 1)]
                    with m.If(last_part):
                        m.d.sync += [at.eq(at + 1), left.eq(left - 1), first.eq(0)]
                        # Weight words go by their distance from the last one.
                        m.d.sync += write_at.eq(Mux(flags.weights, ~left, at))
                        m.d.sync += write_first.eq(first)
                        m.d.sync += [part.eq(sizes.parts - 1), last_part.eq(sizes.parts == 1)]
                    with m.If(section_ends):
                        go("NEXT")

            with m.State("NEXT"):
                # The record is being written; then on to the section that must follow.
                m.d.sync += follows.eq(1)
                skipped = (kind == Section.BIAS) if not self.banks else 0
                with m.If(~flags.last_index):
                    m.d.sync += index.eq(index + 1)
                with m.Else():
                    m.d.sync += [kind.eq(kind + 1 + skipped), index.eq(0)]
                go("SECTION")

            with m.State("SKIP"):
                with word_taken():
                    m.d.sync += left.eq(left - 1)
                    with m.If(left[-1]):
                        go("SECTION")

            with m.State("CHECKSUM"):
                m.d.comb += checking.eq(1)
                with m.If(fresh):
                    go("CHECKSUM LOOKS")

            with m.State("CHECKSUM LOOKS"):
                go("CHECKSUM DECIDES")

            with m.State("CHECKSUM DECIDES"):
                m.d.sync += left.eq(written_after(cfg) - 1)
                with m.If(~ended | ~flags.length):
                    refuse(ErrorCode.LENGTH)
                with m.Elif(~flags.checksum):
                    refuse(ErrorCode.CHECKSUM)
                with m.Elif(foreign):
                    refuse(ErrorCode.GEOMETRY)
                with m.Else():
                    go("SETTLE")
                with m.If(ended & ~(flags.length & flags.checksum & ~foreign)):
                    go("IDLE")

            with m.State("SETTLE"):
                # Until the last word has come to the last bank.
                m.d.sync += left.eq(left - 1)
                with m.If(left[-1]):
                    m.d.sync += self.loaded.eq(1)
                    go("IDLE")

            with m.State("REFUSED"):
                with m.If(fresh & ended):
                    go("IDLE")

        # A layer in a format that no decoder of this core knows would never give a beat.
        record = data.View(struct_of(LAYER), self.write_table.data)
        known = Cat(record.format == kind for kind in formats_of(cfg)).any()
        with m.If(self.write_table.en & ~known):
            m.d.sync += foreign.eq(1)
        with m.If(begins):
            m.d.sync += foreign.eq(0)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | fails)
        self._ports(m, shifted, Mux(writes, chosen, 0), write_at, write_first)
        return m

    def _ports(
        self, m: Module, shifted: Signal, writes: Value, write_at: Signal, write_first: Signal
    ) -> None:
        """Drive the write ports, in the clock behind ``writes``, which has a bit for each.

        A record of n words lies in the upper 32 n bits shifted in.
        """
        ports: list[tuple[WritePort, int]] = [(self.write_table, LAYER_WORDS)]
        ports += [(port, BASIS_WORDS) for port in self.write_basis]
        ports += [(port, 1) for port in (*self.write_bias, *self.write_weights)]
        for index, (port, words) in enumerate(ports):
            m.d.comb += [
                port.addr.eq(write_at),
                port.data.eq(shifted[len(shifted) - 32 * words :]),
            ]
            if isinstance(port, WordWritePort):
                m.d.comb += port.first.eq(write_first)
            m.d.sync += port.en.eq(writes[index])
