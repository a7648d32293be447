# SPDX-License-Identifier: Apache-2.0
"""Quantised weights and activations, exact in the forward pass.

A weight is ``w_c = sum_i ω_i * bit_i(c)``: one of the 16 subset sums of the layer's four basis
coefficients, or in a wide layer one of 256 of eight, with codes of 8 bits: two planes of 4. The
background weight W (float32) decides the code and receives the gradient.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fantastic4.config import BASIS_COUNT
from fantastic4.entropy import BITS, CODES

ACT_MAX = 255

WIDE_BITS = np.arange(256)[:, None] >> np.arange(2 * BASIS_COUNT) & 1
"""Bit i of code c of a wide layer at ``WIDE_BITS[c, i]``."""


def codebook(basis: Tensor) -> Tensor:
    """Return all subset sums of ``basis`` (4,) or (8,), in the order of codes; no gradient."""
    values = basis.detach().cpu().numpy()
    bits = BITS if len(values) == BASIS_COUNT else WIDE_BITS
    return torch.from_numpy(bits.astype(values.dtype) @ values)


def by_numpy(tensor: Tensor) -> bool:
    """Return whether NumPy, faster where memory is what it takes, computes on ``tensor``."""
    return tensor.device.type == "cpu"


def look_up(table: Tensor, codes: Tensor) -> Tensor:
    """Return ``table[codes]``: entries of ``table`` (16,) or (256,), in the shape of ``codes``.

    Two codes are looked up at a time where float32 allows it, which takes half the time.
    """
    flat = codes.reshape(-1)
    if table.dtype != torch.float32 or len(table) != CODES or flat.numel() % 2:
        return table.index_select(0, flat.int()).view(codes.shape)
    pairs = torch.zeros(CODES, 256, 2, device=table.device)  # by second code, first code
    pairs[:, :CODES, 0] = table
    pairs[:, :CODES, 1] = table[:, None]
    by_pair = pairs.view(torch.float64).flatten()
    found = by_pair.index_select(0, flat.view(torch.int16).int())
    return found.view(torch.float32).view(codes.shape)


class _DequantiseWide(torch.autograd.Function):
    """Codes of 8 bits to weights, straight through."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
        return look_up(codebook(basis).to(codes.device), codes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0], None, None


def dequantise_wide(weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
    """Return the weights of a wide layer; ``weight`` receives their gradient as it is.

    Parameters
    ----------
    weight : Tensor
        Background weights, shape ``(out, in)``; only their gradient is used.
    basis : Tensor
        Shape ``(8,)``.
    codes : Tensor
        uint8, shape ``(out, in)``.
    """
    result: Any = _DequantiseWide.apply(weight, basis, codes)
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
