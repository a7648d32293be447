# SPDX-License-Identifier: Apache-2.0
"""The norm against PyTorch's own, and its closed gradient against differences."""

import pytest
import torch

from fantastic4.norm import EPSILON, Norm


def inputs():
    return torch.randn(64, 12, generator=torch.Generator().manual_seed(1))


def test_norm_by_row_is_batch_norm():
    z = 3 * inputs() + 5
    expected = torch.nn.BatchNorm1d(12, eps=EPSILON)(z)
    torch.testing.assert_close(Norm(12, True)(z), expected, rtol=1e-5, atol=1e-5)


def test_norm_by_layer_has_one_scale():
    z = inputs() * torch.arange(1, 13)
    norm = Norm(12, False)
    y = norm(z)
    torch.testing.assert_close(y.mean(0), torch.zeros(12), rtol=0, atol=1e-5)
    ratio = y.std(0) / z.std(0)
    torch.testing.assert_close(ratio, ratio[:1].expand(12))
    torch.testing.assert_close(y.square().mean(), torch.ones(()), rtol=1e-4, atol=1e-4)
    assert norm.affine()[0].shape == (1,)


@pytest.mark.parametrize("per_row", [False, True])
def test_affine_is_what_the_norm_does_when_evaluated(per_row):
    norm, z = Norm(12, per_row), inputs()
    norm(z * 2 + 1)
    norm.gain.data.mul_(-1.5)
    scale, offset = norm.eval().affine()
    torch.testing.assert_close(norm(z), (z.double() * scale + offset).float())


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradient_is_that_of_the_loss(per_row, frozen):
    norm = Norm(5, per_row).double()
    norm.gain.data.mul_(1.5)
    norm.frozen = frozen
    z = 2 * inputs()[:6, :5].double() + 1

    def loss(z, gain, bias):
        return torch.tanh(torch.func.functional_call(norm, {"gain": gain, "bias": bias}, (z,)))

    given = (z.requires_grad_(), norm.gain.detach().clone(), norm.bias.detach().clone())
    assert torch.autograd.gradcheck(loss, tuple(part.requires_grad_() for part in given))
