# SPDX-License-Identifier: Apache-2.0
"""Cores with layers in every format: RTL equals golden and ``timing``; malformed weight words."""

import itertools
import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Module

from fantastic4 import golden
from fantastic4 import pack as packing
from fantastic4.config import CoreConfig
from fantastic4.errors import ImageError
from fantastic4.image import build, parse
from fantastic4.layout import ErrorCode, Format
from fantastic4.pack import encode_layers, pack, params_of, unpack
from fantastic4.randomnet import random_network
from fantastic4.selection import candidates, formats_of
from fantastic4_hw.core import Core
from fantastic4_hw.decoder.select import PALETTE_FORMATS
from fantastic4_hw.ports import StreamCore
from fantastic4_sim.bench import simulate
from fantastic4_sim.commands import Infer, InferReply, Load, LoadReply
from fantastic4_sim.device import AmaranthDevice, open_device
from fantastic4_sim.streams import get, keeps_promise, put
from fantastic4_sim.toolchain import missing_tools

compiled = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
]

CORES = {
    "four_by_two": CoreConfig("four_by_two", 4, 2, 4096, 512, 512, 80, 80, 1, 4),
    "lanes16": CoreConfig("lanes16", 16, 3, 16384, 2048, 4096, 72, 72, 4),
    "lanes64": CoreConfig("lanes64", 64, 2, 8192, 2048, 2048, 20, 20, 4),
}

FORCED = [*Format, None]

DENSITIES = (0.02, 0.08, 0.2, 0.5, 0.9)

NAMES = {Format.TERNARY: (3, 2, 1), Format.TERNARY5: (2, 1)}
"""Numbers of non-zero values that formats can express, unless any."""


def some_network(rng, kind, widths, **other):
    """Sparse and less sparse layers, of few and of many codes."""
    names = rng.permutation(NAMES.get(kind, (1, 2, 3, 7, 15))).tolist()
    density = rng.permutation(DENSITIES).tolist()
    return random_network(rng, widths, density=density, names=names, **other)


def mixed(rng, monkeypatch, network, cfg):
    """Return an image whose layers are in formats drawn at random."""

    def draw(beats, cfg, name, forced):
        found = candidates(beats, formats_of(cfg))
        return found[rng.integers(len(found))]

    with monkeypatch.context() as patch:
        patch.setattr(packing, "select", draw)
        return pack(network, cfg)


@pytest.mark.parametrize("kind", FORCED, ids=lambda kind: kind.name if kind else "automatic")
def test_a_small_core(check, rng, kind):
    cfg = CORES["four_by_two"]
    network = some_network(rng, kind, [30, 12, 9, 3])
    device = open_device(cfg, engine="amaranth")
    image = pack(network, cfg, kind)
    assert kind is None or {record["format"] for record in parse(image).layers} == {kind}
    check(device, network, image, rng.integers(0, 256, (3, 30), np.uint8))


@pytest.mark.parametrize("name", [pytest.param(name, marks=compiled) for name in CORES])
def test_every_format(check, rng, monkeypatch, name):
    """Each one for all layers, the smallest for each layer, and any for each layer."""
    cfg = CORES[name]
    device = open_device(cfg, engine="verilator", seed=1, jobs=1)
    mixes = []
    for kind in FORCED:
        for widths in ([200, 90, 40, 10], [5, 130, 7], [300, 20, 20, 20, 4]):
            network = some_network(rng, kind, widths)
            image = pack(network, cfg, kind)
            check(device, network, image, rng.integers(0, 256, (3, widths[0]), np.uint8))
            if kind is None:
                mixes.append({record["format"] for record in parse(image).layers})
    assert len(set.union(*mixes)) > 1
    assert any(len(kinds) > 1 for kinds in mixes)
    for _ in range(6):
        network = some_network(rng, None, [100, 50, 30, 20, 10, 5])
        image = mixed(rng, monkeypatch, network, cfg)
        assert len({record["format"] for record in parse(image).layers}) > 1
        check(device, network, image, rng.integers(0, 256, (3, 100), np.uint8))


