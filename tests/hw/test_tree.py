# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4_hw.tree import MaskedTree
from fantastic4_sim.bench import simulate


def cases(rng, lanes):
    """Random activations and masks, one lane alone, and the largest sum."""
    acts = rng.integers(0, 256, (40, lanes))
    masks = rng.integers(0, 2, (40, lanes))
    alone = np.eye(lanes, dtype=int)
    full, none = np.full((1, lanes), 255), np.zeros((1, lanes), int)
    acts = np.concatenate([acts, np.full((lanes, lanes), 255), full, full, none])
    masks = np.concatenate([masks, alone, none + 1, none, none + 1])
    return acts.tolist(), masks.tolist()


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5, 8, 16, 17])
def test_sums_the_lanes_of_the_mask(rng, geometry, lanes):
    dut = MaskedTree(geometry(lanes, 1))
    acts, masks = cases(rng, lanes)
    seen: list[int] = []

    async def testbench(ctx):
        for clock in range(len(acts) + dut.latency):
            index = min(clock, len(acts) - 1)
            ctx.set(dut.acts, acts[index])
            ctx.set(dut.mask, sum(bit << lane for lane, bit in enumerate(masks[index])))
            *_, total = await ctx.tick().sample(dut.total)
            seen.append(total)

    simulate(dut, [testbench])
    expected = (np.array(acts) * np.array(masks)).sum(axis=1).tolist()
    assert seen[dut.latency :] == expected
    assert max(expected) == 255 * lanes


@pytest.mark.parametrize(
    ("lanes", "latency"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5), (512, 9)]
)
def test_levels(geometry, lanes, latency):
    assert geometry(lanes, 1).tree_levels == latency
