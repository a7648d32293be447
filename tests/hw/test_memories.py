# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from fantastic4_hw.memories import WeightBanks
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, plain, sink


async def fill(ctx, dut, words):
    for at, word in enumerate(words):
        ctx.set(dut.write[0].addr, (at + 1 - len(words)) % (1 << len(dut.write[0].addr)))
        ctx.set(dut.write[0].first, at == 0)
        ctx.set(dut.write[0].data, word)
        ctx.set(dut.write[0].en, 1)
        await ctx.tick()
    ctx.set(dut.write[0].en, 0)


async def start(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


def random_words(rng, cfg, count=20):
    return rng.integers(0, 1 << cfg.word_width, count).tolist()


def round_and_round(words, count):
    """The first ``count`` payloads behind ``start``."""
    marked = [{"data": word, "first": int(at == 0)} for at, word in enumerate(words)]
    return list(itertools.islice(itertools.cycle(marked), count))


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_reads_round_and_round(rng, geometry, lanes, gap):
    """``start`` comes at any time, also while a word is being refused."""
    cfg = geometry(lanes, 1, weight_depth=20)
    dut = WeightBanks(cfg)
    words = random_words(rng, cfg)
    counts = [20, 0, 1, 7, 45, 3, 21]
    seen: list[list[int]] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        for count in counts:
            await start(ctx, dut)
            found: list[int] = []
            await sink(dut.o[0], count, found, gap=gap, seed=count)(ctx)
            seen.append(found)

    simulate(dut, [drive])
    assert seen == [round_and_round(words, count) for count in counts]


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_the_words_of_the_latest_image_go_round(rng, geometry, gap):
    """Longer and shorter ones than before, from the whole memory down to a single word."""
    cfg = geometry(4, 1, weight_depth=20)
    dut = WeightBanks(cfg)
    images = [random_words(rng, cfg, size) for size in (3, 20, 7, 1, 2, 20, 19)]
    seen: list[list[int]] = []

    async def drive(ctx):
        for words in images:
            await fill(ctx, dut, words)
            await start(ctx, dut)
            found: list[int] = []
            await sink(dut.o[0], 50, found, gap=gap, seed=len(words))(ctx)
            seen.append(found)

    simulate(dut, [drive])
    assert seen == [round_and_round(words, 50) for words in images]


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_keeps_its_promise(rng, geometry, gap):
    cfg = geometry(4, 1, weight_depth=20)
    dut = WeightBanks(cfg)
    words = random_words(rng, cfg)
    seen: list[int] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        await start(ctx, dut)
        await sink(dut.o[0], 50, seen, gap=gap, late=True)(ctx)

    # Words offered before the first start are none of its business.
    async def promise(ctx):
        started = 0
        while not started:
            *_, started = await ctx.tick().sample(dut.start)
        await keeps_promise(dut.o[0])(ctx)

    simulate(dut, [drive], checkers=[promise])
    assert seen == round_and_round(words, 50)


def test_latency_and_rate(rng, geometry):
    """One word a clock, also from the last to the first."""
    cfg = geometry(4, 1, weight_depth=20)
    dut = WeightBanks(cfg)
    words = random_words(rng, cfg)
    seen: list[tuple[int, int]] = []

    async def drive(ctx):
        await fill(ctx, dut, words)
        ctx.set(dut.o[0].ready, 1)
        for clock in range(dut.latency + 60):
            ctx.set(dut.start, clock == 0)
            *_, valid, word = await ctx.tick().sample(dut.o[0].valid, dut.o[0].payload)
            if valid and clock:
                seen.append((clock, plain(word)))

    simulate(dut, [drive])
    expected = round_and_round(words, 60)
    assert seen == [(dut.latency + k, word) for k, word in enumerate(expected)]
