# SPDX-License-Identifier: Apache-2.0
"""Seeded random networks on several geometries: RTL equals golden, and ``timing``, exactly."""

from contextlib import suppress

import numpy as np
import pytest

from fantastic4.config import TINY, CoreConfig, formats_for
from fantastic4.errors import PackError
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4_sim.device import open_device
from fantastic4_sim.toolchain import missing_tools

compiled = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
]

SMALL_ONES = {
    cfg.name: cfg
    for cfg in (
        TINY,
        CoreConfig("one_lane", 1, 1, 4096, 256, 256, 64, 64, 1, 1, formats_for(1)),
        CoreConfig("five_by_three", 5, 3, 2048, 256, 512, 32, 32, 5, 5, formats_for(5)),
        CoreConfig("four_by_eight", 4, 8, 1024, 256, 512, 32, 32, 2, 4),
        CoreConfig("six_in_banks_of_two", 6, 2, 1024, 256, 512, 32, 32, 1, 2, formats_for(2)),
    )
}

BIG_ONES = {
    cfg.name: cfg
    for cfg in (
        CoreConfig("lanes16", 16, 3, 16384, 2048, 4096, 72, 72, 4),
        CoreConfig("lanes5", 5, 8, 16384, 2048, 2048, 224, 224, 1, 5, formats_for(5)),
        CoreConfig("lanes64", 64, 2, 8192, 2048, 2048, 20, 20, 4),
    )
}


def random_case(rng, cfg, widest):
    """A network that fits the core: 1 to 6 layers; narrow, wide and extreme ones."""
    while True:
        widths = np.exp(rng.uniform(0, np.log(widest + 1), int(rng.integers(2, 8)))).astype(int)
        widths = widths.tolist()
        extreme = bool(rng.random() < 0.3)
        network = random_network(rng, widths, extreme=extreme, logits=bool(rng.random() < 0.7))
        with suppress(PackError):
            return network, pack(network, cfg)


def edge_inputs(rng, count, width):
    """Random inputs, and inputs of 0 and 255 alone."""
    x = rng.integers(0, 256, (count, width), np.uint8)
    x[0], x[1] = 255, 0
    return x


@pytest.mark.parametrize("case", range(2))
@pytest.mark.parametrize("name", SMALL_ONES)
def test_small_networks(check, rng, name, case):
    cfg = SMALL_ONES[name]
    network, image = random_case(rng, cfg, 20)
    device = open_device(cfg, engine="amaranth", seed=case)
    check(device, network, image, edge_inputs(rng, 2, network.in_features))


@pytest.mark.parametrize("name", [pytest.param(name, marks=compiled) for name in BIG_ONES])
def test_big_networks(check, rng, name):
    """Layers of up to 1,100 inputs and outputs, several tiles wide."""
    cfg = BIG_ONES[name]
    device = open_device(cfg, engine="verilator", seed=1, jobs=1)
    layers = []
    for _ in range(16):
        network, image = random_case(rng, cfg, 1100)
        check(device, network, image, edge_inputs(rng, 2, network.in_features))
        layers += network.layers
    assert {layer.planes for layer in layers} == {1, 2}
    assert {layer.per_row for layer in layers} == {False, True}
    assert {layer.logits for layer in layers} == {False, True}

    # The first tile of a layer is multiplied while the layer before is still being retired.
    for width in (530, 790, 1100):
        assert width > cfg.tile
        network = random_network(rng, [1, width, 3, 2])
        check(device, network, pack(network, cfg), edge_inputs(rng, 2, 1))
