# SPDX-License-Identifier: Apache-2.0
"""The devices on the real core."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import PAPER, TINY
from fantastic4.image import parse
from fantastic4.layout import ErrorCode
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4.timing import timing
from fantastic4_hw.slice import SLICE
from fantastic4_sim import models
from fantastic4_sim.commands import Infer, InferReply, Load, LoadReply
from fantastic4_sim.device import open_device

ENGINES = ["amaranth", "verilator"]
LOADED = LoadReply(True, ErrorCode.NONE)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_equals_golden(rng, models_dir, engine, stall):
    network = random_network(rng, [19, 13, 6])
    x = rng.integers(0, 256, (5 if engine == "amaranth" else 300, 19), np.uint8)
    told: list[int] = []
    device = open_device(TINY, engine, build_dir=models_dir, stall=stall, seed=3)
    result = device.predict(pack(network, TINY), x, told.append)
    expected = golden.predict(network, x)
    assert np.array_equal(result.outputs, expected.outputs)
    assert np.array_equal(result.best, expected.best)
    assert told[-1] == len(x)
    assert result.engine == engine
    assert (result.cycles >= result.beats).all()
    assert (result.beats > 0).all()


def test_engines_agree_on_every_cycle(rng, models_dir):
    network = random_network(rng, [9, 4])
    x = rng.integers(0, 256, (4, 9), np.uint8)
    slow, fast = (
        open_device(TINY, engine, build_dir=models_dir).predict(pack(network, TINY), x)
        for engine in ENGINES
    )
    assert np.array_equal(slow.cycles, fast.cycles)
    assert np.array_equal(slow.beats, fast.beats)
    assert slow.total_cycles == fast.total_cycles


@pytest.mark.slow
def test_slices_compiled_by_themselves(rng, models_dir, monkeypatch):
    """As is done for thousands of lanes: Verilator compiles one slice, and four use it."""
    cfg = replace(TINY, name="hierarchical", engines=1, cores=4, formats=("dense", "bitmask"))
    assert models.blocks_of(cfg) == models.blocks_of(TINY) == ()
    assert models.blocks_of(PAPER) == (SLICE,)
    monkeypatch.setattr(models, "LARGE", 0)
    network = random_network(rng, [9, 13, 6])
    image = pack(network, cfg)
    x = rng.integers(0, 256, (4, 9), np.uint8)
    expected, predicted = golden.predict(network, x), timing(parse(image), cfg)
    for stall in (0.0, 0.5):
        device = open_device(cfg, "verilator", build_dir=models_dir, stall=stall, jobs=1)
        result = device.predict(image, x)
        assert np.array_equal(result.outputs, expected.outputs)
        assert np.array_equal(result.best, expected.best)
        if not stall:
            assert result.cycles.tolist() == [predicted.cycles, *[predicted.following] * 3]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_images_in_a_row(rng, models_dir, engine, stall):
    networks = [random_network(rng, widths) for widths in ([7, 5, 3], [10, 2])]
    images = [pack(network, TINY) for network in networks]
    inputs = [rng.integers(0, 256, (2, x.in_features), np.uint8) for x in networks]
    damaged = bytearray(images[0])
    damaged[len(damaged) // 2] ^= 4
    commands = [
        *(Load(images[0]), Infer(inputs[0])),
        *(Load(images[1]), Infer(inputs[1])),
        Load(bytes(damaged)),
        *(Load(images[0]), Infer(inputs[0])),
    ]
    device = open_device(TINY, engine, build_dir=models_dir, stall=stall)
    replies = device.run(commands)
    assert [replies[index] for index in (0, 2, 5)] == [LOADED] * 3
    refused = replies[4]
    assert isinstance(refused, LoadReply)
    assert not refused.loaded
    assert refused.error != ErrorCode.NONE
    for index, which in ((1, 0), (3, 1), (6, 0)):
        reply = replies[index]
        assert isinstance(reply, InferReply)
        expected = golden.predict(networks[which], inputs[which])
        assert np.array_equal(reply.outputs, expected.outputs)
        assert np.array_equal(reply.best, expected.best)
