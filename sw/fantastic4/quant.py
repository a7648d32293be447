# SPDX-License-Identifier: Apache-2.0
"""Quantised weights and activations, exact in the forward pass, and the methods that assign codes.

A weight is ``w_c = sum_i ω_i * bit_i(c)``: one of the 16 subset sums of the layer's four basis
coefficients. The background weight W (float32) decides the code and receives the gradient.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fantastic4.entropy import BITS, CODES, code_cost, decide, probabilities, strength_limit

ACT_MAX = 255
UNIFORM = (1.0, 2.0, 4.0, -8.0)
"""The basis of signed int4, in steps: where EC4T starts."""

OUTLIERS = 0.001
"""Share of the weights that may lie outside the initial codebook."""


def codebook(basis: Tensor) -> Tensor:
    """Return the 16 subset sums of ``basis`` (4,), in the order of their codes."""
    sums = torch.zeros(1, dtype=basis.dtype)
    for omega in basis:
        sums = torch.cat([sums, sums + omega])
    return sums


class _Dequantise(torch.autograd.Function):
    """Codes to weights, with the straight-through gradients of EC4T."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
        table = codebook(basis)
        index = codes.reshape(-1).int()
        ctx.save_for_backward(table, index)
        return table.index_select(0, index).view(codes.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        table, index = ctx.saved_tensors
        size = table.abs()
        slope = size / size.max().clamp(min=torch.finfo(size.dtype).tiny)
        slope[0] = 1
        flat = gradient.reshape(-1)
        by_code = torch.bincount(index, flat, minlength=CODES)
        by_basis = by_code @ torch.as_tensor(BITS, dtype=by_code.dtype)
        return (flat * slope.index_select(0, index)).view_as(gradient), by_basis, None


def dequantise(weight: Tensor, basis: Tensor, codes: Tensor) -> Tensor:
    """Return the quantised weights, exactly entries of the codebook.

    Gradients: to ``basis``, ``∂L/∂ω_i = Σ B_i ⊙ ∂L/∂W_q``; to ``weight``, straight through,
    ``∂L/∂W = |w_c| / max|w| · ∂L/∂w_q`` for c ≠ 0 and ``∂L/∂w_q`` for c = 0 (EC2T, with |w_c|
    relative to the codebook's largest, so that a layer's scale does not change its pace).

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


def quantise_activation(x: Tensor, scale: Tensor) -> Tensor:
    """Return ``scale * clamp(floor(x / scale + 1/2), 0, 255)``; straight through within 0..255."""
    steps = (x / scale).clamp(0, ACT_MAX)
    rounded = torch.floor(steps.detach() + 0.5)
    return (rounded + (steps - steps.detach())) * scale  # adds an exact zero


class Method(Protocol):
    """How a layer's basis starts and how its codes follow from its background weights."""

    def init_basis(self, weight: Tensor) -> Tensor:
        """Return the first basis (4,) for ``weight`` (out, in)."""
        ...

    def assign(self, weight: Tensor, basis: Tensor, share: float) -> Tensor:
        """Return uint8 codes (out, in); ``share`` is the layer's δ, 0..1."""
        ...


@dataclass(frozen=True)
class Ec4t:
    """Entropy-constrained 4-bit training with four learned basis coefficients.

    Parameters
    ----------
    gamma : float
        Strength of the entropy term, 0 (nearest centroid) to 1 (an outermost cluster empties).
    values : int
        Non-zero values a layer may use, 1..15: those that most weights take, the others are
        emptied. Few values have short names in the chip's compact formats.
    """

    gamma: float
    values: int = CODES - 1

    def init_basis(self, weight: Tensor) -> Tensor:
        """Return ``Δ·(1, 2, 4, -8)``, whose codebook reaches the 99.9 percentile of |W|."""
        reach = np.quantile(weight.detach().abs().numpy(), 1 - OUTLIERS)
        return torch.tensor(UNIFORM) * (float(reach) / 7.5)

    def assign(self, weight: Tensor, basis: Tensor, share: float) -> Tensor:
        """Return ``argmin_c (w - w_c)² - λ log2 P_c`` with ``λ = γ·δ·λmax``, P_c by nearest."""
        w = weight.detach().numpy()
        centroids = codebook(basis.detach()).double().numpy()
        cost = np.zeros(CODES)
        decision = decide(centroids, cost)
        if self.gamma > 0:
            p = probabilities(decision.counts(w))
            limit = strength_limit(float(w.min()), float(w.max()), centroids, p)
            cost = code_cost(self.gamma * share * limit, p)
            decision = decide(centroids, cost)
        if self.values < CODES - 1:
            used = decision.counts(w)[1:]
            cost[1 + np.argsort(-used, kind="stable")[self.values :]] = np.inf
            decision = decide(centroids, cost)
        return torch.from_numpy(decision(w))
