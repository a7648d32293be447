# SPDX-License-Identifier: Apache-2.0
"""Plain uniform 4-bit quantisation-aware training, the baseline: no entropy term."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fantastic4.methods.ec4t import UNIFORM, Ec4t


@dataclass(frozen=True)
class Int4(Ec4t):
    """Nearest of the 16 values of signed int4; their step Δ is learned, ``gamma`` has no effect."""

    def settle(self, basis: Tensor) -> Tensor:
        """Return ``Δ·(1, 2, 4, -8)``, in the least squares nearest to ``basis``."""
        uniform = torch.tensor(UNIFORM, dtype=basis.dtype)
        return uniform * (torch.dot(basis, uniform) / torch.dot(uniform, uniform))

    def costs(self, weight: np.ndarray, centroids: np.ndarray, share: float) -> np.ndarray:
        """Return zeros, (16,), or infinity for all but the ``values`` most frequent values."""
        return Ec4t(0, self.values).costs(weight, centroids, share)
