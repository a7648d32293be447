# SPDX-License-Identifier: Apache-2.0
"""Quantised weights and activations, exact in the forward pass.

A weight is ``w_c = sum_i ω_i * bit_i(c)``: one of the 16 subset sums of the layer's four basis
coefficients. The background weight W (float32) decides the code and receives the gradient.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fantastic4.config import BASIS_COUNT
from fantastic4.entropy import CODES

ACT_MAX = 255


def codebook(basis: Tensor) -> Tensor:
    """Return the 16 subset sums of ``basis`` (4,), in the order of their codes; no gradient."""
    values = basis.detach().numpy()
    sums = np.zeros(1, values.dtype)
    for omega in values:
        sums = np.concatenate([sums, sums + omega])
    return torch.from_numpy(sums)


class _Dequantise(torch.autograd.Function):
    """Codes to weights, with the straight-through gradients of EC4T."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
        weights = look_up(codebook(basis), codes)
        ctx.save_for_backward(weights, codes)
        return weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        weights, codes = ctx.saved_tensors
        slope = weights.abs()
        slope /= slope.max().clamp(min=torch.finfo(slope.dtype).tiny)
        torch.threshold_(slope, 0, 1)  # where the weight is 0
        return slope.mul_(gradient), _by_basis(gradient, codes), None


def look_up(table: Tensor, codes: Tensor) -> Tensor:
    """Return ``table[codes]``: entries of a ``table`` (16,), in the shape of ``codes`` (uint8).

    Two codes are looked up at a time where float32 allows it, which takes half the time.
    """
    flat = codes.reshape(-1)
    if table.dtype != torch.float32 or flat.numel() % 2:
        return table.index_select(0, flat.int()).view(codes.shape)
    pairs = torch.zeros(CODES, 256, 2)  # by second code, first code
    pairs[:, :CODES, 0] = table
    pairs[:, :CODES, 1] = table[:, None]
    by_pair = pairs.view(torch.float64).flatten()
    found = by_pair.index_select(0, flat.view(torch.int16).int())
    return found.view(torch.float32).view(codes.shape)


def _by_basis(gradient: Tensor, codes: Tensor) -> Tensor:
    """Return ``Σ B_i ⊙ gradient``, (4,)."""
    flat, bits = gradient.reshape(-1).numpy(), codes.reshape(-1).numpy()
    one, mask = np.empty_like(bits), np.empty_like(flat)
    used = int(np.bitwise_or.reduce(bits))
    sums = np.zeros(BASIS_COUNT)
    for i in range(BASIS_COUNT):
        if used >> i & 1:
            np.bitwise_and(bits, 1 << i, out=one)
            np.copyto(mask, one)
            sums[i] = np.dot(flat, mask) / (1 << i)
    return torch.tensor(sums, dtype=gradient.dtype)


def dequantise(weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
    """Return the quantised weights, exactly entries of the codebook.

    Gradients: to ``basis``, ``∂L/∂ω_i = Σ B_i ⊙ ∂L/∂W_q``; to ``weight``, straight through,
    ``∂L/∂W = |w_c| / max|w_q| · ∂L/∂w_q`` for c ≠ 0 and ``∂L/∂w_q`` for c = 0 (EC2T, with |w_c|
    relative to the layer's largest, so that a layer's scale does not change its pace).

    Parameters
    ----------
    weight : Tensor
        Background weights, shape ``(out, in)``; only their gradient is used.
    basis : Tensor
        Shape ``(4,)``.
    codes : Tensor
        uint8 in 0..15, shape ``(out, in)``.
    """
    result: Any = _Dequantise.apply(weight, basis, codes)
    return result


class _QuantiseActivation(torch.autograd.Function):
    """ReLU and rounding to whole steps, straight through where neither end clips."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, scale: Tensor) -> Tensor:
        steps = z / scale
        ctx.save_for_backward(steps)
        return steps.clamp(0, ACT_MAX).add_(0.5).floor_().mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        (steps,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, steps, 0.0, ACT_MAX), None


def quantise_activation(z: Tensor, scale: Tensor) -> Tensor:
    """Return ``scale * clamp(floor(z / scale + 1/2), 0, 255)``; straight through in between."""
    result: Any = _QuantiseActivation.apply(z, scale)
    return result