def test_formats_a_core_does_not_have(check, rng):
    """An image for it does without them, and runs."""
    cfg = replace(CORES["four_by_two"], name="few", formats=("dense", "csr"))
    network = some_network(rng, None, [20, 12, 3])
    image = pack(network, cfg)
    assert {record["format"] for record in parse(image).layers} <= {Format.DENSE, Format.CSR}
    check(
        open_device(cfg, engine="amaranth"), network, image, rng.integers(0, 256, (2, 20), np.uint8)
    )


def damage(image, change, banks, rng, cfg):
    """Return ``image`` with the words of some banks changed, under a right checksum."""
    weights = [words.copy() for words in image.weights]
    how = {
        "truncated": lambda words: words[:-1],
        "one word": lambda words: words[:1],
        "a word lost": lambda words: np.delete(words, len(words) // 2),
        "extra": lambda words: np.append(words, np.uint32(1)),
        "a word twice": lambda words: np.insert(words, len(words) // 2, words[len(words) // 2]),
        "garbage": lambda words: rng.integers(0, 1 << cfg.word_width, len(words)).astype(np.uint32),
    }[change]
    for bank in banks:
        weights[bank] = how(weights[bank])
    return build(replace(image, weights=weights))


LENGTHS = ["truncated", "one word", "a word lost", "extra", "a word twice"]


@pytest.mark.parametrize("change", [*LENGTHS, "garbage"])
@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
def test_malformed_words(rng, kind, change):
    """Software says where; hardware answers every input, says WEIGHTS, and recovers."""
    cfg = replace(CORES["four_by_two"], formats=(kind.name.lower(),))
    network = some_network(rng, kind, [16, 7, 5])
    raw = pack(network, cfg, kind)
    x = rng.integers(0, 256, (2, 16), np.uint8)
    # Of banks in lock step the loader takes only what has as many words for each.
    banks = range(len(parse(raw).weights)) if cfg.lock_step else [int(rng.integers(2))]
    bad = damage(parse(raw), change, banks, rng, cfg)
    fixed = kind in (Format.DENSE, Format.TERNARY)
    told = change != "garbage"
    if told or not fixed:
        message = r"at layer \d: (row \d+, word \d+ of bank \d|bank \d: \d+ words behind the last)"
        with pytest.raises(ImageError, match=message) as error:
            unpack(parse(bad))
        # What a word is may depend on those before it: then the others may still be as many as
        # the layers take, and hardware, which does not look at padding, has nothing to tell.
        told &= not re.search("is not zero|empty", str(error.value))

    commands = [*(Load(bad), Infer(x[:1]), Infer(x[:1]), Infer(x)), *(Load(raw), Infer(x))]
    for stall in (0.0, 0.3):
        replies = AmaranthDevice(cfg, stall=stall, seed=3).run(commands)
        loaded, *inferred = replies[:4]
        assert isinstance(loaded, LoadReply)
        assert loaded.loaded, "the decoders may have found something wrong by now"
        for reply, count in zip(inferred, (1, 1, 2), strict=True):
            assert isinstance(reply, InferReply)
            assert reply.outputs.shape == (count, 5)
        if told:
            assert [reply.error for reply in inferred[1:]] == [ErrorCode.WEIGHTS] * 2
        assert replies[4] == LoadReply(True, ErrorCode.NONE)
        again = replies[5]
        assert isinstance(again, InferReply)
        assert again.error == ErrorCode.NONE
        assert np.array_equal(again.outputs, golden.predict(network, x).outputs)


@pytest.mark.parametrize("change", LENGTHS)
@pytest.mark.parametrize("kind", [Format.DENSE, Format.TERNARY], ids=lambda kind: kind.name)
def test_uneven_banks(rng, kind, change):
    """A core whose banks are in lock step refuses them, whichever bank it is, and recovers."""
    cfg = replace(CORES["four_by_two"], formats=(kind.name.lower(),))
    network = some_network(rng, kind, [16, 7, 5])
    raw = pack(network, cfg, kind)
    bad = [damage(parse(raw), change, [bank], rng, cfg) for bank in (0, 1)]
    x = rng.integers(0, 256, (2, 16), np.uint8)
    commands = [*map(Load, bad), Load(raw), Infer(x)]
    *refused, loaded, inferred = AmaranthDevice(cfg).run(commands)
    assert refused == [LoadReply(False, ErrorCode.WEIGHTS)] * 2
    assert loaded == LoadReply(True, ErrorCode.NONE)
    assert isinstance(inferred, InferReply)
    assert np.array_equal(inferred.outputs, golden.predict(network, x).outputs)


@pytest.mark.parametrize("kind", PALETTE_FORMATS, ids=lambda kind: kind.name)
def test_a_name_outside_the_palette(rng, kind):
    """Software names it; hardware says WEIGHTS after the layer, and recovers."""
    cfg = replace(CORES["four_by_two"], formats=(kind.name.lower(),))
    network = random_network(rng, [16, 7, 5], density=0.4, names=NAMES.get(kind, (5,))[:1])
    raw = pack(network, cfg, kind)
    image = parse(raw)
    layers = [dict(record) for record in image.layers]
    palette = params_of(layers[1]).palette
    rarest = max(code for code in palette if code)  # they may repeat
    for entry in (n for n, code in enumerate(palette) if code == rarest):
        layers[1]["palette"] &= ~(0xF << 4 * entry)
    bad = build(replace(image, layers=layers))
    with pytest.raises(ImageError, match=r"at layer 1: row \d, word \d+ of bank \d: .* palette"):
        unpack(parse(bad))
    x = rng.integers(0, 256, (2, 16), np.uint8)
    commands = [Load(bad), Infer(x[:1]), Infer(x), Load(raw), Infer(x)]
    *_, reported, reloaded, again = AmaranthDevice(cfg, stall=0.2, seed=5).run(commands)
    assert isinstance(reported, InferReply)
    assert reported.error == ErrorCode.WEIGHTS
    assert reloaded == LoadReply(True, ErrorCode.NONE)
    assert isinstance(again, InferReply)
    assert again.error == ErrorCode.NONE
    assert np.array_equal(again.outputs, golden.predict(network, x).outputs)


class Outside:
    """Weight words that come from outside, round and round, pausing at random.

    They begin anew with each image: what feeds a core knows when it loads one.
    """

    def __init__(self, dut, gap):
        self.dut, self.gap = dut, gap
        self.banks: list[list[int]] = []

    def feed(self, index):
        dice = random.Random(f"outside {index}")
        port = self.dut.weights[index]

        async def feed_checker(ctx):
            at, offered = 0, False
            while True:
                if not offered and self.banks and dice.random() >= self.gap:
                    bank = self.banks[index]
                    ctx.set(
                        port.payload, {"data": bank[at % len(bank)], "first": at % len(bank) == 0}
                    )
                    ctx.set(port.valid, 1)
                    offered = True
                *_, ready, loaded = await ctx.tick().sample(port.ready, self.dut.status.loaded)
                if offered and ready:
                    at, offered = at + 1, False
                if not loaded:
                    at, offered = 0, False
                if not offered:
                    ctx.set(port.valid, 0)

        return feed_checker


class ByPorts(Core):
    """A core as the ports of ``StreamCore`` show it."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.ports = ports = StreamCore(self.cfg)
        m.d.comb += [
            ports.s_axis_load_tdata.eq(self.load.payload.data),
            ports.s_axis_load_tlast.eq(self.load.payload.last),
            ports.s_axis_load_tvalid.eq(self.load.valid),
            self.load.ready.eq(ports.s_axis_load_tready),
            ports.s_axis_input_tdata.eq(self.input.payload.data.as_value()),
            ports.s_axis_input_tlast.eq(self.input.payload.last),
            ports.s_axis_input_tvalid.eq(self.input.valid),
            self.input.ready.eq(ports.s_axis_input_tready),
            self.result.payload.value.eq(ports.m_axis_result_tdata),
            self.result.payload.last.eq(ports.m_axis_result_tlast),
            self.result.valid.eq(ports.m_axis_result_tvalid),
            ports.m_axis_result_tready.eq(self.result.ready),
            ports.s_axis_weights_tdata.eq(Cat(words.payload.data for words in self.weights)),
            ports.s_axis_weights_tuser.eq(Cat(words.payload.first for words in self.weights)),
            ports.s_axis_weights_tvalid.eq(Cat(words.valid for words in self.weights)),
            Cat(words.ready for words in self.weights).eq(ports.s_axis_weights_tready),
            self.status.loaded.eq(ports.status_loaded),
            self.status.error.eq(ports.status_error),
            self.perf.stalls.eq(ports.perf_stalls),
        ]
        return m


@pytest.mark.parametrize("gap", [0.0, 0.3, 0.8])
@pytest.mark.parametrize(
    ("lanes", "engines", "bank_lanes", "cores", "core"),
    [(4, 2, 4, 1, Core), (16, 1, 8, 1, Core), (4, 2, 4, 1, ByPorts), (4, 1, 4, 2, ByPorts)],
)
def test_external_weights(rng, geometry, monkeypatch, lanes, engines, bank_lanes, cores, core, gap):
    """Two images, several inferences each, from streams that stall: outputs equal golden."""
    settings = {"bank_lanes": bank_lanes, "external_weights": True, "row_depth": 128}
    cfg = geometry(lanes, engines, cores=cores, **settings)
    dut = core(cfg)
    outside = Outside(dut, gap)
    cases, seen = [], []
    for widths in ([30, 12, 9, 3], [9, 4]):
        network = some_network(rng, None, widths)
        raw = mixed(rng, monkeypatch, network, cfg)
        banks = words_as_packed(network, cfg, parse(raw))
        x = rng.integers(0, 256, (4, widths[0]), np.uint8)
        assert parse(raw).weights == []
        assert np.array_equal(
            golden.predict(unpack(parse(raw), weights=banks), x).outputs,
            golden.predict(network, x).outputs,
        )
        cases.append((network, raw, banks, x))

    async def drive(ctx):
        for _, raw, banks, x in cases:
            words = np.frombuffer(raw, "<u4").tolist()
            for at, word in enumerate(words):
                await put(ctx, dut.load, {"data": word, "last": at == len(words) - 1})
                outside.banks = []  # by now, all inferences before have finished
            outside.banks = [bank.tolist() for bank in banks]
            for row in x:
                for at, value in enumerate(row.tolist()):
                    await put(ctx, dut.input, {"data": [value], "last": at == len(row) - 1})

    async def read(ctx):
        stalls = 0
        for _, _, _, x in cases:
            for _ in x:
                values: list[int] = []
                last = 0
                while not last:
                    result: Any = await get(ctx, dut.result)
                    values.append(result["value"])
                    last = result["last"]
                seen.append(values)
                stalls += ctx.get(dut.perf.stalls)
        await ctx.tick()
        assert ctx.get(dut.status.error) == ErrorCode.NONE
        assert gap == 0 or stalls > 0

    feeds = [outside.feed(index) for index in range(len(dut.weights))]
    simulate(dut, [drive, read], checkers=[keeps_promise(dut.result), *feeds])
    expected = [golden.predict(network, x).outputs.tolist() for network, _, _, x in cases]
    assert seen == list(itertools.chain(*expected))


def words_as_packed(network, cfg, image):
    """Return the words of each bank for the formats that an image names."""
    parts = []
    for index, record in enumerate(image.layers):
        alone = replace(network, layers=(replace(network.layers[index], logits=False),))
        parts.append(encode_layers(alone, cfg, Format(record["format"]))[1])
    return [np.concatenate(words) for words in zip(*parts, strict=True)]
