# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest

from fantastic4.layout import LAYER
from fantastic4_hw.retire import Retire
from fantastic4_hw.serialiser import Serialiser
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, sink

GEOMETRIES = [(1, 1), (3, 2), (4, 3), (16, 8)]


def record(out_features, *, logits=False):
    return {**dict.fromkeys(LAYER.fields, 0), "out_features": out_features, "logits": int(logits)}


def random_rows(rng, count, *, logits, few):
    """Rows with values far apart, or with so few different ones that the largest comes twice."""
    if few:
        values = rng.choice([-5, -5, 3, 200] if logits else [0, 9, 255, 255], count)
    else:
        values = rng.integers(-(2**31), 2**31, count)
        values[rng.integers(count)] = rng.choice([-(2**31), 2**31 - 1])
    return [{"rounded": int(v), "y": int(np.clip(v, 0, 255))} for v in values]


async def tick(ctx, dut, written):
    """One clock; keep what is written and say what happened."""
    port = dut.write
    *_, valid, en, slot, chunk, acts, ready, drained, done = await ctx.tick().sample(
        *(port.valid, port.en, port.slot, port.chunk, port.acts),
        *(dut.chunks_ready, dut.drained, dut.done),
    )
    for lane in range(dut.cfg.lanes):
        if valid and en >> lane & 1:
            written[slot, chunk * dut.cfg.lanes + lane] = acts[lane]
    return ready, drained, done


@pytest.mark.parametrize(("lanes", "engines"), GEOMETRIES)
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_layers(rng, geometry, lanes, engines, logits, few, gap):
    """Hidden layers land in the two buffers in turn, the last one in the queue."""
    cfg = geometry(lanes, engines)
    dut = Retire(cfg, depth=64)
    widths = [2 * lanes, 1, lanes + 1, 7]
    records = [record(w) for w in widths[:-1]] + [record(widths[-1], logits=logits)]
    seen: list[Any] = []
    expected = []

    async def drive(ctx):
        for _ in range(3):
            written: dict[tuple[int, int], int] = {}
            ctx.set(dut.begin, 1)
            ctx.set(dut.record, records[0])
            ctx.set(dut.is_last, 0)
            await tick(ctx, dut, written)
            ctx.set(dut.begin, 0)
            await tick(ctx, dut, written)
            for index, width in enumerate(widths):
                last = index == len(widths) - 1
                rows = random_rows(rng, width, logits=logits and last, few=few)
                following = min(index + 1, len(widths) - 1)
                ctx.set(dut.record, records[following])
                ctx.set(dut.is_last, following == len(widths) - 1)
                written.clear()
                for at, row in enumerate(rows):
                    while rng.random() < gap:
                        ctx.set(dut.i.payload, [{"rounded": 2**31 - 1, "y": 255}])
                        assert (await tick(ctx, dut, written))[1:] == (0, 0)
                    ctx.set(dut.i.payload, [row])
                    ctx.set(dut.i.valid, 1)
                    ready, drained, done = await tick(ctx, dut, written)
                    ctx.set(dut.i.valid, 0)
                    if drained:
                        await tick(ctx, dut, {})
                    final = at == width - 1
                    assert ready == at // lanes
                    assert (drained, done) == (final, final and last)
                if last:
                    assert not written
                    values = [row["rounded" if logits else "y"] for row in rows]
                    best = values.index(max(values))
                    for at, value in enumerate(values):
                        expected.append((value, int(at == width - 1), best))
                else:
                    assert written == {(index % 2, k): row["y"] for k, row in enumerate(rows)}
                assert ctx.get(dut.chunks_ready) == 0

    simulate(
        dut,
        [drive, sink(dut.results, 3 * widths[-1], seen, gap=gap)],
        checkers=[keeps_promise(dut.results)],
    )
    assert [(x["value"], x["last"]) for x in seen] == [x[:2] for x in expected]
    bests = [(x["best"], y[2]) for x, y in zip(seen, expected, strict=True) if x["last"]]
    assert all(found == right for found, right in bests)


