# SPDX-License-Identifier: Apache-2.0
"""Loads an image: checks it word by word and writes the memories."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.image import geometry_of
from fantastic4.layout import (
    BASIS_WORDS,
    GEOMETRY,
    HEADER_WORDS,
    LAYER,
    LAYER_WORDS,
    MAGIC,
    NEEDS,
    SECTION,
    VERSION,
    ErrorCode,
    Section,
)
from fantastic4.selection import formats_of
from fantastic4_hw.checksum import WordChecksum
from fantastic4_hw.memories import WritePort, WriteSignature
from fantastic4_hw.shapes import LOAD_LAYOUT, struct_of


def banks_of(cfg: CoreConfig) -> int:
    """Return how many WEIGHTS sections an image for ``cfg`` has."""
    return 0 if cfg.external_weights else cfg.group_rows * cfg.banks


class Loader(wiring.Component):
    """Takes an image and fills layer table, basis, biases and weight banks.

    A word is taken a clock, or every fifth with ``cfg.byte_checksum``.

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
    write_weights: list[WritePort]

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
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
                "write_weights": Out(WriteSignature(cfg.weight_depth, cfg.word_width)).array(
                    banks_of(cfg)
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        banks = banks_of(cfg)
        word, last = self.i.payload.data, self.i.payload.last
        section = Signal(struct_of(SECTION))
        kind = Signal(4)
        index = Signal(12)
        """Core or bank of the section that is due."""
        at = Signal(16)
        left = Signal(16)
        part = Signal(range(LAYER_WORDS))
        header = Signal(range(HEADER_WORDS))
        count = Signal(32)
        length = Signal(32)
        move = Signal()
        foreign = Signal()

        m.submodules.crc = crc = WordChecksum(bytewise=cfg.byte_checksum)
        m.d.comb += [
            section.as_value().eq(word),
            move.eq(self.i.valid & self.i.ready),
            crc.data.eq(word),
            crc.valid.eq(move),
        ]
        with m.If(move):
            m.d.sync += count.eq(count + 1)

        def refuse(code: ErrorCode) -> None:
            """Remember why, and read on to the end of the image."""
            m.d.sync += self.error.eq(code)
            m.next = "REFUSED"

        def expect(index: int, code: ErrorCode, right: Value) -> None:
            with m.Case(index), m.If(~right):
                refuse(code)

        @contextmanager
        def word_taken() -> Iterator[None]:
            """What a word does; ``last`` ends the image in whatever state it comes."""
            with m.If(move):
                with m.If(last):
                    m.d.sync += self.error.eq(ErrorCode.LENGTH)
                yield
                with m.If(last):
                    m.next = "IDLE"

        # Banks in lock step go through as many words.
        uneven, words = Signal(), Signal(16)
        if cfg.lock_step:
            m.d.comb += uneven.eq(
                (kind == Section.WEIGHTS) & (index != 0) & (section.count != words)
            )
        needs = data.View(struct_of(NEEDS), word)
        parts, depth, last_index = self._sizes(m, kind)
        shifted = Signal(32 * LAYER_WORDS)
        write = Signal()
        write_at = Signal(16)
        m.d.sync += write.eq(0)

        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [self.wanted.eq(self.i.valid), crc.start.eq(1)]
                m.d.sync += [header.eq(0), count.eq(0)]
                with m.If(self.i.valid & self.grant):
                    m.d.sync += [self.loaded.eq(0), self.error.eq(ErrorCode.NONE)]
                    m.next = "HEADER"

            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                with word_taken():
                    m.d.sync += header.eq(header + 1)
                    with m.If(header == HEADER_WORDS - 1):
                        m.d.sync += [kind.eq(Section.LAYERS), index.eq(0)]
                        m.next = "SECTION"
                    with m.Switch(header):
                        expect(0, ErrorCode.MAGIC, word == MAGIC)
                        expect(1, ErrorCode.VERSION, word == VERSION)
                        expect(2, ErrorCode.GEOMETRY, word == GEOMETRY.pack(**geometry_of(cfg)))
                        with m.Case(3):
                            m.d.sync += length.eq(word)
                        expect(
                            4,
                            ErrorCode.CAPACITY,
                            (needs.input_chunks <= cfg.input_chunks)
                            & (needs.hidden_chunks <= cfg.hidden_chunks),
                        )

            with m.State("SECTION"):
                m.d.comb += self.i.ready.eq(1)
                ends = kind > Section.WEIGHTS
                right = (section.kind == kind) & (section.index == index)
                with word_taken():
                    m.d.sync += [at.eq(0), left.eq(section.count), part.eq(parts - 1)]
                    with m.If(ends & (section.kind == Section.END) & (section.count == 0)):
                        m.next = "CHECKSUM"
                    with m.Elif(ends & (section.kind == Section.META) & (section.count != 0)):
                        m.next = "SKIP"
                    with m.Elif(ends | ~right | (section.count == 0)):
                        refuse(ErrorCode.SECTION)
                    with m.Elif(section.count > depth):
                        refuse(ErrorCode.CAPACITY)
                    with m.Elif(uneven):
                        refuse(ErrorCode.WEIGHTS)
                    with m.Else():
                        with m.If(kind == Section.LAYERS):
                            m.d.sync += self.layers.eq(section.count)
                        m.d.sync += words.eq(section.count)
                        m.next = "RECORDS"

            with m.State("RECORDS"):
                m.d.comb += self.i.ready.eq(1)
                with word_taken():
                    m.d.sync += [shifted.eq(Cat(shifted[32:], word)), part.eq(part - 1)]
                    with m.If(part == 0):
                        m.d.sync += [write.eq(1), write_at.eq(at), at.eq(at + 1), left.eq(left - 1)]
                        m.d.sync += part.eq(parts - 1)
                        with m.If(left == 1):
                            m.next = "NEXT"

            with m.State("NEXT"):
                # The record is being written; then on to the section that must follow.
                skipped = (kind == Section.BIAS) if not banks else 0
                with m.If(index != last_index):
                    m.d.sync += index.eq(index + 1)
                with m.Else():
                    m.d.sync += [kind.eq(kind + 1 + skipped), index.eq(0)]
                m.next = "SECTION"

            with m.State("SKIP"):
                m.d.comb += self.i.ready.eq(1)
                with word_taken():
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "SECTION"

            with m.State("CHECKSUM"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(move):
                    with m.If(~last | (count != length - 1)):
                        refuse(ErrorCode.LENGTH)
                    with m.Elif(word != crc.crc):
                        refuse(ErrorCode.CHECKSUM)
                    with m.Elif(foreign):
                        refuse(ErrorCode.GEOMETRY)
                    with m.Else():
                        m.d.sync += self.loaded.eq(1)
                    with m.If(last):
                        m.next = "IDLE"

            with m.State("REFUSED"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(move & last):
                    m.next = "IDLE"

        with m.If(crc.busy):
            m.d.comb += self.i.ready.eq(0)

        # A layer in a format that no decoder of this core knows would never give a beat.
        record = data.View(struct_of(LAYER), self.write_table.data)
        known = Cat(record.format == kind for kind in formats_of(cfg)).any()
        with m.If(self.write_table.en & ~known):
            m.d.sync += foreign.eq(1)
        with m.If(fsm.ongoing("IDLE")):
            m.d.sync += foreign.eq(0)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        self._ports(m, shifted, kind, index, write, write_at)
        return m

    def _sizes(self, m: Module, kind: Signal) -> tuple[Signal, Signal, Signal]:
        """Return the 32-bit words of a record of this kind, how many there is room for, and the
        number of the last section of this kind.
        """
        cfg = self.cfg
        sizes = {
            Section.LAYERS: (LAYER_WORDS, cfg.max_layers, 1),
            Section.BASIS: (BASIS_WORDS, cfg.basis_depth, cfg.cores),
            Section.BIAS: (1, cfg.row_depth, cfg.cores),
            Section.WEIGHTS: (1, cfg.weight_depth, max(1, banks_of(cfg))),
        }
        parts, depth, last_index = Signal(8), Signal(25), Signal(12)
        with m.Switch(kind):
            for section, (words, records, sections) in sizes.items():
                with m.Case(section):
                    m.d.comb += [parts.eq(words), depth.eq(records), last_index.eq(sections - 1)]
        return parts, depth, last_index

    def _ports(
        self,
        m: Module,
        shifted: Signal,
        kind: Signal,
        index: Signal,
        write: Signal,
        write_at: Signal,
    ) -> None:
        """Drive the write ports; a record of n words lies in the upper 32 n bits shifted in."""
        ports = [
            (Section.LAYERS, [self.write_table], LAYER_WORDS),
            (Section.BASIS, self.write_basis, BASIS_WORDS),
            (Section.BIAS, self.write_bias, 1),
            (Section.WEIGHTS, self.write_weights, 1),
        ]
        numbered = [
            (section, number, port, words)
            for section, ports_of_kind, words in ports
            for number, port in enumerate(ports_of_kind)
        ]
        for section, number, port, words in numbered:
            m.d.comb += [
                port.addr.eq(write_at),
                port.data.eq(shifted[len(shifted) - 32 * words :]),
                port.en.eq(write & (kind == section) & (index == number)),
            ]
