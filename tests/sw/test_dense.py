# SPDX-License-Identifier: Apache-2.0
"""The product against PyTorch's, gradients included."""

import torch

from fantastic4.dense import product


def operands():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 5, generator=generator, dtype=torch.double)
    weight = torch.randn(4, 5, generator=generator, dtype=torch.double)
    return x.requires_grad_(), weight.requires_grad_()


def test_gradients():
    x, weight = operands()
    assert torch.equal(product(x, weight), x @ weight.T)
    assert torch.autograd.gradcheck(product, (x, weight))


def test_gradient_of_the_weights_is_contiguous():
    x, weight = operands()
    seen = []
    scaled = weight * 1
    scaled.register_hook(lambda gradient: seen.append(gradient.is_contiguous()))
    product(x.detach(), scaled).sum().backward()
    assert seen == [True]
