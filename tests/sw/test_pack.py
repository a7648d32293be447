# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import BASE, SMALL, TINY
from fantastic4.image import parse
from fantastic4.pack import pack, unpack
from fantastic4.randomnet import random_network


@pytest.mark.parametrize("cfg", [TINY, SMALL, BASE], ids=lambda cfg: cfg.name)
@pytest.mark.parametrize("widths", [[1, 1], [5, 3], [17, 9, 4], [100, 33, 7, 2]])
@pytest.mark.parametrize("extreme", [False, True])
def test_unpack_gives_back_the_network(rng, cfg, widths, extreme):
    network = random_network(rng, widths, extreme=extreme)
    back = unpack(parse(pack(network, cfg)))
    for before, after in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(before.codes, after.codes)
        assert np.array_equal(before.bias, after.bias)
        assert np.array_equal(before.values(), after.values())
        assert (before.shift, before.low, before.high) == (after.shift, after.low, after.high)
    x = rng.integers(0, 256, (9, widths[0]), np.uint8)
    assert np.array_equal(golden.predict(network, x).outputs, golden.predict(back, x).outputs)
