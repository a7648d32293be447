# SPDX-License-Identifier: Apache-2.0
"""Several cores in lock step: RTL equals golden, and ``timing``, exactly."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import CoreConfig
from fantastic4.errors import PackError
from fantastic4.image import build, parse
from fantastic4.layout import ErrorCode
from fantastic4.network import InputQuant, Network
from fantastic4.pack import encode_layers, pack
from fantastic4.randomnet import random_layer, random_network
from fantastic4.selection import formats_of
from fantastic4.timing import result_depth, timing
from fantastic4_hw.core import Core
from fantastic4_sim.bench import simulate
from fantastic4_sim.commands import Infer, InferReply, Load, LoadReply
from fantastic4_sim.device import AmaranthDevice, open_device
from fantastic4_sim.streams import get, put
from fantastic4_sim.toolchain import missing_tools

compiled = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
]


def several(lanes, engines, cores, **other):
    depths = {"weight_depth": 4096, "row_depth": 512, "basis_depth": 2048}
    chunks = {"input_chunks": 1100 // lanes + 1, "hidden_chunks": 1100 // lanes + 1}
    settings = {**depths, **chunks, "input_width": 1, "bank_lanes": 4, "cores": cores, **other}
    return CoreConfig(f"{lanes}x{engines}x{cores}", lanes, engines, **settings)


TWO, FOUR = several(4, 2, 2), several(4, 2, 4)
EIGHT = several(8, 1, 8, bank_lanes=8, formats=("dense", "bitmask2", "csr"))


def one_layer(rng, columns, rows, **other):
    layer = random_layer(rng, columns, rows, **other)
    return Network((layer,), InputQuant(np.ones(1), np.zeros(1)))


def inputs(rng, count, width):
    return rng.integers(0, 256, (count, width), np.uint8)


@pytest.mark.parametrize(
    "cfg",
    [TWO, replace(FOUR, formats=("dense", "bitmask")), EIGHT],
    ids=lambda cfg: cfg.name,
)
def test_small_networks(check, rng, cfg):
    """Hidden layers of more than a row group and of fewer rows than cores; 8-bit weights."""
    rows = cfg.group_rows
    layers = [
        random_layer(rng, 9, rows + 1, per_row=True, name="a"),
        random_layer(rng, rows + 1, 1, planes=2, name="b"),
        random_layer(rng, 1, rows - 1, planes=2, per_row=True, logits=True, name="c"),
    ]
    network = Network(tuple(layers), InputQuant(np.ones(1), np.zeros(1)))
    device = open_device(cfg, "amaranth", seed=3)
    check(device, network, pack(network, cfg), inputs(rng, 2, 9))


@pytest.mark.parametrize("cfg", [pytest.param(x, marks=compiled, id=x.name) for x in (FOUR, EIGHT)])
def test_networks(check, rng, cfg):
    """Random networks of up to 1,100 inputs and outputs, several tiles wide, in all formats."""
    device = open_device(cfg, "verilator", seed=1, jobs=1)
    cases = 0
    while cases < 8:
        widths = np.exp(rng.uniform(0, np.log(1101), int(rng.integers(2, 7)))).astype(int).tolist()
        logits, extreme = bool(rng.random() < 0.7), bool(rng.random() < 0.3)
        forced = [None, *formats_of(cfg)][int(rng.integers(1 + len(cfg.formats)))]
        network = random_network(rng, widths, extreme=extreme, logits=logits)
        with suppress(PackError):
            image = pack(network, cfg, forced)
            check(device, network, image, inputs(rng, 2, network.in_features))
            cases += 1
    # More results than the queue holds; inferences that wait for the results before them.
    places = result_depth(cfg)
    for rows in (places * cfg.cores - 1, places * cfg.cores + 1, 2 * places * cfg.cores + 3):
        for planes, columns in ((1, 3), (2, 9)):
            network = one_layer(rng, columns, rows, planes=planes, logits=True)
            check(device, network, pack(network, cfg), inputs(rng, 2, columns))


def test_latency_and_interval(rng):
    """``timing`` says when the last result comes, and how long after the one before."""
    cfg = FOUR
    dut = Core(cfg)
    cases = [random_network(rng, widths) for widths in ([20, 9, 4], [3, 70])]
    seen: list[tuple[int, int]] = []

    async def drive(ctx):
        ctx.set(dut.result.ready, 1)
        for network in cases:
            raw = np.frombuffer(pack(network, cfg), "<u4").tolist()
            for at, word in enumerate(raw):
                await put(ctx, dut.load, {"data": word, "last": at == len(raw) - 1})
            await ctx.tick().repeat(64)
            frame = inputs(rng, 1, network.in_features)[0].tolist()
            clock, sent, ends = 0, 0, []
            while len(ends) < 4:
                at = sent % len(frame)
                payload = {"data": [frame[at]], "last": at == len(frame) - 1}
                ctx.set(dut.input.payload, payload)
                ctx.set(dut.input.valid, sent < 4 * len(frame))
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


def test_a_reader_that_sleeps(rng):
    """More results than the queue holds; none is taken for a long time, then all."""
    cfg = TWO
    count = cfg.cores * result_depth(cfg) + 40
    network = one_layer(rng, 3, count, logits=True)
    x = inputs(rng, 2, 3)
    dut = Core(cfg)
    seen: list[list[int]] = []

    async def feed(ctx):
        raw = np.frombuffer(pack(network, cfg), "<u4").tolist()
        for at, word in enumerate(raw):
            await put(ctx, dut.load, {"data": word, "last": at == len(raw) - 1})
        for row in x.tolist():
            for at, value in enumerate(row):
                await put(ctx, dut.input, {"data": [value], "last": at == 2})

    async def read(ctx):
        valid = 0
        while not valid:
            *_, valid = await ctx.tick().sample(dut.result.valid)
        await ctx.tick().repeat(600)
        for _ in x:
            values: list[int] = []
            best = last = 0
            while not last:
                result = await get(ctx, dut.result)
                values.append(result["value"])
                best, last = result["best"], result["last"]
            seen.append([*values, best])
            await ctx.tick().repeat(300)

    simulate(dut, [feed, read])
    expected = golden.predict(network, x)
    answers = np.column_stack([expected.outputs, expected.best])
    assert seen == answers.tolist()


def test_an_image_for_one_core_is_refused(rng):
    """As is one whose sections of a core are out of order; the next image runs."""
    network = random_network(rng, [5, 6, 3])
    raw = pack(network, TWO)
    one = pack(network, several(4, 4, 1))
    image = parse(raw)
    half = image.bias.reshape(2, -1)
    swapped = build(image).replace(
        (3 | half.shape[1] << 16).to_bytes(4, "little"),
        (3 | 1 << 4 | half.shape[1] << 16).to_bytes(4, "little"),
        1,
    )
    x = inputs(rng, 2, 5)
    commands = [Load(one), Load(swapped), Load(raw), Infer(x)]
    replies = AmaranthDevice(TWO).run(commands)
    assert replies[0] == LoadReply(False, ErrorCode.GEOMETRY)
    assert replies[1] == LoadReply(False, ErrorCode.SECTION)
    assert replies[2] == LoadReply(True, ErrorCode.NONE)
    inferred = replies[3]
    assert isinstance(inferred, InferReply)
    assert np.array_equal(inferred.outputs, golden.predict(network, x).outputs)


@pytest.mark.parametrize("bank", [0, -1])
def test_a_fault_in_any_core_is_told(rng, bank):
    """A bank of the first core, and one of the last, has a word too few."""
    cfg = replace(TWO, formats=("dense",))
    network = random_network(rng, [9, 7, 5])
    image = parse(pack(network, cfg))
    weights = list(image.weights)
    weights[bank] = weights[bank][:-1]
    bad = build(replace(image, weights=weights))
    x = inputs(rng, 2, 9)
    commands = [Load(bad), Infer(x), Infer(x), Load(build(image)), Infer(x)]
    *_, reported, reloaded, again = AmaranthDevice(cfg).run(commands)
    assert isinstance(reported, InferReply)
    assert reported.error == ErrorCode.WEIGHTS
    assert reloaded == LoadReply(True, ErrorCode.NONE)
    assert isinstance(again, InferReply)
    assert np.array_equal(again.outputs, golden.predict(network, x).outputs)


@pytest.mark.parametrize("late", [0, 1])
def test_an_inference_begins_when_every_core_has_weights(rng, late):
    """The words of one core come 100 clocks late: none of them counts."""
    cfg = several(4, 1, 2, external_weights=True, formats=("dense",))
    network = one_layer(rng, 4, 2, logits=True)
    raw = pack(network, cfg)
    words = [bank.tolist() for bank in encode_layers(network, cfg)[1]]
    assert [len(bank) for bank in words] == [1, 1]
    x = inputs(rng, 1, 4)
    dut = Core(cfg)
    seen: list[int] = []

    async def drive(ctx):
        image = np.frombuffer(raw, "<u4").tolist()
        for at, word in enumerate(image):
            await put(ctx, dut.load, {"data": word, "last": at == len(image) - 1})
        for number, bank in enumerate(words):
            ctx.set(dut.weights[number].payload, {"data": bank[0], "first": 1})
        ctx.set(dut.weights[1 - late].valid, 1)
        for at, value in enumerate(x[0].tolist()):
            await put(ctx, dut.input, {"data": [value], "last": at == 3})
        await ctx.tick().repeat(100)
        ctx.set(dut.weights[late].valid, 1)
        for _ in range(2):
            result = await get(ctx, dut.result)
            seen.append(result["value"])
        seen.append(ctx.get(dut.perf.cycles))

    simulate(dut, [drive])
    cycles = timing(parse(raw), cfg).cycles
    assert seen == [*golden.predict(network, x).outputs[0].tolist(), cycles]
