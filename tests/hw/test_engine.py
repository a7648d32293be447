# SPDX-License-Identifier: Apache-2.0
import pytest

from fantastic4_hw.engine import Engine
from fantastic4_sim.bench import simulate


def masked_sums(acts, codes):
    """Sum of the activations under each of the four masks."""
    return [sum(a for a, c in zip(acts, codes, strict=True) if c >> i & 1) for i in range(4)]


@pytest.mark.parametrize("lanes", [1, 3, 4, 5, 16])
def test_accumulates_tiles(rng, geometry, lanes):
    """Tiles of random length with pauses between chunks; then the largest tile there is."""
    cfg = geometry(lanes, 1)
    dut = Engine(cfg)
    chunks = []
    for length in [1, 1, 2, 3, 7]:
        for at in range(length):
            acts, codes = rng.integers(0, 256, lanes), rng.integers(0, 16, lanes)
            chunks.append((acts.tolist(), codes.tolist(), at == 0))
            chunks += [None] * int(rng.integers(0, 3))
    extreme = min(cfg.tile_chunks, 32)
    chunks += [([255] * lanes, [15] * lanes, at == 0) for at in range(extreme)]
    chunks += [([255] * lanes, [15] * lanes, True)]

    expected, sums = [], [0, 0, 0, 0]
    for chunk in chunks:
        if chunk is not None:
            acts, codes, first = chunk
            more = masked_sums(acts, codes)
            sums = [(0 if first else old) + new for old, new in zip(sums, more, strict=True)]
        expected.append(sums)

    seen: list[list[int]] = []
    wait = dut.tree_latency

    async def testbench(ctx):
        for clock in range(len(chunks) + wait + dut.latency):
            entering = chunks[clock] if clock < len(chunks) else None
            acts, codes, _ = entering or (rng.integers(0, 256, lanes).tolist(), [15] * lanes, 0)
            ctx.set(dut.acts, acts)
            ctx.set(dut.codes, codes)
            leaving = chunks[clock - wait] if 0 <= clock - wait < len(chunks) else None
            ctx.set(dut.add, leaving is not None)
            ctx.set(dut.clear, bool(leaving and leaving[2]))
            *_, sums = await ctx.tick().sample(dut.sums)
            seen.append([sums[i] for i in range(4)])

    simulate(dut, [testbench])
    assert seen[wait + dut.latency :] == expected
    assert expected[-2] == [255 * lanes * extreme] * 4


def test_largest_sum_fits(geometry):
    """A full tile of 255s under full masks, at the widest tile of one lane."""
    cfg = geometry(1, 1)
    dut = Engine(cfg)
    seen: list[int] = []

    async def testbench(ctx):
        ctx.set(dut.acts, [255])
        ctx.set(dut.codes, [15])
        for clock in range(cfg.tile + dut.tree_latency):
            ctx.set(dut.add, clock >= dut.tree_latency)
            ctx.set(dut.clear, clock == dut.tree_latency)
            await ctx.tick()
        seen.extend(ctx.get(dut.sums[i]) for i in range(4))

    simulate(dut, [testbench])
    assert seen == [512 * 255] * 4
    assert cfg.sum_width == 17
