# SPDX-License-Identifier: Apache-2.0
"""ECQx: entropy-constrained training that spares relevant weights (arXiv 2109.04236)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fantastic4.entropy import decide
from fantastic4.methods.ec4t import Ec4t

SCALE = 2.0
"""ρ: what the zero cluster's cost is multiplied by for the most relevant weight."""

TOLERANCE = 0.1
"""How far the share of zeros may be from that without relevance."""

SEARCH = 12
"""Steps of the search for β."""


@dataclass(frozen=True)
class Ecqx(Ec4t):
    """EC4T with the zero cluster's cost multiplied by ``ρ·R^β``, R the weight's relevance.

    β gives a weight of mean relevance the factor 1, unless the share of zeros then departs by more
    than `TOLERANCE` from that of EC4T.
    """

    uses_relevance: ClassVar[bool] = True

    def assign(
        self,
        weight: np.ndarray,
        centroids: np.ndarray,
        cost: np.ndarray,
        relevance: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the code of least cost for each weight, uint8 (out, in)."""
        plain = decide(centroids, cost)(weight)
        if relevance is None or not np.isfinite(cost[1:]).any():
            return plain
        others = cost.copy()
        others[0] = np.inf
        codes = decide(centroids, others)(weight)
        table, extra = centroids.astype(np.float32), others.astype(np.float32)
        other_cost = np.square(weight - table[codes]) + extra[codes]
        zero_cost = SCALE * (np.square(weight) + np.float32(cost[0]))
        # Zero wins where ρ R^β zero_cost <= other_cost, that is β ln R <= ln(other_cost / ...).
        with np.errstate(divide="ignore"):
            bound = np.log(other_cost) - np.log(zero_cost)
            surprise = np.log(relevance)
        beta = _beta(bound, surprise, relevance, float((plain == 0).mean()))
        codes[_zeros(beta, bound, surprise)] = 0
        return codes


def _zeros(beta: float, bound: np.ndarray, surprise: np.ndarray) -> np.ndarray:
    """Return which weights take the zero cluster, bool (out, in)."""
    return beta * surprise <= bound if beta else bound >= 0


def _beta(bound: np.ndarray, surprise: np.ndarray, relevance: np.ndarray, target: float) -> float:
    """Return β, for which the share of zeros is within `TOLERANCE` of ``target``."""
    mean = float(relevance.mean())
    beta = min(-math.log(SCALE) / math.log(mean), 1.0) if 0 < mean < 1 else 1.0
    low, high = 0.0, math.inf
    for _ in range(SEARCH):
        excess = float(_zeros(beta, bound, surprise).mean()) - target
        if abs(excess) <= TOLERANCE:
            break
        low, high = (low, beta) if excess > 0 else (beta, high)
        beta = (low + high) / 2 if high < math.inf else 2 * beta
    return beta
