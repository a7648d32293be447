# SPDX-License-Identifier: Apache-2.0
import pytest

from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.shapes import flags_layout
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import sink, source


async def write(ctx, port, slot, chunk, acts, lanes):
    """Write the lanes named; the others must keep what they hold."""
    ctx.set(port.slot, slot)
    ctx.set(port.chunk, chunk)
    ctx.set(port.acts, acts)
    ctx.set(port.valid, 1)
    ctx.set(port.en, sum(1 << lane for lane in lanes))
    await ctx.tick()
    ctx.set(port.en, 0)


def random_step(rng, cfg, slot, hidden, chunk):
    flags = {name: int(rng.integers(1 << width)) for name, width in flags_layout(cfg).items()}
    flags["rows"] = int(rng.integers(cfg.engines))
    return {"chunk": chunk, "hidden": hidden, "slot": slot, **flags}


@pytest.mark.parametrize(("lanes", "engines"), [(1, 1), (3, 2), (4, 3), (16, 8)])
@pytest.mark.parametrize("gap", [0, 0.5])
def test_reads_what_was_written(rng, geometry, lanes, engines, gap):
    """Both slots of both memories, written lane by lane; depths that are no power of two."""
    cfg = geometry(lanes, engines, input_chunks=5, hidden_chunks=6)
    dut = ActivationMemory(cfg)
    depths = (cfg.input_chunks, cfg.hidden_chunks)
    content = {
        (hidden, slot, chunk): rng.integers(0, 256, lanes).tolist()
        for hidden in (0, 1)
        for slot in (0, 1)
        for chunk in range(depths[hidden])
    }
    steps = [random_step(rng, cfg, slot, hidden, chunk) for hidden, slot, chunk in content]
    steps = [steps[k] for k in rng.permutation(len(steps))] * 2
    seen: list = []

    async def drive(ctx):
        for (hidden, slot, chunk), acts in content.items():
            port = dut.write_hidden if hidden else dut.write_input
            order = rng.permutation(lanes).tolist()
            for part in (order[: lanes // 2], order[lanes // 2 :]):
                junk = [a if j in part else 255 - a for j, a in enumerate(acts)]
                await write(ctx, port, slot, chunk, junk, part)
        await source(dut.steps, steps, gap=gap)(ctx)

    simulate(dut, [drive, sink(dut.chunks, len(steps), seen)])
    for step, chunk in zip(steps, seen, strict=True):
        assert chunk["acts"] == content[step["hidden"], step["slot"], step["chunk"]]
        assert {name: chunk[name] for name in flags_layout(cfg)} == (
            {name: step[name] for name in flags_layout(cfg)}
        )


@pytest.mark.parametrize("hidden", [0, 1])
@pytest.mark.parametrize(("name_width", "latency"), [(4, 4), (2, 7)])
def test_latency_rate_and_a_write_before(rng, geometry, hidden, name_width, latency):
    """Chunks come when slower decoders have their codes."""
    cfg = geometry(4, 2, formats=("dense", "bitmask"), name_width=name_width)
    assert ActivationMemory.latency_of(cfg) == latency
    dut = ActivationMemory(cfg)
    acts = [rng.integers(0, 256, 4).tolist() for _ in range(8)]
    seen: list[tuple[int, list[int]]] = []

    port, written = (
        (dut.write_hidden, dut.written) if hidden else (dut.write_input, dut.input_written)
    )

    async def drive(ctx):
        """Each step is taken as soon as it sees what was written."""
        for chunk in range(8 + written):
            ctx.set(port.valid, 1)
            ctx.set(port.en, 15 if chunk < 8 else 0)
            ctx.set(port.chunk, min(chunk, 7))
            ctx.set(port.acts, acts[min(chunk, 7)])
            if chunk >= written:
                ctx.set(dut.steps.payload, random_step(rng, cfg, 0, hidden, chunk - written))
            ctx.set(dut.steps.valid, chunk >= written)
            await ctx.tick()
        ctx.set(dut.steps.valid, 0)

    async def watch(ctx):
        for clock in range(20):
            *_, valid, payload = await ctx.tick().sample(dut.chunks.valid, dut.chunks.payload)
            if valid:
                seen.append((clock, [payload.acts[j] for j in range(4)]))

    simulate(dut, [drive, watch])
    assert seen == [(k + written + latency, acts[k]) for k in range(8)]


def test_a_chunk_outlives_a_write(rng, geometry):
    """What a step reads does not change when its place is written in the next clock."""
    cfg = geometry(4, 2)
    dut = ActivationMemory(cfg)
    old = [[11 + k] * 4 for k in range(3)]
    seen: list = []

    async def drive(ctx):
        for k in range(3):
            await write(ctx, dut.write_hidden, 1, k, old[k], range(4))
        for k in range(3):
            ctx.set(dut.steps.payload, random_step(rng, cfg, 1, 1, k))
            ctx.set(dut.steps.valid, 1)
            await ctx.tick()
            ctx.set(dut.steps.valid, 0)
            await write(ctx, dut.write_hidden, 1, k, [200 + k] * 4, range(4))

    simulate(dut, [drive, sink(dut.chunks, 3, seen)])
    assert [chunk["acts"] for chunk in seen] == old


def test_inputs_wait_for_hidden_activations(rng, geometry):
    """In one memory both are written at any time, an input when nothing holds it; none is lost."""
    cfg = geometry(4, 2, shared_activations=True, input_chunks=8, hidden_chunks=16)
    dut = ActivationMemory(cfg)
    content = {
        (hidden, slot, chunk): rng.integers(0, 256, 4).tolist()
        for hidden, chunks in ((0, 8), (1, 16))
        for slot in (0, 1)
        for chunk in range(chunks)
    }
    seen: list = []
    held, left = 0, 2

    async def write_all(ctx, port, hidden):
        nonlocal left, held
        for (memory, slot, chunk), acts in content.items():
            if memory != hidden:
                continue
            for lane in range(4):
                while rng.random() < 0.3:
                    await ctx.tick()
                ctx.set(port.slot, slot)
                ctx.set(port.chunk, chunk)
                ctx.set(port.acts, [acts[lane]] * 4)
                ctx.set(port.en, 1 << lane)
                ctx.set(port.valid, 1)
                holds = 1
                while holds:
                    *_, hold = await ctx.tick().sample(dut.hold)
                    holds = hold and not hidden
                    held += holds
                ctx.set(port.valid, 0)
        left -= 1

    async def write_inputs(ctx):
        await write_all(ctx, dut.write_input, 0)

    async def write_hidden(ctx):
        await write_all(ctx, dut.write_hidden, 1)

    async def read(ctx):
        while left:
            await ctx.tick()
        for _ in range(dut.written):
            await ctx.tick()
        for hidden, slot, chunk in content:
            ctx.set(dut.steps.payload, random_step(rng, cfg, slot, hidden, chunk))
            ctx.set(dut.steps.valid, 1)
            await ctx.tick()
        ctx.set(dut.steps.valid, 0)

    simulate(dut, [write_inputs, write_hidden, read, sink(dut.chunks, len(content), seen)])
    assert held
    assert [chunk["acts"] for chunk in seen] == list(content.values())
