# SPDX-License-Identifier: Apache-2.0
"""Layers with 8-bit weights: which are chosen, and how they train."""

import numpy as np
import pytest
import torch

from fantastic4 import data, golden
from fantastic4.errors import FantasticError
from fantastic4.methods import Ec4t
from fantastic4.model import Mlp
from fantastic4.train import TrainConfig, sensitivity, train
from fantastic4.train.sensitivity import choose_wide, sensitivities


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def trained(digits):
    """A model in float with inputs and labels."""
    model = Mlp((64, 32, 16, 10), "layer", 1 / 16, 0, torch.Generator().manual_seed(0))
    x, y = torch.from_numpy(digits.x_train).float() / 16, torch.from_numpy(digits.y_train)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model, x, y


def test_sensitivity_is_the_loss_of_one_layer_quantised(digits):
    model, x, y = trained(digits)
    found = sensitivities(model, Ec4t(0.5, 2), x, y)
    assert not any(layer.quantised for layer in model.layers)
    assert found == sensitivities(model, Ec4t(0.5, 2), x, y)
    assert min(found) > 0.01
    assert max(sensitivities(model, Ec4t(0.0), x, y)) < min(found)  # sixteen values are finer


def test_the_most_sensitive_are_chosen_as_far_as_they_fit(digits, monkeypatch):
    model, x, y = trained(digits)  # 2048, 512 and 160 weights
    chosen = {}
    for losses in ((9.0, 9.0, 9.0), (9.0, 9.0, 0.0), (99.0, 1.0, 0.1), (0.0, 3.0, 2.0)):
        monkeypatch.setattr(sensitivity, "sensitivities", lambda *_, found=losses: list(found))
        for share in (0.05, 0.06, 0.19, 0.25, 1.0):
            monkeypatch.setattr(sensitivity, "SHARE", share)
            chosen[losses, share] = choose_wide(model, Ec4t(0.1), x, y)
    assert [chosen[(9, 9, 9), share] for share in (0.05, 0.06, 0.25, 1)] == [
        (),
        (3,),
        (2, 3),
        (1, 2, 3),
    ]
    assert chosen[(9, 9, 0), 1.0] == (1, 2)
    assert chosen[(99, 1, 0.1), 0.19] == (2,)  # the first does not fit, nor the last behind it
    assert chosen[(0, 3, 2), 0.19] == (3,)  # it loses more for each of its weights


@pytest.mark.parametrize("wide", [(3,), (1, 2, 3), "auto"])
def test_wide_layers_are_trained_and_lowered(digits, wide, monkeypatch):
    monkeypatch.setattr(sensitivity, "SHARE", 0.06)
    config = TrainConfig(hidden=(32, 16), epochs=6, float_epochs=25, gamma=0.3, wide_layers=wide)
    result = train(digits, config)
    network = result.network()
    expected = (3,) if wide == "auto" else wide
    assert [layer.planes for layer in network.layers] == [1 + (n in expected) for n in (1, 2, 3)]
    assert network.metadata["wide_layers"] == list(expected)
    x = network.quant(digits.x_test)
    best = golden.predict(network, x).best
    assert np.mean(best == digits.y_test) > 0.9
    model = result.model.eval()
    theirs = model(model.real(torch.from_numpy(x))).argmax(1).numpy()
    assert np.mean(best == theirs) >= 0.997
    assert result.history[-1]["layers"][2]["entropy"] > 4


def test_wide_weights_learn(digits):
    first = train(digits, TrainConfig(hidden=(16,), epochs=1, float_epochs=1, wide_layers=(1, 2)))
    longer = train(digits, TrainConfig(hidden=(16,), epochs=8, float_epochs=1, wide_layers=(1, 2)))
    assert longer.accuracy_quantised > first.accuracy_quantised + 0.05
    steps = longer.model.layers[0].codes.numpy().view(np.int8)
    assert max(steps.max(), -int(steps.min())) == 127  # the step follows the weights


@pytest.mark.parametrize("wide", [(0,), (4,), "all", (1, -1)])
def test_layers_that_are_not_there_are_refused(wide):
    with pytest.raises(FantasticError, match=r"wide_layers must be 'auto', or layers of 1\.\.3"):
        TrainConfig(hidden=(32, 16), wide_layers=wide)
