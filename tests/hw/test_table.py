# SPDX-License-Identifier: Apache-2.0
"""The layer table gives back what a core of its geometry can use of a record."""

import pytest

from fantastic4.config import TINY
from fantastic4.layout import LAYER, Format
from fantastic4_hw.table import FEED, WALK, LayerTable, widths
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import plain

DENSE = {"formats": ("dense",), "max_layers": 4, "weight_depth": 16384, "basis_depth": 256}
MASKS = {"formats": ("ternary", "bitmask2"), "max_layers": 16}


@pytest.mark.parametrize("settings", [DENSE, MASKS], ids=["dense", "masks"])
def test_gives_the_fields_back(rng, geometry, settings):
    cfg = geometry(16, 1, **settings)
    dut = LayerTable(cfg)
    kept = widths(cfg)
    records = [
        {
            name: int(rng.integers(0, 1 << 20)) & (1 << min(width, kept.get(name, 0))) - 1
            for name, width in LAYER.fields.items()
        }
        for _ in range(cfg.max_layers)
    ]
    walks, feeds = [], []

    async def drive(ctx):
        for index, record in enumerate(records):
            ctx.set(dut.write.addr, index)
            ctx.set(dut.write.data, LAYER.pack(**record))
            ctx.set(dut.write.en, 1)
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        for index in range(cfg.max_layers):
            ctx.set(dut.walk_index, index)
            ctx.set(dut.feed_index, cfg.max_layers - 1 - index)
            await ctx.tick()
            walks.append(plain(ctx.get(dut.walk_record)))
            feeds.insert(0, plain(ctx.get(dut.feed_record)))

    simulate(dut, [drive])
    for record, walk, feed in zip(records, walks, feeds, strict=True):
        assert [walk[name] for name in WALK] == [record[name] for name in WALK]
        assert [feed[name] for name in FEED] == [record[name] for name in FEED]


def test_keeps_what_a_core_can_use(geometry):
    dense = widths(geometry(16, 1, **DENSE))
    assert (dense["format"], dense["width"], dense["gap"], dense["palette"]) == (0, 0, 0, 0)
    assert dense["beats"] == (16384).bit_length()
    assert dense["basis_base"] == 8
    masks = widths(geometry(16, 1, **MASKS))
    assert (masks["format"], masks["width"], masks["palette"]) == (4, 3, 64)
    for size, bits in ((15, 4), (16, 5), (4096, 13)):
        assert widths(geometry(16, 1, input_chunks=size, hidden_chunks=1))["in_chunks"] == bits
        assert widths(geometry(16, 1, input_chunks=1, hidden_chunks=size))["in_chunks"] == bits
    whole = widths(TINY)
    assert (whole["gap"], whole["beats"]) == (LAYER.fields["gap"], 24)
    assert {Format.DENSE} == {Format(0)}, "what a single format is read as must be its number"
