# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4_hw.macarray import MacArray
from fantastic4_sim.bench import simulate


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
def test_scalar_products_of_tiles(rng, geometry, lanes):
    """Tiles with pauses between chunks, then the least and the greatest sum that there can be."""
    cfg = geometry(lanes, 1)
    dut = MacArray(cfg)
    chunks: list[tuple[np.ndarray, np.ndarray, bool] | None] = []
    for length in [1, 1, 2, 5]:
        for at in range(length):
            x, w = rng.integers(0, 256, lanes), rng.integers(-8, 8, lanes)
            chunks.append((x, w, at == 0))
            chunks += [None] * int(rng.integers(0, 3))
    full = cfg.tile_chunks if lanes == 8 else 3
    for weight in (-8, 7):
        ends = np.full(lanes, 255), np.full(lanes, weight)
        chunks += [(*ends, at == 0) for at in range(full)]

    expected, total = [], 0
    for chunk in chunks:
        if chunk is not None:
            x, w, first = chunk
            total = (0 if first else total) + int(x @ w)
        expected.append(total)

    seen: list[int] = []
    wait = dut.tree_latency

    async def testbench(ctx):
        for clock in range(len(chunks) + wait + dut.latency):
            entering = chunks[clock] if clock < len(chunks) else None
            x, w, _ = entering or (rng.integers(0, 256, lanes), np.full(lanes, -8), False)
            ctx.set(dut.acts, x.tolist())
            ctx.set(dut.weights, w.tolist())
            leaving = chunks[clock - wait] if 0 <= clock - wait < len(chunks) else None
            ctx.set(dut.add, leaving is not None)
            ctx.set(dut.clear, bool(leaving and leaving[2]))
            *_, total = await ctx.tick().sample(dut.total)
            seen.append(total)

    simulate(dut, [testbench])
    assert seen[wait + dut.latency :] == expected
    assert expected[-1] == 255 * 7 * lanes * full
    assert expected[-1 - full] == -255 * 8 * lanes * full
