# SPDX-License-Identifier: Apache-2.0
"""Layer-wise relevance propagation on networks small enough to follow by hand."""

import numpy as np
import pytest
import torch

from fantastic4.methods.relevance import MOMENTUM, Relevance
from fantastic4.model import Mlp


@pytest.fixture
def net():
    model = Mlp((6, 5, 3), "layer", 1.0, 0, torch.Generator().manual_seed(0))
    for layer in model.layers:
        layer.norm.frozen = True
    return model.eval()


def batch(rng, n=4):
    x = torch.from_numpy(rng.random((n, 6), np.float32))
    return x, torch.from_numpy(rng.integers(0, 3, n))


def by_hand(net, x, labels):
    """The ε-rule, weight by weight and example by example."""
    first, last = (layer.weight.detach().numpy() for layer in net.layers)
    x = x.numpy()
    hidden = np.maximum(x @ first.T, 0)
    out = hidden @ last.T
    eps = [0.01 * np.abs(hidden).mean(), 0.01 * np.abs(out).mean()]
    total = [np.zeros_like(first), np.zeros_like(last)]
    for a, h, y, label in zip(x, hidden, out, labels.numpy(), strict=True):
        relevance = np.zeros(3)
        relevance[label] = y[label]
        below = np.zeros(5)
        for i in range(3):
            part = h * last[i] / (y[i] + np.copysign(eps[1], y[i])) * relevance[i]
            total[1][i] += part
            below += part
        for i in range(5):
            total[0][i] += a * first[i] / (h[i] + eps[0]) * below[i]
    return [np.abs(part) for part in total]


def test_follows_the_epsilon_rule(net, rng):
    x, labels = batch(rng)
    relevance = Relevance(net)
    relevance.update(net, x, labels)
    for number, expected in enumerate(by_hand(net, x, labels)):
        assert np.allclose(relevance.means[number], expected, rtol=1e-3, atol=1e-5)
        assert np.allclose(relevance.of(number), expected / expected.max(), rtol=1e-3, atol=1e-5)


def test_a_weight_of_a_silent_input_is_irrelevant(net, rng):
    x, labels = batch(rng)
    x[:, 2] = 0
    relevance = Relevance(net)
    relevance.update(net, x, labels)
    assert not relevance.of(0)[:, 2].any()
    assert relevance.of(0).max() == 1


def test_later_batches_move_the_mean(net, rng):
    relevance = Relevance(net)
    one, two = batch(rng), batch(rng)
    relevance.update(net, *one)
    relevance.update(net, *two)
    for number, (a, b) in enumerate(zip(by_hand(net, *one), by_hand(net, *two), strict=True)):
        expected = a + MOMENTUM * (b - a)
        assert np.allclose(relevance.means[number], expected, rtol=1e-3, atol=1e-5)


def test_mode_of_the_model_is_kept(net, rng):
    net.train()
    Relevance(net).update(net, *batch(rng))
    assert net.training
