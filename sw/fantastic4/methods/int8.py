# SPDX-License-Identifier: Apache-2.0
"""Uniform 8-bit weights, for layers that are kept wide: two planes of 4-bit codes."""

import numpy as np
import torch
from torch import Tensor

UNIFORM = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, -128.0)
"""The basis of signed int8, in steps: bits 0..3 of a weight are one plane, 4..7 the other."""

STEPS = 127


def init_basis(weight: Tensor) -> Tensor:
    """Return ``Δ·(1, 2, …, 64, -128)``, whose codebook reaches the largest |W|."""
    step = float(weight.detach().abs().max()) / STEPS
    return torch.tensor(UNIFORM) * (step or 1.0)


def assign(weight: np.ndarray, step: float) -> np.ndarray:
    """Return the nearest code, a signed byte seen as uint8, of ``weight`` (out, in), float32."""
    steps = np.rint(weight / np.float32(step))
    return np.clip(steps, -STEPS - 1, STEPS).astype(np.int8).view(np.uint8)
