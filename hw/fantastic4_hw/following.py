# SPDX-License-Identifier: Apache-2.0
"""The layer behind the one that is being walked, fetched and worked out ahead."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data

from fantastic4.config import CoreConfig
from fantastic4.layout import LAYER
from fantastic4_hw.shapes import FEATURE_WIDTH

RECORD_TIME = 4
"""Clocks from the one in which a layer is entered until the next one can be."""


class Following:
    """The layer that follows, ``ready`` when its record has come.

    When it is ``taken`` the next one is asked for, a clock later: behind the last layer the first
    one. In that clock it is ``entered``, and its record still at hand. ``chunks`` and ``planes``
    are two less than those of the layer, ``rows`` of each core those behind the first group less
    one.
    """

    def __init__(self, cfg: CoreConfig) -> None:
        chunks = max(cfg.input_chunks, cfg.hidden_chunks)
        self.chunks, self.planes, self.rows = (
            Signal(signed(bits + 1), name=f"following_{name}", reset_less=True)
            for name, bits in (
                ("chunks", chunks.bit_length()),
                ("planes", LAYER.fields["planes"]),
                ("rows", FEATURE_WIDTH),
            )
        )
        self.is_single, self.is_last, self.ready, self.taken, self.entered = (
            Signal(name=f"following_{name}")
            for name in ("is_single", "is_last", "ready", "taken", "entered")
        )


def fetch_following(
    m: Module, cfg: CoreConfig, layers: Signal, table_index: Signal, record: data.View
) -> Following:
    """Fetch the record of the layer that follows, and return what is found out about it.

    ``layers`` are those of the network; ``record`` comes a clock behind ``table_index``, which is
    driven here.
    """
    found = Following(cfg)
    index, coming = Signal.like(table_index), Signal(RECORD_TIME - 1)
    rows = (record.out_features + cfg.cores - 1) >> cfg.cores.bit_length() - 1
    m.d.comb += [table_index.eq(index), found.ready.eq(~coming[0])]
    m.d.sync += [
        found.chunks.eq(record.in_chunks - 2),
        found.planes.eq(record.planes - 2),
        found.rows.eq(rows - (cfg.engines + 1)),
        found.is_single.eq(record.in_chunks <= cfg.tile_chunks),
        found.is_last.eq(index == layers - 1),
        found.entered.eq(found.taken),
        coming.eq(coming >> 1),
    ]
    with m.If(found.taken):
        m.d.sync += coming.eq((1 << len(coming)) - 1)
    with m.If(found.entered):
        m.d.sync += index.eq(Mux(found.is_last, 0, index + 1))
    return found
