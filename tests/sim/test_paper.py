# SPDX-License-Identifier: Apache-2.0
"""The scale of the paper: 8,192 lanes in 16 cores. Not part of a usual run: ``make paper``."""

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import PAPER
from fantastic4.image import parse
from fantastic4.network import InputQuant, Network
from fantastic4.pack import pack
from fantastic4.randomnet import random_layer, random_network
from fantastic4.timing import timing
from fantastic4_sim.device import open_device
from fantastic4_sim.toolchain import missing_tools

pytestmark = [
    pytest.mark.paper,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
]


def test_one_layer_and_networks(rng, models_dir):
    """A layer of two tiles and five row groups, then several layers; bits and clocks are right."""
    device = open_device(PAPER, "verilator", build_dir=models_dir, jobs=1)
    layer = random_layer(rng, 900, 300, per_row=True, density=0.4, logits=True)
    one = Network((layer,), InputQuant(np.ones(1), np.zeros(1)))
    for network in (one, random_network(rng, [490, 256, 70, 12])):
        x = rng.integers(0, 256, (3, network.in_features), np.uint8)
        image = pack(network, PAPER)
        result = device.predict(image, x)
        expected = golden.predict(network, x)
        assert np.array_equal(result.outputs, expected.outputs)
        assert np.array_equal(result.best, expected.best)
        predicted = timing(parse(image), PAPER)
        assert result.cycles.tolist() == [predicted.cycles, *[predicted.following] * 2]
        assert result.beats.tolist() == [predicted.beats] * 3
