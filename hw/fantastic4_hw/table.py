# SPDX-License-Identifier: Apache-2.0
"""The layer table: of each record only the bits that a core of this geometry can use."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.layout import LAYER, Format
from fantastic4.selection import formats_of
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.decoder.select import beats_width, palette_formats
from fantastic4_hw.memories import WritePort, WriteSignature
from fantastic4_hw.shapes import LAYER_LAYOUT

WALK = (
    "in_chunks",
    "planes",
    "out_features",
    "shift",
    "low",
    "high",
    "per_row",
    "logits",
    "basis_base",
    "bias_narrow",
    "bias_shift",
)
"""Fields that the sequencer hands on."""

FEED = ("format", "beats", "width", "gap", "palette")
"""Fields that the decoders are told."""

NAMED_FORMATS = (Format.BITMASK, Format.CSR, Format.BITMASK2)
"""Formats with names of a width, or gaps."""


def widths(cfg: CoreConfig) -> dict[str, int]:
    """Return the low bits that are kept of each field of a record; the others are read as 0.

    With a single format, nothing has to be kept of ``format``.
    """
    kinds = formats_of(cfg)
    kept = {name: LAYER.fields[name] for name in WALK + FEED}
    kept["in_chunks"] = max(cfg.input_chunks, cfg.hidden_chunks).bit_length()
    kept["basis_base"] = min(kept["basis_base"], max(1, (cfg.basis_depth - 1).bit_length()))
    kept["beats"] = beats_width(cfg)
    if len(kinds) == 1:
        kept["format"] = 0
    if not set(kinds) & set(NAMED_FORMATS):
        kept |= {"width": 0, "gap": 0}
    if not set(kinds) & set(palette_formats(cfg)):
        kept["palette"] = 0
    return kept


class LayerTable(wiring.Component):
    """Records of the layers, with a read port for the sequencer and one for the decoders.

    Members
    -------
    write : ``In``
        The loader's port: whole records.
    walk_index, feed_index : ``In(4)``
    walk_record, feed_record : ``Out(LAYER_LAYOUT)``
        The record of the index, one clock later: the fields of `WALK`, and of `FEED`.
    """

    write: WritePort
    walk_index: Signal
    walk_record: data.View
    feed_index: Signal
    feed_record: data.View

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "write": In(WriteSignature(cfg.max_layers, LAYER.width)),
                "walk_index": In(4),
                "walk_record": Out(LAYER_LAYOUT),
                "feed_index": In(4),
                "feed_record": Out(LAYER_LAYOUT),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        kept = widths(self.cfg)
        written = data.View(LAYER_LAYOUT, self.write.data)
        for name, fields, index, record in (
            ("walk", WALK, self.walk_index, self.walk_record),
            ("feed", FEED, self.feed_index, self.feed_record),
        ):
            parts: list[Value] = [written[field][: kept[field]] for field in fields]
            m.submodules[name] = storage = BlockRam(self.cfg.max_layers, len(Cat(parts)), stages=1)
            m.d.comb += [
                storage.write_addr.eq(self.write.addr),
                storage.write_data.eq(Cat(parts)),
                storage.write_en.eq(self.write.en),
                storage.read_addr.eq(index),
            ]
            at = 0
            for field in fields:
                m.d.comb += record[field].eq(storage.read_data[at : at + kept[field]])
                at += kept[field]
        if not kept["format"]:
            m.d.comb += self.feed_record.format.eq(Const(formats_of(self.cfg)[0]))
        return m
