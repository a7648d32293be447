# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.bias import encode
from fantastic4.config import BASE
from fantastic4.pack import pack
from fantastic4.randomnet import random_layer, random_network


def test_same_seed_same_network():
    first, second = (random_network(np.random.default_rng(5), [9, 4, 3]) for _ in range(2))
    assert pack(first, BASE) == pack(second, BASE)
    assert pack(first, BASE) != pack(random_network(np.random.default_rng(6), [9, 4, 3]), BASE)


@pytest.mark.parametrize("density", [0.0, 0.25, 1.0])
def test_density(rng, density):
    codes = random_layer(rng, 200, 100, density=density).codes
    assert abs(np.count_nonzero(codes) / codes.size - density) < 0.02


def test_extremes_and_kinds_occur(rng):
    networks = [random_network(rng, [6, 5, 4], extreme=True) for _ in range(40)]
    layers = [layer for network in networks for layer in network.layers]
    hidden = [network.layers[0] for network in networks]
    assert {layer.planes for layer in layers} == {1, 2}
    assert {layer.per_row for layer in layers} == {False, True}
    assert {encode(layer.bias).narrow for layer in layers} == {False, True}
    assert len({encode(layer.bias).shift for layer in layers}) > 8
    assert min(layer.basis.min() for layer in hidden) == -32768
    assert max(layer.basis.max() for layer in hidden) == 32767
    assert all(network.layers[-1].logits for network in networks)
    assert any(layer.low > 0 for layer in hidden)
    assert any(layer.high < 255 for layer in hidden)


@pytest.mark.parametrize("extreme", [False, True])
def test_networks_can_be_packed(rng, extreme):
    for widths in ([1, 1], [300, 20, 5], [4000, 3]):
        pack(random_network(rng, widths, extreme=extreme), BASE)
