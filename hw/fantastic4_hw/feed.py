# SPDX-License-Identifier: Apache-2.0
"""From weight banks to beats: what feeds one engine, and what tells its decoders the layers."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.formats.beats import beats_a_word
from fantastic4.layout import Format
from fantastic4_hw.copies import COPIES, copies
from fantastic4_hw.decoder.select import (
    SelectDecoder,
    beats_width,
    brings_words,
    palette_formats,
)
from fantastic4_hw.decoder.signature import COMMAND_LAYOUT, ENTRY_LAYOUT, near_bits
from fantastic4_hw.memories import word_layout
from fantastic4_hw.shapes import LAYER_LAYOUT, beat_layout


def by_bank(m: Module, cfg: CoreConfig, value: Value, name: str, platform: object) -> list[Value]:
    """Return ``value`` for each bank of an engine: in a core whose engines are told, a clock later
    and from registers ``name_0``, … for some banks each.
    """
    count = min(COPIES, cfg.banks)
    found = copies(m, value, count, name, platform) if cfg.told else [value] * count
    return [found[bank * count // cfg.banks] for bank in range(cfg.banks)]


class EngineFeed(wiring.Component):
    """Decoders of one engine, a bank each, that together make its beats.

    There is a beat when every bank has its part. Weight words go round with the network: the
    first word of a bank must be the first its decoder takes in the first layer, otherwise the
    words and the layer table do not belong together.

    Of the core's own memories there is always a word at hand, once there has been one: no decoder
    looks whether there is, and the first command waits for it. Decoders of a `steady` core are all
    as far as the first of them, and hear what they are ``told`` from a few registers, each for some
    of the banks, a clock later.

    Members
    -------
    start : ``In(1)``
        Forget everything; the words begin anew.
    command, entry, open : ``In``
        As for each ``Decoder``; ``ready`` when all of them are, or would be, being steady.
    first_layer : ``In(1)``
        The command is that of the network's first layer; holds still like the command.
    words : ``In(stream(word_layout(cfg)))``, one a bank
    can : ``Out(1)``, step : ``In(1)``, o : ``Out(beat_layout(cfg))``
        As for each ``Decoder``.
    fault : ``Out(1)``
        For one clock: weight words broke a rule.
    """

    start: Signal
    command: stream.Interface
    entry: data.View
    open: Signal
    first_layer: Signal
    words: list[stream.Interface]
    can: Signal
    step: Signal
    o: data.View
    fault: Signal

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "start": In(1),
                "command": In(stream.Signature(COMMAND_LAYOUT)),
                "entry": In(ENTRY_LAYOUT),
                "open": In(1),
                "first_layer": In(1),
                "words": In(stream.Signature(word_layout(cfg))).array(cfg.banks),
                "can": Out(1),
                "step": In(1),
                "o": Out(beat_layout(cfg)),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        decoders = [SelectDecoder(self.cfg) for _ in range(self.cfg.banks)]
        faults = []
        layer = (self.command.payload, self.entry, self.open, self.first_layer)
        told: Value = Cat(self.start, self.command.valid, self.step, *layer)
        asked = self.cfg.external_weights or brings_words(self.cfg)
        groups = by_bank(m, self.cfg, told, "told", platform)
        for bank, decoder in enumerate(decoders):
            m.submodules[f"decoder_{bank}"] = decoder
            words, first_layer = self.words[bank], Signal(name=f"first_layer_{bank}")
            layer = (decoder.command.payload, decoder.entry, decoder.open, first_layer)
            m.d.comb += [
                Cat(decoder.start, decoder.command.valid, decoder.step, *layer).eq(groups[bank]),
                decoder.i.payload.eq(words.payload.data),
                decoder.i.valid.eq(words.valid if asked else 1),
                words.ready.eq(decoder.i.ready),
            ]
            fresh = Signal(name=f"fresh_{bank}", reset_less=True)
            wrong = Signal(name=f"wrong_{bank}", reset_less=True)
            m.d.sync += wrong.eq(words.valid & words.ready & (words.payload.first != fresh))
            with m.If(words.valid & words.ready):
                m.d.sync += fresh.eq(0)
            with m.If(decoder.command.valid & self.command.ready):
                m.d.sync += fresh.eq(first_layer)
            faults += [wrong, decoder.fault]
        steady = self.cfg.steady
        ready = [decoder.command.ready for decoder in ([] if steady else decoders)]
        if not self.cfg.external_weights:
            ready.append(self.words[0].valid)
        m.d.comb += [
            self.command.ready.eq(Cat(ready).all()),
            self.can.eq(Cat(x.can for x in decoders[: 1 if steady else None]).all()),
            self.o.as_value().eq(Cat(x.o.as_value() for x in decoders)),
        ]
        m.d.sync += self.fault.eq(Cat(faults).any() & ~self.start)
        return m


class LayerFeed(wiring.Component):
    """Tells all decoders the layers of the network, round and round.

    Banks work in lock step, so they end a layer together: when all are ready the next record is
    fetched, then the command given, then the palette, if the format has one.

    Members
    -------
    start : ``In(1)``
        Begin with the first layer; held while there is no network.
    layers : ``In(5)``
    table_index : ``Out(4)``, ``table_record`` : ``In(LAYER_LAYOUT)``
        Port of the layer table: the record of ``table_index``, one clock later.
    ready : ``In(1)``
        All decoders take a command.
    taken : ``In(1)``
        A beat is asked for of all decoders.
    give : ``Out(1)``, ``command`` : ``Out(COMMAND_LAYOUT)``, ``entry`` : ``Out(ENTRY_LAYOUT)``
    open : ``Out(1)``
    first_layer : ``Out(1)``
    """

    start: Signal
    layers: Signal
    table_index: Signal
    table_record: data.View
    ready: Signal
    taken: Signal
    give: Signal
    command: data.View
    entry: data.View
    open: Signal
    first_layer: Signal

    beat_to_command = 2
    """Clocks from the last beat of a layer to the next command, the decoders being ready."""

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "start": In(1),
                "layers": In(5),
                "table_index": Out(4),
                "table_record": In(LAYER_LAYOUT),
                "ready": In(1),
                "taken": In(1),
                "give": Out(1),
                "command": Out(COMMAND_LAYOUT),
                "entry": Out(ENTRY_LAYOUT),
                "open": Out(1),
                "first_layer": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Return the gateware."""
        m = Module()
        index, at_last = Signal(4), Signal()
        left, ends = Signal(beats_width(self.cfg)), Signal()
        """Beats of the layer behind this one; there is none."""
        palette = Signal(64)
        has_palette = Signal()
        record = self.table_record
        m.d.sync += at_last.eq(index == self.layers - 1)
        m.d.comb += [
            self.table_index.eq(index),
            has_palette.eq(Cat(self.command.format == x for x in palette_formats(self.cfg)).any()),
            self.entry.code.eq(palette[:4]),
        ]

        def near(remaining: Value) -> Value:
            """Return whether so many beats are few, for the format at work."""
            few = [
                (self.command.format == kind)
                & ~remaining[near_bits(kind, self.cfg.bank_lanes) :].any()
                for kind in (Format.BITMASK, Format.BITMASK2)
            ]
            return Cat(few).any()

        with m.FSM():
            with m.State("WAIT"):
                with m.If(self.ready & ~self.start):
                    m.d.sync += [
                        self.command.format.eq(record.format),
                        self.command.width.eq(record.width),
                        self.command.gap.eq(record.gap),
                        self.command.beats.eq(record.beats),
                        self.command.last.eq((record.beats - 1)[: len(left)]),
                        self.command.blocks.eq(self._blocks(record)),
                        palette.eq(record.palette),
                        self.first_layer.eq(index == 0),
                    ]
                    m.next = "GIVE"

            with m.State("GIVE"):
                m.d.comb += self.give.eq(1)
                m.d.sync += [self.open.eq(1), left.eq(self.command.last), self.entry.index.eq(0)]
                m.d.sync += ends.eq(self.command.last == 0)
                m.d.sync += self.command.near.eq(near(self.command.beats))
                m.d.sync += index.eq(Mux(at_last, 0, index + 1))
                with m.If(has_palette):
                    m.next = "PALETTE"
                with m.Else():
                    m.next = "RUN"

            with m.State("PALETTE"):
                m.d.comb += self.entry.write.eq(1)
                m.d.sync += [self.entry.index.eq(self.entry.index + 1), palette.eq(palette[4:])]
                with m.If(self.entry.index == 15):
                    m.next = "RUN"
                with m.If(self.taken & ends):  # not all decoders wait for all of it
                    m.next = "WAIT"

            with m.State("RUN"):
                with m.If(self.taken & ends):
                    m.next = "WAIT"

        with m.If(self.taken):
            m.d.sync += [left.eq(left - 1), ends.eq(left == 1), self.open.eq(~ends)]
            m.d.sync += self.command.near.eq(near(left))
        return ResetInserter(self.start)(m)

    def _blocks(self, record: data.View) -> Value:
        """Return how many blocks the beats are."""

        def words(kind: Format) -> Value:
            span = beats_a_word(kind, self.cfg.bank_lanes)
            return (record.beats + span - 1) >> (span - 1).bit_length()

        counts = words(Format.BITMASK)
        if "bitmask2" in self.cfg.formats:
            counts = Mux(record.format == Format.BITMASK2, words(Format.BITMASK2), counts)
        return counts
