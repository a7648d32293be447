# SPDX-License-Identifier: Apache-2.0
"""What a method of quantisation decides."""

from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor


class Method(Protocol):
    """How a layer's basis starts and moves, and how codes follow from the background weights.

    Parameters
    ----------
    gamma : float
        Strength of the entropy term, 0 (nearest centroid) to 1 (an outermost cluster empties).
    values : int
        Most non-zero values a layer may use, 1..15.
    objective : str
        What the entropy term counts: one of `fantastic4.methods.OBJECTIVES`.
    """

    uses_relevance: ClassVar[bool]
    """Whether `assign` wants to know what each weight contributes to the network's answer."""

    def __init__(self, gamma: float, values: int, objective: str = ...) -> None: ...

    def init_basis(self, weight: Tensor) -> Tensor:
        """Return the first basis (4,) for ``weight`` (out, in)."""
        ...

    def settle(self, basis: Tensor) -> Tensor:
        """Return the basis (4,) nearest to ``basis`` that the method allows."""
        ...

    def costs(self, weight: np.ndarray, centroids: np.ndarray, share: float) -> np.ndarray:
        """Return what each code costs beside its squared distance, float64 (16,).

        Parameters
        ----------
        weight : numpy.ndarray
            float32 (out, in).
        centroids : numpy.ndarray
            What each code stands for, float64 (16,).
        share : float
            The layer's δ, 0..1.
        """
        ...

    def assign(
        self,
        weight: np.ndarray,
        centroids: np.ndarray,
        cost: np.ndarray,
        relevance: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the codes, uint8 (out, in), for a ``cost`` from `costs`.

        ``relevance`` (out, in), float32 in 0..1, is given to a method that uses it.
        """
        ...
