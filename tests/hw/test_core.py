# SPDX-License-Identifier: Apache-2.0
"""The whole core in Amaranth's simulator: one image after the other, wrong ones, slow readers."""

from typing import Any

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.image import parse
from fantastic4.layout import ErrorCode
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4.timing import timing
from fantastic4_hw.core import Core
from fantastic4_sim.bench import simulate
from fantastic4_sim.commands import Infer, InferReply, Load, LoadReply
from fantastic4_sim.device import AmaranthDevice
from fantastic4_sim.streams import get, keeps_promise, put

GEOMETRIES = [(1, 1), (1, 8), (3, 2), (4, 3), (5, 1), (12, 1), (16, 2)]


def words_of(raw):
    """Transfers of an image."""
    words = np.frombuffer(raw, "<u4").tolist()
    return [{"data": word, "last": k == len(words) - 1} for k, word in enumerate(words)]


def transfers_of(x, width):
    """Transfers of one input; what pads the last one is not zero."""
    padded = [*x.tolist(), *[0x77] * (-len(x) % width)]
    parts = [padded[k : k + width] for k in range(0, len(padded), width)]
    return [{"data": part, "last": k == len(parts) - 1} for k, part in enumerate(parts)]


async def send(ctx, port, transfers):
    for transfer in transfers:
        await put(ctx, port, transfer)


async def receive(ctx, dut):
    """Return (outputs, best) of the next inference."""
    values: list[int] = []
    while True:
        result: Any = await get(ctx, dut.result)
        values.append(result["value"])
        if result["last"]:
            return values, result["best"]


async def wait_for(ctx, signal, value=1):
    found = not value
    while found != value:
        *_, found = await ctx.tick().sample(signal)


def answers(network, x):
    """What the core must answer: (outputs, best) of each input."""
    result = golden.predict(network, x)
    return list(zip(result.outputs.tolist(), result.best.tolist(), strict=True))


def inputs(rng, count, width):
    return rng.integers(0, 256, (count, width), np.uint8)


def settings(lanes, **other) -> dict[str, Any]:
    width = next(w for w in (4, 3, 2, 1) if lanes % w == 0)
    return {"input_width": width, "weight_depth": 2048, **other}


@pytest.mark.parametrize(("lanes", "engines"), GEOMETRIES)
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_two_models_one_after_the_other(rng, geometry, lanes, engines, stall):
    cfg = geometry(lanes, engines, **settings(lanes))
    networks = [
        random_network(rng, [9, 2 * engines + 1, 5, 3]),
        random_network(rng, [14, 3], extreme=True, logits=False),
        random_network(rng, [1, 1, 1]),
    ]
    commands = []
    for network in networks:
        commands += [Load(pack(network, cfg)), Infer(inputs(rng, 3, network.in_features))]
    replies = AmaranthDevice(cfg, stall=stall, seed=lanes).run(commands)
    for network, load, loaded, infer, inferred in zip(
        networks, commands[::2], replies[::2], commands[1::2], replies[1::2], strict=True
    ):
        assert loaded == LoadReply(True, ErrorCode.NONE)
        assert isinstance(load, Load)
        assert isinstance(infer, Infer)
        assert isinstance(inferred, InferReply)
        expected = golden.predict(network, infer.inputs)
        assert np.array_equal(inferred.outputs, expected.outputs)
        assert np.array_equal(inferred.best, expected.best)
        if not stall:
            predicted = timing(parse(load.image), cfg)
            assert inferred.cycles.tolist() == [predicted.cycles, *[predicted.following] * 2]
            assert inferred.beats.tolist() == [predicted.beats] * 3
            assert inferred.stalls[0] == predicted.stalls


