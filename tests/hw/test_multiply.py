# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import pytest

from fantastic4_hw.multiply import Multiply
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import plain

PARAMETERS = ["basis_base", "per_row", "bias_narrow", "bias_shift"]
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
        self.layers, self.basis, self.bias, self.words = [], [], [], []
        biggest = cfg.tile * 255
        for rows, tiles, per_row, shift in shapes:
            parameters = {"basis_base": len(self.basis), "per_row": int(per_row)}
            parameters |= {"bias_narrow": int(shift is not None), "bias_shift": shift or 0}
            shared = [self._coefficients(rng, extreme) for _ in range(tiles)]
            if not per_row:
                self.basis += shared
            self._add_biases(rng, rows, shift, extreme)
            found = []
            for start in range(0, rows, cfg.engines):
                active = min(cfg.engines, rows - start)
                z = self.bias[len(self.bias) - rows :][start : start + active]
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
            self.layers.append((parameters, found))
        assert len(self.basis) <= cfg.basis_depth
        assert len(self.words) <= cfg.row_depth

    def _add_biases(self, rng, rows, shift, extreme):
        """Append the biases of a layer: wide without a shift, otherwise mantissas in pairs."""
        reach = 1 << (31 if shift is None else 15)
        ends = [-reach, -1, reach - 1]
        bias = rng.choice(ends, rows) if extreme else rng.integers(-reach, reach, rows)
        bias = bias.tolist()
        if shift is None:
            self.bias += bias
            self.words += [value & 0xFFFFFFFF for value in bias]
        else:
            self.bias += [value << shift for value in bias]
            halves = [value & 0xFFFF for value in [*bias, 0]]
            self.words += [halves[k] | halves[k + 1] << 16 for k in range(0, rows, 2)]

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
    expected = [row.z for x in inferences for _, found in x.layers for row in found]
    expected = [z for z in expected if z is not None]
    sent_at: list[int] = []
    seen: list[tuple[int, int]] = []
    clock = 0

    async def drive(ctx):
        nonlocal clock
        words = [sum((w & 0xFFFF) << 16 * i for i, w in enumerate(x)) for x in first.basis]
        await fill(ctx, dut.write_basis, words)
        await fill(ctx, dut.write_bias, first.words)

        async def tick():
            nonlocal clock
            *_, valid, z = await ctx.tick().sample(dut.z.valid, dut.z.payload)
            if valid:
                seen.append((clock, plain(z)))
            clock += 1

        def offer(parameters):
            for name, value in parameters.items():
                ctx.set(getattr(dut, name), value)

        def offer_nonsense():
            offer({name: int(rng.integers(1 << len(getattr(dut, name)))) for name in PARAMETERS})

        for inference in inferences:
            for _ in range(dut.latency + 2):  # the pipeline has drained
                await tick()
            ctx.set(dut.begin, 1)
            offer(inference.layers[0][0])
            await tick()
            ctx.set(dut.begin, 0)
            for number, (_, found) in enumerate(inference.layers):
                for row in found:
                    while rng.random() < gap:
                        offer_nonsense()
                        await tick()
                    offer_nonsense()
                    if row.ends_layer and number + 1 < len(inference.layers):
                        offer(inference.layers[number + 1][0])
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
        (engines, 1, False, None),
        (2 * engines + 1, 2, True, 3),
        (1, 3, False, 12),
        (1, 1, True, 15),
        (engines + 1, 3, False, 0),
        (1, 1, False, None),
        (3, 2, True, 7),
        (2, 1, False, None),
    ]
    inference = Inference(rng, cfg, shapes, extreme=extreme)
    run(Multiply(cfg), [inference, inference], rng, gap)


@pytest.mark.parametrize("extreme", [False, True])
def test_every_bias_shift(rng, geometry, extreme):
    cfg = geometry(4, 2)
    shapes = [(3, 1, False, shift) for shift in range(16)]
    run(Multiply(cfg), [Inference(rng, cfg, shapes, extreme=extreme)], rng, 0.2)


def test_every_extreme(rng, geometry):
    """All sums 512 * 255 with all coefficients at either end of their range."""
    cfg = geometry(4, 1, row_depth=64, basis_depth=64)
    inference = Inference(rng, cfg, [(16, 1, True, None)], extreme=False)
    inference.basis = [[-32768] * 4 if k % 2 else [32767] * 4 for k in range(16)]
    rows = inference.layers[0][1]
    for row, omega, bias in zip(rows, inference.basis, inference.bias, strict=True):
        row.payload["sums"] = [cfg.tile * 255] * 4
        row.z = bias + sum(omega) * cfg.tile * 255
    run(Multiply(cfg), [inference], rng, 0.0)
