# SPDX-License-Identifier: Apache-2.0
"""Forward exactly on the codebook; gradients as the equations say."""

import numpy as np
import pytest
import torch

from fantastic4.entropy import BITS, entropy
from fantastic4.quant import Ec4t, codebook, dequantise, quantise_activation


@pytest.fixture
def layer(rng):
    weight = torch.from_numpy(rng.normal(size=(30, 20)).astype(np.float32)).requires_grad_()
    basis = torch.tensor([0.11, 0.23, 0.47, -0.91], requires_grad=True)
    codes = torch.from_numpy(rng.integers(0, 16, (30, 20)).astype(np.uint8))
    return weight, basis, codes


def test_codebook_is_the_subset_sums():
    assert codebook(torch.tensor([1.0, 2, 4, -8])).tolist() == [*range(8), *range(-8, 0)]


def test_forward_is_exactly_on_the_codebook(layer):
    weight, basis, codes = layer
    table = codebook(basis.detach())
    assert torch.equal(dequantise(weight, basis, codes), table[codes.int()])
    assert table[0] == 0


def test_gradients_follow_the_equations(layer, rng):
    weight, basis, codes = layer
    gradient = torch.from_numpy(rng.normal(size=(30, 20)).astype(np.float32))
    dequantise(weight, basis, codes).backward(gradient)
    size = codebook(basis.detach()).abs()
    slope = size / size.max()
    slope[0] = 1
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient * slope[codes.int()])
    masks = torch.from_numpy(BITS)[codes.int()].float()  # (out, in, 4)
    expected = (masks * gradient[..., None]).sum((0, 1))
    torch.testing.assert_close(basis.grad, expected)


def test_basis_gradient_is_that_of_the_loss(layer, rng):
    _, basis, codes = layer
    basis = basis.detach().double().requires_grad_()
    x = torch.from_numpy(rng.normal(size=(8, 20)))
    weight = torch.zeros(30, 20, dtype=torch.double)

    def loss(omega):
        return torch.tanh(x @ dequantise(weight, omega, codes).T).sum()

    assert torch.autograd.gradcheck(loss, (basis,))


def test_activation_is_rounded_half_up_and_clamped():
    x = torch.tensor([-1.0, 0, 0.24, 0.25, 0.75, 127.25, 200], requires_grad=True)
    y = quantise_activation(x, torch.tensor(0.5))
    assert y.tolist() == [0, 0, 0, 0.5, 1, 127.5, 127.5]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 1, 1, 1, 0]


def test_ec4t_starts_with_int4_that_reaches_the_percentile(rng):
    weight = torch.from_numpy(rng.normal(size=(100, 100)).astype(np.float32))
    weight[0, 0] = 1000  # an outlier must not stretch the codebook
    basis = Ec4t(0).init_basis(weight)
    assert torch.allclose(basis / basis[0], torch.tensor([1.0, 2, 4, -8]))
    assert 7 * basis[0] < np.quantile(weight.abs().numpy(), 0.999) < 8 * basis[0]


def test_gamma_zero_is_the_nearest_centroid(layer):
    weight, basis, _ = layer
    codes = Ec4t(0).assign(weight, basis, 1.0)
    table = codebook(basis.detach())
    nearest = (weight.detach()[..., None] - table).abs().min(-1).values
    torch.testing.assert_close((weight.detach() - table[codes.int()]).abs(), nearest)


def test_more_gamma_and_a_larger_share_give_less_entropy(rng):
    weight = torch.from_numpy(rng.normal(size=(100, 100)).astype(np.float32))

    def bits(gamma, share):
        method = Ec4t(gamma)
        return entropy(method.assign(weight, method.init_basis(weight), share).numpy())

    by_gamma = [bits(gamma, 1.0) for gamma in (0, 0.05, 0.2, 0.5, 1)]
    assert by_gamma == sorted(by_gamma, reverse=True)
    assert by_gamma[0] - by_gamma[-1] > 2
    assert bits(0.2, 0.3) > bits(0.2, 1.0)
