# SPDX-License-Identifier: Apache-2.0
"""Training on other devices than the processor; a GPU itself only where there is one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fantastic4 import data, model, straight
from fantastic4.errors import FantasticError
from fantastic4.straight import quantised_product
from fantastic4.train import Checkpoint, TrainConfig, find_device, train

QUICK = TrainConfig(hidden=(24, 16), epochs=4, float_epochs=3, values=5, hidden_dropout=0.1)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def gradients(basis, codes, generator):
    weight = torch.zeros(codes.shape, requires_grad=True)
    basis = basis.clone().requires_grad_()
    factor = torch.randn(codes.shape, generator=generator)
    x = torch.eye(codes.shape[1])
    (quantised_product(x, weight, basis, codes).T * factor).sum().backward()
    return weight.grad, basis.grad


@pytest.mark.parametrize("used", [1, 3, 16])
def test_pytorchs_gradients_are_numpys(used, monkeypatch):
    codes = torch.randint(0, used, (70, 33), dtype=torch.uint8)
    basis = torch.tensor([0.1, 0.25, 0.4, -0.8])
    found = []
    for numpy in (True, False):
        monkeypatch.setattr(straight, "by_numpy", lambda _, numpy=numpy: numpy)
        found.append(gradients(basis, codes, torch.Generator().manual_seed(1)))
    torch.testing.assert_close(found[0], found[1])
    assert found[0][0].abs().max() > 0


def test_pytorch_observes_as_numpy(monkeypatch):
    layer = model.Layer(4, 50, per_row=False, last=False)
    z = torch.randn(333, 50, generator=torch.Generator().manual_seed(2))
    scales = []
    for numpy in (True, False):
        monkeypatch.setattr(model, "by_numpy", lambda _, numpy=numpy: numpy)
        layer.act_scale.zero_()
        layer._observe(z)
        scales.append(float(layer.act_scale))
    assert scales[0] == scales[1]
    assert 255 * scales[0] == pytest.approx(np.quantile(z.numpy(), 0.999), rel=0.02)


def test_training_by_pytorch_alone_is_as_good(digits, monkeypatch):
    usual = train(digits, QUICK)
    monkeypatch.setattr(straight, "by_numpy", lambda _: False)
    monkeypatch.setattr(model, "by_numpy", lambda _: False)
    other = train(digits, QUICK)
    assert other.history[0]["loss"] == usual.history[0]["loss"]
    assert other.accuracy_quantised == pytest.approx(usual.accuracy_quantised, abs=0.02)


def test_a_device_that_is_not_there(digits, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == "cpu"
    for name in ("cuda", "cuda:1"):
        with pytest.raises(FantasticError, match=f"there is no {name}: .* sees 0 GPUs"):
            train(digits, replace(QUICK, device=name))
    with pytest.raises(FantasticError, match=r"device must be cpu, cuda or cuda:N, not 'tpu'"):
        TrainConfig(device="tpu")


def test_a_device_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto") == "cuda"
    assert find_device("cuda:1") == "cuda:1"
    with pytest.raises(FantasticError, match=r"no cuda:2: .* sees 2 GPUs"):
        find_device("cuda:2")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("method", ["ec4t", "ec2t", "ecqx", "int4"])
def test_training_on_a_gpu(digits, tmp_path, method):
    config = replace(QUICK, method=method, device="cuda", wide_layers="auto")
    usual = train(digits, replace(config, device="cpu"))
    path = tmp_path / "checkpoint.pt"
    found = train(digits, config, checkpoint=Checkpoint(path))
    assert found.accuracy_quantised == pytest.approx(usual.accuracy_quantised, abs=0.03)
    network = found.network()
    assert network.metadata["training"]["device"] == "cuda"
