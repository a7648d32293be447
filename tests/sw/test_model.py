# SPDX-License-Identifier: Apache-2.0
"""The perceptron: its norm, its scales, its steps from float to quantised."""

import numpy as np
import pytest
import torch

from fantastic4.errors import FantasticError
from fantastic4.methods import Ec4t
from fantastic4.model import Mlp, ranked
from fantastic4.quant import codebook


def model(basis="layer", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Mlp((12, 9, 7, 3), basis, 0.1, 128, generator)


def inputs():
    return torch.randn(64, 12, generator=torch.Generator().manual_seed(1))


def test_frozen_norm_keeps_its_statistics():
    net, x = model(), inputs()
    net(x)
    net.freeze()
    before = {name: value.clone() for name, value in net.named_buffers()}
    net(x * 3)
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


def test_scales_follow_the_activations():
    net = model()
    for _ in range(5):
        net(inputs())
    first = net.layers[0]
    y = torch.relu(first.norm.eval()(inputs() @ first.weight.T))
    assert 0.8 * y.max() < 255 * first.act_scale < 1.2 * y.max()


@pytest.mark.parametrize("least", [0.0, 1.5, 9.0])  # no hint, below what is sought, above it
@pytest.mark.parametrize("place", [0, 900, 989, 999])
def test_a_number_by_its_place(rng, place, least):
    values = rng.normal(size=1000).astype(np.float32)
    assert ranked(values, place, least) == np.sort(values)[place]


def test_a_good_hint_spares_the_search(rng, monkeypatch):
    values, sought = rng.normal(size=10000).astype(np.float32), []
    partition = np.partition
    monkeypatch.setattr(np, "partition", lambda x, k: (sought.append(len(x)), partition(x, k))[1])
    ranked(values, 9990, 2.5)
    assert sought[0] < 200


def test_only_codes_that_can_occur_are_usable():
    net = model()
    net.quantise(Ec4t(0.3, values=2))
    for layer in net.layers:
        assert layer.usable.sum() == 3
        assert layer.usable[layer.codes.unique().long()].all()


def test_quantised_forward_uses_the_codebook_and_whole_steps():
    net = model()
    net(inputs())
    net.quantise(Ec4t(0.1))
    net.eval()
    layer = net.layers[0]
    weight = codebook(layer.basis)[layer.codes.int()]
    y = layer.norm(inputs() @ weight.T).relu()
    steps = torch.floor((y / layer.act_scale).clamp(0, 255) + 0.5)
    assert torch.equal(layer(inputs()), steps * layer.act_scale)


def test_same_seed_same_weights():
    assert torch.equal(model(seed=3).layers[0].weight, model(seed=3).layers[0].weight)
    assert not torch.equal(model(seed=3).layers[0].weight, model(seed=4).layers[0].weight)


def test_real_is_relative_to_the_zero_point():
    x = torch.tensor([0, 128, 255], dtype=torch.uint8)
    torch.testing.assert_close(model().real(x), torch.tensor([-12.8, 0, 12.7]))


def test_unknown_basis_mode():
    with pytest.raises(FantasticError, match="basis must be one of layer, row, not 'tile'"):
        model("tile")