def test_one_output(geometry):
    """The arg-max of one output is 0, whatever the inference before said."""
    dut = Retire(geometry(4, 2), depth=16)
    seen: list[Any] = []

    async def drive(ctx):
        for value in (9, -4):
            ctx.set(dut.begin, 1)
            ctx.set(dut.record, record(1, logits=True))
            ctx.set(dut.is_last, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            await ctx.tick()
            ctx.set(dut.i.payload, [{"rounded": value, "y": 0}])
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)

    simulate(dut, [drive, sink(dut.results, 2, seen)])
    assert [x["value"] for x in seen] == [9, -4]
    assert [(x["best"], x["last"]) for x in seen] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("engines", [1, 2, 3, 8])
def test_room(rng, geometry, engines):
    """Groups that reserve when there is room never lose a result, however slow the reader."""
    depth, groups = 32, 40
    dut = Retire(geometry(4, engines), depth=depth)
    count = groups * engines
    values = rng.integers(-1000, 1000, count).tolist()
    seen: list[Any] = []
    fullest = 0

    async def drive(ctx):
        nonlocal fullest
        ctx.set(dut.begin, 1)
        ctx.set(dut.record, record(count, logits=True))
        ctx.set(dut.is_last, 1)
        await ctx.tick()
        ctx.set(dut.begin, 0)
        ctx.set(dut.reserve_rows, engines)
        pending, reserved, sent, read, room = [], 0, 0, 0, 1
        while sent < count:
            reserve = bool(room) and reserved < count and rng.random() < 0.5
            ctx.set(dut.reserve, reserve)
            fullest = max(fullest, reserved - read)
            if reserve:
                assert reserved + engines - read <= depth
                reserved += engines
                pending += [int(rng.integers(1, 15))] + [0] * (engines - 1)
            ctx.set(dut.i.valid, 0)
            if pending and pending[0] == 0:
                pending.pop(0)
                ctx.set(dut.i.payload, [{"rounded": values[sent], "y": 0}])
                ctx.set(dut.i.valid, 1)
                sent += 1
            elif pending:
                pending[0] -= 1
            *_, valid, ready, room = await ctx.tick().sample(
                dut.results.valid,
                dut.results.ready,
                dut.room_for_two if reserve else dut.room_for_one,
            )
            read += valid & ready
        ctx.set(dut.i.valid, 0)

    simulate(
        dut,
        [drive, sink(dut.results, count, seen, gap=0.8)],
        checkers=[keeps_promise(dut.results)],
    )
    assert [x["value"] for x in seen] == values
    assert fullest > depth - 2 * engines


@pytest.mark.parametrize("engines", [1, 2, 3, 8])
def test_room_is_what_is_free(geometry, engines):
    """Room lasts exactly as long as a whole group fits; fewer rows take fewer places."""
    depth = 32
    dut = Retire(geometry(4, engines), depth=depth)

    async def testbench(ctx):
        free = depth
        for rows in [engines, 1] * depth:
            assert ctx.get(dut.room_for_one) == (free >= engines)
            if free < engines:
                return
            ctx.set(dut.reserve, 1)
            ctx.set(dut.reserve_rows, rows)
            await ctx.tick()
            ctx.set(dut.reserve, 0)
            for _ in range(2):  # until then the group counts as a whole one
                await ctx.tick()
            free -= rows

    simulate(dut, [testbench])


