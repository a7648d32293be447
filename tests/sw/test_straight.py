# SPDX-License-Identifier: Apache-2.0
"""The product with quantised weights: exactly on the codebook; gradients as the equations say."""

import numpy as np
import pytest
import torch

from fantastic4.entropy import BITS
from fantastic4.quant import codebook
from fantastic4.straight import ALL_CODES, quantised_product


@pytest.fixture(params=[(0, 3), (0, 1, 8, 15), tuple(range(16))])
def layer(request, rng):
    weight = torch.from_numpy(rng.normal(size=(30, 20)).astype(np.float32)).requires_grad_()
    basis = torch.tensor([0.11, 0.23, 0.47, -0.91], requires_grad=True)
    codes = torch.from_numpy(rng.choice(request.param, (30, 20)).astype(np.uint8))
    return weight, basis, codes


def product(weight, basis, codes, usable=ALL_CODES):
    """Return the quantised weights, as a product with one input at a time."""
    x = torch.eye(codes.shape[1], dtype=basis.dtype)
    return quantised_product(x, weight, basis, codes, usable).T


def test_forward_is_exactly_on_the_codebook(layer):
    weight, basis, codes = layer
    table = codebook(basis.detach())
    assert torch.equal(product(weight, basis, codes), table[codes.int()])
    assert table[0] == 0


def test_gradients_follow_the_equations(layer, rng):
    weight, basis, codes = layer
    gradient = torch.from_numpy(rng.normal(size=(30, 20)).astype(np.float32))
    product(weight, basis, codes).backward(gradient)
    size = codebook(basis).abs()
    slope = size / size[codes.int()].max()
    slope[0] = 1
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient * slope[codes.int()])
    masks = torch.from_numpy(BITS)[codes.int()].float()  # (out, in, 4)
    expected = (masks * gradient[..., None]).sum((0, 1))
    torch.testing.assert_close(basis.grad, expected)


@pytest.mark.parametrize("used", [(0, 1, 15), (0, 2, 9, 14), (0, 5), (0,)])
def test_codes_that_cannot_occur_change_no_gradient(rng, used):
    codes = torch.from_numpy(rng.choice(np.uint8(used), (70, 33)))
    gradient = torch.from_numpy(rng.normal(size=(70, 33)).astype(np.float32))
    found = []
    for usable in (ALL_CODES, np.isin(np.arange(16), used)):
        basis = torch.tensor([0.1, 0.25, 0.4, -0.8], requires_grad=True)
        weight = torch.zeros(70, 33, requires_grad=True)
        product(weight, basis, codes, usable).backward(gradient)
        found.append((weight.grad, basis.grad))
    assert all(map(torch.equal, *found))


def test_gradients_of_inputs_and_basis_are_those_of_the_loss(layer, rng):
    _, basis, codes = layer
    basis = basis.detach().double().requires_grad_()
    x = torch.from_numpy(rng.normal(size=(2, 20))).requires_grad_()
    weight = torch.zeros(30, 20, dtype=torch.double)

    def loss(inputs, omega):
        return torch.tanh(quantised_product(inputs, weight, omega, codes)).sum()

    assert torch.autograd.gradcheck(loss, (x, basis))
