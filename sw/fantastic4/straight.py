# SPDX-License-Identifier: Apache-2.0
"""The product with quantised weights, with the straight-through gradients of EC4T.

With g = ∂L/∂w_q, what a matrix product hands back for the weights it was given,

    ∂L/∂W   = |w_c| / max|w_q| · g   where c ≠ 0,   g where c = 0
    ∂L/∂ω_i = Σ B_i ⊙ g              B_i: the weights whose code has bit i

(EC2T, arXiv 2004.01077, with |w_c| relative to the layer's largest, so that a layer's scale does
not change its pace). All of this goes through memory once, part by part, and ∂L/∂W takes the place
of g.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fantastic4.config import BASIS_COUNT
from fantastic4.entropy import BITS, CODES
from fantastic4.quant import by_numpy, codebook, look_up

ALL_CODES = np.ones(CODES, bool)

BLOCK = 1 << 15
"""Weights whose gradients are computed at a time, few enough to stay in a processor's cache."""


class _QuantisedProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, basis: Tensor, codes: Tensor, usable: np.ndarray
    ) -> Tensor:
        quantised = look_up(codebook(basis).to(codes.device), codes)
        ctx.save_for_backward(x, quantised, codes)
        ctx.usable = usable
        return x @ quantised.T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        (gradient,) = gradients
        x, quantised, codes = ctx.saved_tensors
        to_x = gradient @ quantised if ctx.needs_input_grad[0] else None
        to_quantised = gradient.T @ x
        if by_numpy(gradient):
            to_weight, to_basis = _in_place(quantised, codes, to_quantised, ctx.usable)
        else:
            to_weight, to_basis = _gradients(quantised, codes, to_quantised)
        return to_x, to_weight, to_basis, None, None


def quantised_product(
    x: Tensor, weight: Tensor, basis: Tensor, codes: Tensor, usable: np.ndarray = ALL_CODES
) -> Tensor:
    """Return ``x @ w_q.T``, (batch, out), with w_q exactly entries of the codebook.

    Parameters
    ----------
    x : Tensor
        Shape ``(batch, in)``.
    weight : Tensor
        Background weights, shape ``(out, in)``; only their gradient is used.
    basis : Tensor
        Shape ``(4,)``.
    codes : Tensor
        uint8 in 0..15, shape ``(out, in)``.
    usable : numpy.ndarray
        bool (16,): which codes can occur. With few of them there is less to add up.
    """
    result: Any = _QuantisedProduct.apply(x, weight, basis, codes, usable)
    return result


def _gradients(weights: Tensor, codes: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return ∂L/∂W and ∂L/∂ω as PyTorch computes them, on any device."""
    largest = weights.abs().max()
    scale = weights.abs() / torch.where(largest > 0, largest, 1.0) + (codes == 0)
    sums = [(gradient * (codes >> i & 1)).sum() for i in range(BASIS_COUNT)]
    return scale * gradient, torch.stack(sums)


def _in_place(
    weights: Tensor, codes: Tensor, gradient: Tensor, usable: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Turn ``gradient`` into ∂L/∂W and return it with ∂L/∂ω, both by NumPy."""
    to_basis = np.zeros(BASIS_COUNT)
    flat = [part.view(-1).numpy() for part in (weights, codes, gradient)]
    largest = max(flat[0].max(), -flat[0].min()) or 1.0
    alike = _alike(usable.tobytes())
    for start in range(0, gradient.numel(), BLOCK):
        w, c, g = (part[start : start + BLOCK] for part in flat)
        to_basis += _block(w, c, g, largest, alike)
    return gradient, torch.tensor(to_basis, dtype=gradient.dtype)


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
    largest: np.floating | float,
    alike: list[list[int]],
) -> np.ndarray:
    """Turn a part of ``gradient`` into ∂L/∂W and return its share of ∂L/∂ω."""
    bits, mask = np.empty_like(codes), np.empty_like(gradient)
    sums = np.zeros(BASIS_COUNT)
    for group in alike:
        np.bitwise_and(codes, 1 << group[0], out=bits)
        np.copyto(mask, bits)
        sums[group] = np.dot(gradient, mask) / (1 << group[0])
    scale = np.abs(weights)
    np.divide(scale, largest, out=scale)
    np.copyto(mask, np.equal(codes, 0).view(np.uint8))
    np.add(scale, mask, out=scale)
    np.multiply(gradient, scale, out=gradient)
    return sums
