# SPDX-License-Identifier: Apache-2.0
"""How the raw inputs of a data set become unsigned 8-bit activations."""

from dataclasses import dataclass

import numpy as np

from fantastic4.data.task import DataSet
from fantastic4.errors import DataError
from fantastic4.network import InputQuant

COVERAGE = 0.999
"""Share of the standardised training values that 8 bits must reach without clipping."""


@dataclass(frozen=True)
class InputScale:
    """What the activations of the first layer mean.

    Parameters
    ----------
    quant : InputQuant
        Raw inputs to activations x, uint8.
    scale : float
        One step of x; the network sees ``scale * (x - zero_point)``.
    zero_point : int
        The activation that means 0.
    """

    quant: InputQuant
    scale: float
    zero_point: int

    def real(self, raw: np.ndarray) -> np.ndarray:
        """Return what a network without 8-bit inputs sees: unrounded, float32 (n, features)."""
        x = raw.astype(np.float64) * self.quant.gain + self.quant.offset
        return ((x - self.zero_point) * self.scale).astype(np.float32)


def input_quant(data: DataSet) -> InputScale:
    """Return the activations for ``data``, from its training inputs alone.

    "none": x is the raw byte and the network sees x / 255. "global": one gain takes the largest
    training value to 255, and the network sees 0..1. "feature": every feature is standardised and
    all share one scale, with 0 at x = 128.

    Raises
    ------
    DataError
        If "global" inputs are negative or all zero.
    """
    raw = data.x_train.astype(np.float64)
    if data.normalise == "none":
        return InputScale(InputQuant(np.ones(1), np.zeros(1)), 1 / 255, 0)
    if data.normalise == "global":
        if raw.min() < 0 or raw.max() == 0:
            raise DataError(
                f'data set {data.name!r}: inputs must be positive where normalise is "global", '
                f"not {raw.min()}..{raw.max()}"
            )
        return InputScale(InputQuant(np.array([255 / raw.max()]), np.zeros(1)), 1 / 255, 0)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    flat = deviation <= 1e-9 * (1 + np.abs(mean))  # a constant feature says nothing
    inverse = np.where(flat, 0.0, 1 / np.where(flat, 1.0, deviation))
    reach = float(np.quantile(np.abs((raw - mean) * inverse), COVERAGE))
    scale = (reach or 1.0) / 127
    gain = inverse / scale
    return InputScale(InputQuant(gain, 128 - mean * gain), scale, 128)