@pytest.mark.parametrize(("lanes", "cores"), [(2, 2), (8, 2), (8, 4), (8, 8)])
def test_rows_of_several_cores(rng, geometry, lanes, cores):
    """A row of each core a clock: neighbours in a chunk; what no row is never is a result."""
    cfg = geometry(lanes, 2, cores=cores)
    dut = Retire(cfg, depth=16)
    widths = [2 * lanes + 1, 1, lanes, cores + 1]
    records = [record(w) for w in widths[:-1]] + [record(widths[-1], logits=True)]
    nothing = {"rounded": 2**31 - 1, "y": 255}
    seen: list[Any] = []
    expected = []

    async def drive(ctx):
        for _ in range(3):
            written: dict[tuple[int, int], int] = {}
            ctx.set(dut.begin, 1)
            ctx.set(dut.record, records[0])
            ctx.set(dut.is_last, 0)
            await tick(ctx, dut, written)
            ctx.set(dut.begin, 0)
            await tick(ctx, dut, written)
            for index, width in enumerate(widths):
                last = index == len(widths) - 1
                rows = random_rows(rng, width, logits=last, few=False)
                following = min(index + 1, len(widths) - 1)
                ctx.set(dut.record, records[following])
                ctx.set(dut.is_last, following == len(widths) - 1)
                written.clear()
                for at in range(0, width, cores):
                    group = rows[at : at + cores]
                    ctx.set(dut.i.payload, group + [nothing] * (cores - len(group)))
                    ctx.set(dut.i.valid, 1)
                    ready, drained, done = await tick(ctx, dut, written)
                    ctx.set(dut.i.valid, 0)
                    if drained:
                        await tick(ctx, dut, {})
                    final = at + cores >= width
                    assert ready == at // lanes
                    assert (drained, done) == (final, final and last)
                if last:
                    assert not written
                    expected.extend(row["rounded"] for row in rows)
                else:
                    kept = {k: written[index % 2, k] for k in range(width)}
                    assert kept == {k: row["y"] for k, row in enumerate(rows)}
                    assert len(written) == -(-width // cores) * cores

    simulate(
        dut,
        [drive, sink(dut.results, 3 * widths[-1], seen, gap=0.3)],
        checkers=[keeps_promise(dut.results)],
    )
    assert [x["value"] for x in seen] == expected


def test_room_of_several_cores(geometry):
    """A place is a row of each core; the first group has room when all results have left."""
    cores, depth, rows = 4, 8, 9
    dut = Retire(geometry(4, 2, cores=cores), depth=depth)
    left = cores * rows - 1

    async def reserve(ctx, rows):
        assert ctx.get(dut.room_for_one)
        ctx.set(dut.reserve, 1)
        ctx.set(dut.reserve_rows, rows)
        await ctx.tick()
        ctx.set(dut.reserve, 0)

    async def retire(ctx, clocks):
        ctx.set(dut.i.payload, [{"rounded": 5, "y": 0}] * cores)
        ctx.set(dut.i.valid, 1)
        for _ in range(clocks):
            await take(ctx)
        ctx.set(dut.i.valid, 0)

    async def take(ctx):
        nonlocal left
        *_, valid, ready = await ctx.tick().sample(dut.results.valid, dut.results.ready)
        left -= valid & ready

    async def testbench(ctx):
        ctx.set(dut.begin, 1)
        ctx.set(dut.record, record(left, logits=True))
        ctx.set(dut.is_last, 1)
        await ctx.tick()
        ctx.set(dut.begin, 0)
        for group in (2, 2, 2, 1):
            await reserve(ctx, group)
        assert not ctx.get(dut.room_for_one), "one place is left, and a group has two rows"
        await retire(ctx, 2)
        for _ in range(8):
            await take(ctx)
        assert not ctx.get(dut.room_for_one)
        ctx.set(dut.results.ready, 1)
        for _ in range(2):
            await take(ctx)
        ctx.set(dut.results.ready, 0)
        await take(ctx)
        await reserve(ctx, 2)
        await retire(ctx, rows - 2)
        ctx.set(dut.results.ready, 1)
        for _ in range(cores * rows):
            # The last ones are in the serialiser by then, not in the queue.
            assert ctx.get(dut.room_for_one) <= (left <= Serialiser.latency)
            await take(ctx)
        assert left == 0
        assert ctx.get(dut.room_for_one)

    simulate(dut, [testbench])
