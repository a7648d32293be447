# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import pytest

from fantastic4_hw.multiply import Multiply
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import plain

ENDS = [-32768, -32767, -1, 0, 1, 32767]


@dataclass
class Row:
    """One row over one tile: what goes in, and z if it is the row's last tile."""

    payload: dict
    ends_layer: bool
    z: int | None


class Inference:
    """Layers of random sums, with the memories they need and what must come out."""

    def __init__(self, rng, cfg, shapes, *, extreme):
        self.layers, self.basis, self.bias = [], [], []
        biggest = cfg.tile * 255
        for rows, tiles, per_row in shapes:
            base = len(self.basis)
            shared = [self._coefficients(rng, extreme) for _ in range(tiles)]
            if not per_row:
                self.basis += shared
            found = []
            for start in range(0, rows, cfg.engines):
                active = min(cfg.engines, rows - start)
                low, high = -(1 << 31), (1 << 31) - 1
                bias = [
                    int(rng.choice([low, high])) if extreme else int(rng.integers(low, high + 1))
                    for _ in range(active)
                ]
                self.bias += bias
                z = list(bias)
                for tile in range(tiles):
                    for engine in range(active):
                        omega = self._coefficients(rng, extreme) if per_row else shared[tile]
                        if per_row:
                            self.basis.append(omega)
                        sums = rng.choice([0, biggest], 4) if extreme else rng.integers(0, 5000, 4)
                        sums = sums.tolist()
                        z[engine] += sum(w * s for w, s in zip(omega, sums, strict=True))
                        final, close = engine == active - 1, tile == tiles - 1
                        ends = start + active == rows
                        payload = {
                            "sums": sums,
                            "engine": engine,
                            "open": int(tile == 0),
                            "close": int(close),
                            "ends": int(ends),
                            "final": int(final),
                        }
                        found.append(
                            Row(payload, final and close and ends, z[engine] if close else None)
                        )
            self.layers.append((base, per_row, found))
        assert len(self.basis) <= cfg.basis_depth
        assert len(self.bias) <= cfg.row_depth

    def _coefficients(self, rng, extreme):
        return (rng.choice(ENDS, 4) if extreme else rng.integers(-3000, 3000, 4)).tolist()


async def fill(ctx, port, words):
    for addr, word in enumerate(words):
        ctx.set(port.addr, addr)
        ctx.set(port.data, word)
        ctx.set(port.en, 1)
        await ctx.tick()
    ctx.set(port.en, 0)


def run(dut, inferences, rng, gap):
    """Send the rows; return what came out, and the clocks from each last tile to its z."""
    first = inferences[0]
    expected = [row.z for x in inferences for _, _, found in x.layers for row in found]
    expected = [z for z in expected if z is not None]
    sent_at: list[int] = []
    seen: list[tuple[int, int]] = []
    clock = 0

    async def drive(ctx):
        nonlocal clock
        words = [sum((w & 0xFFFF) << 16 * i for i, w in enumerate(x)) for x in first.basis]
        await fill(ctx, dut.write_basis, words)
        await fill(ctx, dut.write_bias, first.bias)

        async def tick():
            nonlocal clock
            *_, valid, z = await ctx.tick().sample(dut.z.valid, dut.z.payload)
            if valid:
                seen.append((clock, plain(z)))
            clock += 1

        def parameters(base, per_row):
            ctx.set(dut.basis_base, base)
            ctx.set(dut.per_row, per_row)

        for inference in inferences:
            for _ in range(dut.latency + 2):  # the pipeline has drained
                await tick()
            ctx.set(dut.begin, 1)
            parameters(*inference.layers[0][:2])
            await tick()
            ctx.set(dut.begin, 0)
            for number, (_, _, found) in enumerate(inference.layers):
                for row in found:
                    while rng.random() < gap:
                        parameters(int(rng.integers(1 << 20)), int(rng.integers(2)))
                        await tick()
                    parameters(int(rng.integers(1 << 20)), int(rng.integers(2)))
                    if row.ends_layer and number + 1 < len(inference.layers):
                        parameters(*inference.layers[number + 1][:2])
                    ctx.set(dut.rows.payload, row.payload)
                    ctx.set(dut.rows.valid, 1)
                    if row.z is not None:
                        sent_at.append(clock)
                    await tick()
                    ctx.set(dut.rows.valid, 0)
                    # what is on the port without valid must not matter
                    ctx.set(dut.rows.payload, {**row.payload, "final": 1, "close": 1, "open": 1})
        for _ in range(dut.latency + 2):
            await tick()

    simulate(dut, [drive])
    assert [z for _, z in seen] == expected
    assert [at - sent for (at, _), sent in zip(seen, sent_at, strict=True)] == (
        [dut.latency] * len(expected)
    )


@pytest.mark.parametrize(("lanes", "engines"), [(4, 1), (4, 2), (5, 3), (1, 8)])
@pytest.mark.parametrize("gap", [0.0, 0.4])
@pytest.mark.parametrize("extreme", [False, True])
def test_layers(rng, geometry, lanes, engines, gap, extreme):
    """Layers follow each other in the next clock; parameters are right only when they are due."""
    cfg = geometry(lanes, engines)
    shapes = [
        (engines, 1, False),
        (2 * engines + 1, 2, True),
        (1, 3, False),
        (1, 1, True),
        (engines + 1, 3, False),
        (3, 2, True),
    ]
    inference = Inference(rng, cfg, shapes, extreme=extreme)
    run(Multiply(cfg), [inference, inference], rng, gap)


def test_every_extreme(rng, geometry):
    """All sums 512 * 255 with all coefficients at either end of their range."""
    cfg = geometry(4, 1, row_depth=64, basis_depth=64)
    inference = Inference(rng, cfg, [(16, 1, True)], extreme=False)
    inference.basis = [[-32768] * 4 if k % 2 else [32767] * 4 for k in range(16)]
    rows = inference.layers[0][2]
    for row, omega, bias in zip(rows, inference.basis, inference.bias, strict=True):
        row.payload["sums"] = [cfg.tile * 255] * 4
        row.z = bias + sum(omega) * cfg.tile * 255
    run(Multiply(cfg), [inference], rng, 0.0)
