# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4_hw.post import Post
from fantastic4_sim.bench import simulate

LEAST, GREATEST = -(1 << 35), (1 << 35) - 1


def values(rng, shift):
    """Ends of the range, exact halves and their neighbours on both sides of 0, random ones."""
    half = 1 << shift >> 1
    found = [LEAST, LEAST + 1, -1, 0, 1, GREATEST - 1, GREATEST]
    for k in (-300, -2, -1, 0, 1, 2, 254, 255, 256, 300):
        found += [(k << shift) + half + d for d in (-1, 0, 1)]
    spread = 1 << min(35, shift + 10)
    found += rng.integers(-spread, spread, 20).tolist()
    return [z for z in found if LEAST <= z <= GREATEST]


def run(dut, batches, rng, gap=0.0):
    """Send (shift, low, high, zs) batches; return what came out of each and its latencies."""
    outputs = []

    async def testbench(ctx):
        for shift, low, high, zs in batches:
            ctx.set(dut.shift, shift)
            ctx.set(dut.low, low)
            ctx.set(dut.high, high)
            sent, seen, waiting, clock = [], [], list(zs), 0
            while len(seen) < len(zs):
                offer = bool(waiting) and rng.random() >= gap
                ctx.set(dut.z.valid, offer)
                ctx.set(dut.z.payload, waiting[0] if offer else int(rng.integers(1 << 30)))
                if offer:
                    waiting.pop(0)
                    sent.append(clock)
                *_, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                if valid:
                    assert clock - sent[len(seen)] == dut.latency
                    seen.append((payload.rounded, payload.y))
                clock += 1
                assert clock < 100 * len(zs), "rows are lost"
            outputs.append(seen)

    simulate(dut, [testbench])
    return outputs


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_every_shift(rng, geometry, gap):
    batches = [(shift, 0, 255, values(rng, shift)) for shift in range(36)]
    for (shift, _, _, zs), seen in zip(
        batches, run(Post(geometry(4, 2)), batches, rng, gap), strict=True
    ):
        rounded = [floor(Fraction(z, 1 << shift) + Fraction(1, 2)) for z in zs]
        assert [r for r, _ in seen] == rounded
        assert [y for _, y in seen] == [min(max(r, 0), 255) for r in rounded]
        assert [y for _, y in seen] == golden.post(np.array(zs), shift, 0, 255).tolist()


@pytest.mark.parametrize(("low", "high"), [(0, 0), (255, 255), (7, 7), (3, 200), (0, 127)])
def test_clamp(rng, geometry, low, high):
    zs = [*range(-5, 260), LEAST, GREATEST, 1 << 20, -(1 << 20)]
    (seen,) = run(Post(geometry(1, 1)), [(0, low, high, zs)], rng)
    assert seen == [(z, min(max(z, low), high)) for z in zs]
