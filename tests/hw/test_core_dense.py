# SPDX-License-Identifier: Apache-2.0
"""Cores that decode nothing but *dense*: weights are read when their step is taken."""

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.image import parse
from fantastic4.layout import ErrorCode
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4.timing import timing
from fantastic4_sim.commands import Infer, InferReply, Load
from fantastic4_sim.device import AmaranthDevice


@pytest.mark.parametrize(
    ("lanes", "engines", "cores"), [(4, 1, 1), (4, 3, 2), (8, 2, 1), (16, 2, 4)]
)
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_networks(rng, geometry, lanes, engines, cores, stall):
    """One image after the other: several layers and tiles, a single weight word, two planes."""
    cfg = geometry(lanes, engines, cores=cores, formats=("dense",), weight_depth=1024)
    networks = [
        random_network(rng, [9, 2 * engines * cores + 1, 5, 3]),
        random_network(rng, [lanes, 1]),
        random_network(rng, [30, 7, 3], extreme=True),
    ]
    device = AmaranthDevice(cfg, stall=stall, seed=lanes)
    commands = []
    for network in networks:
        x = rng.integers(0, 256, (3, network.in_features), np.uint8)
        commands += [Load(pack(network, cfg)), Infer(x)]
    replies = device.run(commands)
    for network, load, infer, inferred in zip(
        networks, commands[::2], commands[1::2], replies[1::2], strict=True
    ):
        assert isinstance(inferred, InferReply)
        assert isinstance(load, Load)
        assert isinstance(infer, Infer)
        expected = golden.predict(network, infer.inputs)
        assert np.array_equal(inferred.outputs, expected.outputs)
        assert inferred.error == ErrorCode.NONE
        if not stall:
            predicted = timing(parse(load.image), cfg)
            assert inferred.cycles[0] == predicted.cycles
            assert inferred.stalls[0] == predicted.stalls
