# SPDX-License-Identifier: Apache-2.0
"""EC4T: entropy-constrained 4-bit training with four learned basis coefficients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from fantastic4.entropy import (
    CODES,
    code_cost,
    decide,
    information,
    probabilities,
    strength_limit,
)
from fantastic4.estimate import stored_information

UNIFORM = (1.0, 2.0, 4.0, -8.0)
"""The basis of signed int4, in steps."""

OUTLIERS = 0.001
"""Share of the weights that may lie outside the first codebook."""

OBJECTIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "entropy": lambda counts: information(probabilities(counts)),
    "stored": stored_information,
}
"""I_c, the bits of each code, from how many weights each is nearest to."""


@dataclass(frozen=True)
class Ec4t:
    """Codes by ``argmin_c (w - w_c)² + λ I_c`` with ``λ = γ·δ·λmax``.

    I_c is ``-log2 P_c``, P_c by nearest centroid, or with the objective "stored" what the chip's
    formats take for the code.

    With fewer than 15 ``values`` a layer keeps those that most weights take, and the others are
    emptied: few values have short names in the chip's compact formats.
    """

    gamma: float
    values: int = CODES - 1
    objective: str = "entropy"
    allowed: ClassVar[tuple[int, ...]] = tuple(range(CODES))
    """Codes that weights may take."""

    uses_relevance: ClassVar[bool] = False

    def init_basis(self, weight: Tensor) -> Tensor:
        """Return ``Δ·(1, 2, 4, -8)``, whose codebook reaches the 99.9 percentile of |W|."""
        reach = np.quantile(weight.detach().abs().numpy(), 1 - OUTLIERS)
        return torch.tensor(UNIFORM) * (float(reach) / 7.5)

    def settle(self, basis: Tensor) -> Tensor:
        """Return ``basis``: all four coefficients are free."""
        return basis

    def costs(self, weight: np.ndarray, centroids: np.ndarray, share: float) -> np.ndarray:
        """Return ``λ I_c``, float64 (16,); infinite for a code that is not to be used."""
        cost = np.full(CODES, np.inf)
        cost[list(self.allowed)] = 0
        if self.gamma > 0:
            bits = OBJECTIVES[self.objective](decide(centroids, cost).counts(weight))
            limit = strength_limit(float(weight.min()), float(weight.max()), centroids, bits)
            cost = cost + code_cost(self.gamma * share * limit, bits)
        if self.values < CODES - 1:
            used = decide(centroids, cost).counts(weight)[1:]
            cost[1 + np.argsort(-used, kind="stable")[self.values :]] = np.inf
        return cost

    def assign(
        self,
        weight: np.ndarray,
        centroids: np.ndarray,
        cost: np.ndarray,
        relevance: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the code of least cost for each weight, uint8 (out, in)."""
        return decide(centroids, cost)(weight)
