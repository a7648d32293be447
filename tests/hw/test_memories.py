# SPDX-License-Identifier: Apache-2.0
import pytest

from fantastic4_hw.memories import WeightBank
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, sink


async def fill(ctx, dut, words):
    for addr, word in enumerate(words):
        ctx.set(dut.write.addr, addr)
        ctx.set(dut.write.data, word)
        ctx.set(dut.write.en, 1)
        await ctx.tick()
    ctx.set(dut.write.en, 0)


async def start(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


def random_words(rng, cfg):
    return [int.from_bytes(rng.bytes(cfg.word_width // 4)) >> cfg.word_width for _ in range(20)]


@pytest.mark.parametrize("lanes", [1, 3, 4, 16])
@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_reads_from_the_start_again_and_again(rng, geometry, lanes, gap):
    """``start`` comes at any time, also while a word is being refused."""
    cfg = geometry(lanes, 1, weight_depth=20)
    dut = WeightBank(cfg)
    words = random_words(rng, cfg)
    counts = [20, 0, 1, 7, 3, 20]
    seen: list[list[int]] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        for count in counts:
            await start(ctx, dut)
            found: list[int] = []
            await sink(dut.o, count, found, gap=gap, seed=count)(ctx)
            seen.append(found)

    simulate(dut, [drive])
    assert seen == [words[:count] for count in counts]


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_keeps_its_promise(rng, geometry, gap):
    cfg = geometry(4, 1, weight_depth=20)
    dut = WeightBank(cfg)
    words = random_words(rng, cfg)
    seen: list[int] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        await start(ctx, dut)

        async def both(ctx):
            await sink(dut.o, 20, seen, gap=gap, late=True)(ctx)

        await both(ctx)

    # Words offered before the first start are none of its business.
    async def promise(ctx):
        started = 0
        while not started:
            *_, started = await ctx.tick().sample(dut.start)
        await keeps_promise(dut.o)(ctx)

    simulate(dut, [drive], checkers=[promise])
    assert seen == words


def test_latency_and_rate(rng, geometry):
    cfg = geometry(4, 1, weight_depth=20)
    dut = WeightBank(cfg)
    words = random_words(rng, cfg)
    seen: list[tuple[int, int]] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        ctx.set(dut.o.ready, 1)
        for clock in range(23):
            ctx.set(dut.start, clock == 0)
            *_, valid, word = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid and clock:
                seen.append((clock, word))

    simulate(dut, [drive])
    assert seen == [(dut.latency + k, words[k]) for k in range(20)]
