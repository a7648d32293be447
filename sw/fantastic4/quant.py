# SPDX-License-Identifier: Apache-2.0
"""Quantised weights and activations, exact in the forward pass.

A weight is ``w_c = sum_i ω_i * bit_i(c)``: one of the 16 subset sums of the layer's four basis
coefficients, or in a wide layer one of 256 of eight, with codes of 8 bits: two planes of 4. The
background weight W (float32) decides the code and receives the gradient.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fantastic4.config import BASIS_COUNT
from fantastic4.entropy import BITS, CODES

ACT_MAX = 255

ALL_CODES = np.ones(CODES, bool)

WIDE_BITS = np.arange(256)[:, None] >> np.arange(2 * BASIS_COUNT) & 1
"""Bit i of code c of a wide layer at ``WIDE_BITS[c, i]``."""

BLOCK = 1 << 15
"""Weights whose gradients are computed at a time, few enough to stay in a processor's cache."""


def codebook(basis: Tensor) -> Tensor:
    """Return all subset sums of ``basis`` (4,) or (8,), in the order of codes; no gradient."""
    values = basis.detach().cpu().numpy()
    bits = BITS if len(values) == BASIS_COUNT else WIDE_BITS
    return torch.from_numpy(bits.astype(values.dtype) @ values)


class _Dequantise(torch.autograd.Function):
    """Codes to weights, with the straight-through gradients of EC4T."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, basis: Tensor, codes: Tensor, usable: np.ndarray
    ) -> Tensor:
        weights = look_up(codebook(basis).to(codes.device), codes)
        ctx.save_for_backward(weights, codes)
        ctx.usable = usable
        return weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gradient = gradients[0].contiguous()
        weights, codes = ctx.saved_tensors
        if not by_numpy(gradient):
            return *_gradients(weights, codes, gradient), None, None
        to_weight, to_basis = torch.empty_like(gradient), np.zeros(BASIS_COUNT)
        flat = [part.view(-1).numpy() for part in (weights, codes, gradient, to_weight)]
        largest = max(flat[0].max(), -flat[0].min()) or 1.0
        alike = _alike(ctx.usable.tobytes())
        for start in range(0, gradient.numel(), BLOCK):
            w, c, g, out = (part[start : start + BLOCK] for part in flat)
            to_basis += _block(w, c, g, out, largest, alike)
        return to_weight, torch.tensor(to_basis, dtype=gradient.dtype), None, None


def by_numpy(tensor: Tensor) -> bool:
    """Return whether NumPy, faster where memory is what it takes, computes on ``tensor``."""
    return tensor.device.type == "cpu"


def _gradients(weights: Tensor, codes: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return ∂L/∂W and ∂L/∂ω as PyTorch computes them, on any device."""
    largest = weights.abs().max()
    scale = weights.abs() / torch.where(largest > 0, largest, 1.0) + (codes == 0)
    sums = [(gradient * (codes >> i & 1)).sum() for i in range(BASIS_COUNT)]
    return scale * gradient, torch.stack(sums)


@cache
def _alike(usable: bytes) -> list[list[int]]:
    """Return the bits that are set in some code of ``usable``, one byte each code.

    Bits that are set in the same codes stand together: what is added up for one is so for all.
    """
    groups: dict[bytes, list[int]] = {}
    for i in range(BASIS_COUNT):
        bit = BITS[np.frombuffer(usable, bool), i]
        if bit.any():
            groups.setdefault(bit.tobytes(), []).append(i)
    return list(groups.values())


def _block(
    weights: np.ndarray,
    codes: np.ndarray,
    gradient: np.ndarray,
    out: np.ndarray,
    largest: np.floating | float,
    alike: list[list[int]],
) -> np.ndarray:
    """Write ∂L/∂W of a part of the weights into ``out`` and return its share of ∂L/∂ω."""
    bits, mask = np.empty_like(codes), np.empty_like(gradient)
    np.abs(weights, out=out)
    np.divide(out, largest, out=out)
    np.copyto(mask, np.equal(codes, 0).view(np.uint8))
    np.add(out, mask, out=out)
    np.multiply(out, gradient, out=out)
    sums = np.zeros(BASIS_COUNT)
    for group in alike:
        np.bitwise_and(codes, 1 << group[0], out=bits)
        np.copyto(mask, bits)
        sums[group] = np.dot(gradient, mask) / (1 << group[0])
    return sums


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


def dequantise(
    weight: Tensor, basis: Tensor, codes: Tensor, usable: np.ndarray = ALL_CODES
) -> Tensor:
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
    usable : numpy.ndarray
        bool (16,): which codes can occur. With few of them there is less to add up.
    """
    result: Any = _Dequantise.apply(weight, basis, codes, usable)
    return result


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