@pytest.mark.parametrize(("lanes", "engines"), [(4, 2), (3, 1)])
def test_refused_images(rng, geometry, lanes, engines):
    """After each refused image the core answers nothing; after the next good one, exactly."""
    cfg = geometry(lanes, engines, **settings(lanes))
    other = geometry(lanes, engines + 1, **settings(lanes))
    network = random_network(rng, [6, 5, 3])
    raw = pack(network, cfg)
    x = inputs(rng, 2, 6)
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 16
    bad = {
        ErrorCode.MAGIC: b"F5IC" + raw[4:],
        ErrorCode.VERSION: raw[:4] + b"\x02" + raw[5:],
        ErrorCode.GEOMETRY: pack(network, other),
        ErrorCode.CAPACITY: raw[:16] + b"\xff\xff\x01\x00" + raw[20:],
        ErrorCode.SECTION: raw[:20] + b"\x02" + raw[21:],
        ErrorCode.LENGTH: raw[: len(raw) // 8 * 4],
        ErrorCode.CHECKSUM: bytes(flipped),
    }
    commands: list[Any] = [Load(raw), Infer(x)]
    for image in bad.values():
        commands += [Load(image), Infer(x[:1]), Load(raw), Infer(x)]
    replies = AmaranthDevice(cfg).run(commands)
    expected = golden.predict(network, x)
    for index, code in enumerate(bad):
        refused, nothing, loaded, inferred = replies[2 + 4 * index : 6 + 4 * index]
        assert refused == LoadReply(False, code)
        assert isinstance(nothing, InferReply)
        assert isinstance(inferred, InferReply)
        assert len(nothing.best) == 0
        assert loaded == LoadReply(True, ErrorCode.NONE)
        assert np.array_equal(inferred.outputs, expected.outputs)


def test_inputs_of_another_length(rng, geometry):
    """They are dropped with INPUT_LENGTH; those before and after them are exact."""
    cfg = geometry(4, 2, input_width=4)
    network = random_network(rng, [10, 6, 3])
    x = inputs(rng, 5, 10)
    wrong = [4, 8, 13, 16, 40]
    dut = Core(cfg)
    seen, codes = [], []

    async def drive(ctx):
        await send(ctx, dut.load, words_of(pack(network, cfg)))
        await wait_for(ctx, dut.status.loaded)
        for size, row in zip(wrong, x, strict=True):
            await send(ctx, dut.input, transfers_of(row, 4))
            await send(ctx, dut.input, transfers_of(inputs(rng, 1, size)[0], 4))
            await ctx.tick()
            codes.append(ctx.get(dut.status.error))
        await send(ctx, dut.load, words_of(pack(network, cfg)))
        await wait_for(ctx, dut.status.loaded)
        codes.append(ctx.get(dut.status.error))

    async def read(ctx):
        for _ in wrong:
            seen.append(await receive(ctx, dut))

    simulate(dut, [drive, read], checkers=[keeps_promise(dut.result)])
    assert seen == answers(network, x)
    assert codes == [ErrorCode.INPUT_LENGTH] * len(wrong) + [ErrorCode.NONE]


def answers_across_images(cfg, old, new, count, feed):
    """Return ``count`` answers of a core to what ``feed(ctx, dut, offer)`` sends.

    ``old`` is loaded when it begins; with ``offer()`` the image of ``new`` is offered from then on.
    """
    dut = Core(cfg)
    seen: list[Any] = []
    offered = False

    def offer():
        nonlocal offered
        offered = True

    async def drive(ctx):
        await wait_for(ctx, dut.status.loaded)
        await feed(ctx, dut, offer)

    async def load(ctx):
        await send(ctx, dut.load, words_of(pack(old, cfg)))
        while not offered:
            await ctx.tick()
        await send(ctx, dut.load, words_of(pack(new, cfg)))

    async def read(ctx):
        for _ in range(count):
            seen.append(await receive(ctx, dut))

    simulate(dut, [drive, load, read], checkers=[keeps_promise(dut.result)])
    return seen


def test_a_new_image_waits_for_the_inputs_before_it(rng, geometry):
    """Inputs queue for the old model while the new image is offered: each gets its own model."""
    cfg = geometry(4, 2)
    old, new = random_network(rng, [9, 30, 4]), random_network(rng, [9, 5, 4])
    x = inputs(rng, 6, 9)

    async def feed(ctx, dut, offer):
        for index, row in enumerate(x):
            transfers = transfers_of(row, 1)
            await put(ctx, dut.input, transfers[0])
            if index == 2:
                offer()
            await send(ctx, dut.input, transfers[1:])

    seen = answers_across_images(cfg, old, new, len(x), feed)
    assert seen == answers(old, x[:3]) + answers(new, x[3:])


def test_an_image_and_an_input_in_the_same_clock(rng, geometry):
    """Both are offered to an idle core: the input is for the old model, and the image waits."""
    cfg = geometry(4, 2)
    old, new = random_network(rng, [9, 30, 4]), random_network(rng, [9, 5, 4])
    x = inputs(rng, 2, 9)

    async def feed(ctx, dut, offer):
        for _ in range(10):
            await ctx.tick()
        offer()
        for row in x:
            await send(ctx, dut.input, transfers_of(row, 1))

    seen = answers_across_images(cfg, old, new, len(x), feed)
    assert seen == answers(old, x[:1]) + answers(new, x[1:])


def test_takes_the_next_input_while_one_runs(rng, geometry):
    cfg = geometry(4, 2)
    network = random_network(rng, [5, 60, 3])
    x = inputs(rng, 3, 5)
    dut = Core(cfg)
    seen: list[Any] = []

    async def drive(ctx):
        await send(ctx, dut.load, words_of(pack(network, cfg)))
        await wait_for(ctx, dut.status.loaded)
        await send(ctx, dut.input, transfers_of(x[0], 1))
        await send(ctx, dut.input, transfers_of(x[1], 1))
        await send(ctx, dut.input, transfers_of(x[2], 1))
        assert not seen, "all three were taken before the first result"
        assert ctx.get(dut.status.busy)
        for _ in x:
            seen.append(await receive(ctx, dut))
        await ctx.tick()
        assert ctx.get(dut.status.idle)

    simulate(dut, [drive])
    assert seen == answers(network, x)


@pytest.mark.parametrize(("lanes", "engines"), [(4, 1), (5, 8)])
def test_a_reader_that_sleeps(rng, geometry, lanes, engines):
    """More outputs than the result queue holds; nothing is taken for a long time, then all."""
    cfg = geometry(lanes, engines, input_width=1, row_depth=400, basis_depth=400, weight_depth=400)
    count = Core.result_depth(cfg) + 40
    network = random_network(rng, [3, count])
    x = inputs(rng, 3, 3)
    dut = Core(cfg)
    seen: list[Any] = []

    async def feed(ctx):
        await send(ctx, dut.load, words_of(pack(network, cfg)))
        await wait_for(ctx, dut.status.loaded)
        for row in x:
            await send(ctx, dut.input, transfers_of(row, 1))

    async def read(ctx):
        await wait_for(ctx, dut.result.valid)
        for _ in range(3000):
            await ctx.tick()
        assert ctx.get(dut.status.busy)
        for _ in x:
            seen.append(await receive(ctx, dut))
            for _ in range(500):
                await ctx.tick()

    simulate(dut, [feed, read], checkers=[keeps_promise(dut.result)])
    assert seen == answers(network, x)


def test_takes_no_input_without_a_network(rng, geometry):
    cfg = geometry(4, 2)
    network = random_network(rng, [4, 2])
    x = inputs(rng, 1, 4)
    dut = Core(cfg)
    seen: list[Any] = []

    async def feed(ctx):
        await send(ctx, dut.input, transfers_of(x[0], 1))

    async def drive(ctx):
        for _ in range(50):
            *_, ready, busy, idle = await ctx.tick().sample(
                dut.input.ready, dut.status.busy, dut.status.idle
            )
            assert (ready, busy, idle) == (0, 0, 1)
        await send(ctx, dut.load, words_of(pack(network, cfg)))
        seen.append(await receive(ctx, dut))

    simulate(dut, [feed, drive])
    assert seen == answers(network, x)


def test_interval_and_latency(rng, geometry):
    """``timing`` says when the last result comes, and how long after the one before."""
    cfg = geometry(4, 2, input_width=2)
    dut = Core(cfg)
    cases = [random_network(rng, widths) for widths in ([20, 9, 4], [40, 1], [3, 1, 2])]
    seen: list[tuple[int, int]] = []

    async def drive(ctx):
        ctx.set(dut.result.ready, 1)
        for network in cases:
            await send(ctx, dut.load, words_of(pack(network, cfg)))
            await wait_for(ctx, dut.status.loaded)
            await ctx.tick().repeat(64)  # decoders have what they need for the first layer
            transfers = transfers_of(inputs(rng, 1, network.in_features)[0], 2)
            clock, sent, ends = 0, 0, []
            while len(ends) < 4:
                ctx.set(dut.input.payload, transfers[sent % len(transfers)])
                ctx.set(dut.input.valid, sent < 4 * len(transfers))
                *_, ready, valid, last = await ctx.tick().sample(
                    dut.input.ready & dut.input.valid, dut.result.valid, dut.result.payload.last
                )
                sent += ready
                clock += 1
                ends += [clock] if valid and last else []
            ctx.set(dut.input.valid, 0)
            seen.append((ends[0], ends[3] - ends[2]))

    simulate(dut, [drive])
    predicted = [timing(parse(pack(network, cfg)), cfg) for network in cases]
    assert seen == [(x.latency, x.interval) for x in predicted]


def test_extremes(rng, geometry):
    """Largest sums, coefficients at both ends, every rounding shift, and 16 layers of them."""
    cfg = geometry(4, 2, basis_depth=200, row_depth=100)

    def layer(index, columns, rows, shift, value, bias, **other):
        codes = np.full((1, rows, columns), 15, np.uint8)
        codes[:, 1::2] = 5
        basis = np.tile(np.array([value, -1, value, 0], np.int32), (1, 1, 1))
        return IntegerLayer(
            f"layer{index}", codes, basis, np.full(rows, bias, np.int64), shift, **other
        )

    layers = []
    for index in range(15):
        value, bias = ((32767, -(2**31)), (-32768, 2**31 - 1))[index % 2]
        layers.append(layer(index, 9 if index == 0 else 5, 5, 20 + index, value, bias))
    layers.append(layer(15, 5, 4, 35, 32767, 2**31 - 1, low=9, high=9))
    network = Network(tuple(layers), InputQuant(np.ones(1), np.zeros(1)))
    x = np.concatenate(
        [np.full((1, 9), 255, np.uint8), np.zeros((1, 9), np.uint8), inputs(rng, 3, 9)]
    )
    result = AmaranthDevice(cfg).predict(pack(network, cfg), x)
    expected = golden.predict(network, x)
    assert np.array_equal(result.outputs, expected.outputs)
    assert result.best.tolist() == expected.best.tolist() == [0] * 5


def test_result_queue_is_a_power_of_two_and_wide_enough(geometry):
    for lanes in (1, 4, 64, 512):
        for engines in (1, 2, 8, 32):
            cfg = geometry(lanes, engines)
            depth = Core.result_depth(cfg)
            assert depth & depth - 1 == 0
            assert depth >= Core.row_latency(cfg) + 2 * engines
