# SPDX-License-Identifier: Apache-2.0
"""The float network as a teacher."""

import pytest
import torch

from fantastic4.model import Mlp
from fantastic4.train import teacher
from fantastic4.train.teacher import Teacher, number_type


@pytest.fixture(params=["layer", "row"])
def model(request):
    net = Mlp((12, 30, 20, 5), request.param, 0.1, 128, torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(3)
    for _ in range(5):
        net(inputs())
    for layer in net.layers:
        torch.nn.init.normal_(layer.norm.bias, generator=rng)
        torch.nn.init.uniform_(layer.norm.gain, 0.5, 2, generator=rng)
    return net.eval()


def inputs():
    return torch.randn(64, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kind", "near"), [(torch.float32, 1e-6), (torch.bfloat16, 0.03)])
def test_it_answers_as_the_network_does(model, monkeypatch, kind, near):
    monkeypatch.setattr(teacher, "number_type", lambda _: kind)
    expected = torch.softmax(model(inputs()), 1)
    found = Teacher.of(model)(inputs())
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert (found - expected).abs().max() < near


def test_it_does_not_learn_and_its_state_is_all_of_it(model):
    known = Teacher.of(model)
    before = known(inputs())
    torch.nn.init.zeros_(model.layers[0].weight)
    assert torch.equal(known(inputs()), before)
    assert torch.equal(Teacher.from_state(known.state(), "cpu")(inputs()), before)


@pytest.mark.parametrize(
    ("device", "able", "kind"),
    [
        ("cpu", {"avx512_bf16": True}, torch.bfloat16),
        ("cpu", {"avx512_bf16": False, "amx_bf16": False, "avx2": True}, torch.float32),
        ("cpu", {}, torch.float32),
        ("cuda", {"avx512_bf16": True}, torch.float32),
    ],
)
def test_bfloat16_where_the_processor_is_made_for_it(monkeypatch, device, able, kind):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert number_type(device) == kind


def test_an_older_pytorch_does_not_say(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert number_type("cpu") == torch.float32
