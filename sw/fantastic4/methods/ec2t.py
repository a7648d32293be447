# SPDX-License-Identifier: Apache-2.0
"""EC2T: entropy-constrained training of asymmetric ternary weights (arXiv 2004.01077)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fantastic4.methods.ec4t import Ec4t

START = 0.3
"""Share of a layer's extreme weights at which its two values start."""


@dataclass(frozen=True)
class Ec2t(Ec4t):
    """Weights ``{w_p, -w_n, 0}``, both values learned; the decision is that of EC4T."""

    allowed: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def init_basis(self, weight: Tensor) -> Tensor:
        """Return ``(s·max W, s·min W, 0, 0)``."""
        low, high = torch.aminmax(weight.detach())
        return torch.stack([high, low, torch.zeros(()), torch.zeros(())]) * START

    def settle(self, basis: Tensor) -> Tensor:
        """Return ``basis`` with w_p positive, -w_n negative and the two other coefficients 0."""
        return torch.stack(
            [basis[0].clamp(min=0), basis[1].clamp(max=0), torch.zeros(()), torch.zeros(())]
        )
