# SPDX-License-Identifier: Apache-2.0
"""The integer network: what training is lowered to, what golden computes and what is packed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fantastic4.config import BASIS_COUNT, MAX_FEATURES, MAX_LAYERS, MAX_PLANES
from fantastic4.errors import ModelError

MAX_SHIFT = 35
"""Largest rounding shift of a layer."""


@dataclass(frozen=True)
class InputQuant:
    """How raw inputs become unsigned 8-bit activations.

    ``x = clip(floor(raw * gain + offset + 0.5), 0, 255)``, computed in float64.

    Parameters
    ----------
    gain, offset : numpy.ndarray
        float64, shape ``(in_features,)`` or ``(1,)``.
    """

    gain: np.ndarray
    offset: np.ndarray

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Return activations, uint8, of ``raw`` inputs, shape ``(batch, in_features)``."""
        scaled = np.asarray(raw, np.float64) * self.gain + self.offset
        return np.clip(np.floor(scaled + 0.5), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class IntegerLayer:
    """One fully connected layer in integers.

    ``z[r] = bias[r] + sum_p sum_i basis[r, p, i] * sum_j B_i[p, r, j] * x[j]``, where ``B_i`` is
    bit ``i`` of ``codes``; then, unless ``logits``,
    ``y = clamp(floor(z / 2**shift + 1/2), low, high)``.

    Parameters
    ----------
    name : str
        For messages and reports.
    codes : numpy.ndarray
        uint8 in 0..15, shape ``(planes, out_features, in_features)``. An 8-bit layer has two
        planes over the same inputs; every other layer one.
    basis : numpy.ndarray
        int32 holding signed 16-bit values, shape ``(rows, planes, 4)``; ``rows`` is 1 (shared by
        the layer) or ``out_features``.
    bias : numpy.ndarray
        int64 holding signed 32-bit values, shape ``(out_features,)``. Includes the correction for
        the zero point of the inputs.
    shift : int
        Rounding shift, 0..35.
    low, high : int
        Clamp of the output activation, ``0 <= low <= high <= 255``. ReLU is ``low = 0``.
    logits : bool
        Emit ``z`` as it is (last layer only).

    Raises
    ------
    ModelError
        If a shape or value is out of its range.
    """

    name: str
    codes: np.ndarray
    basis: np.ndarray
    bias: np.ndarray
    shift: int = 0
    low: int = 0
    high: int = 255
    logits: bool = False

    def __post_init__(self) -> None:
        def refuse(what: str) -> None:
            raise ModelError(f"layer {self.name!r}: {what}")

        if self.codes.ndim != 3 or self.codes.dtype != np.uint8:
            refuse(
                f"codes must be uint8 (planes, out, in), not {self.codes.dtype} with shape "
                f"{self.codes.shape}"
            )
        planes, rows, columns = self.codes.shape
        if not 1 <= planes <= MAX_PLANES:
            refuse(f"planes must be 1..{MAX_PLANES}, not {planes}")
        if not (1 <= rows <= MAX_FEATURES and 1 <= columns <= MAX_FEATURES):
            refuse(f"in and out features must be 1..{MAX_FEATURES}, not {columns} and {rows}")
        if self.codes.max() > 15:
            refuse(f"codes must be 0..15, not {self.codes.max()}")
        if self.basis.shape not in ((1, planes, BASIS_COUNT), (rows, planes, BASIS_COUNT)):
            refuse(f"basis must have shape (1 or {rows}, {planes}, 4), not {self.basis.shape}")
        if self.bias.shape != (rows,):
            refuse(f"bias must have shape ({rows},), not {self.bias.shape}")
        for what, values, bits in (("basis", self.basis, 16), ("bias", self.bias, 32)):
            if not np.issubdtype(values.dtype, np.signedinteger):
                refuse(f"{what} must be signed integers, not {values.dtype}")
            if values.min() < -(1 << bits - 1) or values.max() >= 1 << bits - 1:
                refuse(f"{what} must fit {bits} signed bits, not {values.min()}..{values.max()}")
        if not 0 <= self.shift <= MAX_SHIFT:
            refuse(f"shift must be 0..{MAX_SHIFT}, not {self.shift}")
        if not 0 <= self.low <= self.high <= 255:
            refuse(f"clamp must be within 0..255, not {self.low}..{self.high}")

    @property
    def planes(self) -> int:
        """Code planes."""
        return self.codes.shape[0]

    @property
    def in_features(self) -> int:
        """Inputs."""
        return self.codes.shape[2]

    @property
    def out_features(self) -> int:
        """Outputs, or rows."""
        return self.codes.shape[1]

    @property
    def per_row(self) -> bool:
        """Whether each row has a basis of its own."""
        return self.basis.shape[0] > 1

    @property
    def weights(self) -> int:
        """Weights of the layer, whatever the number of planes."""
        return self.in_features * self.out_features

    def values(self) -> np.ndarray:
        """Return the integer weight of every plane, int64, shape ``(planes, out, in)``."""
        total = np.zeros(self.codes.shape, np.int64)
        for i in range(BASIS_COUNT):
            omega = self.basis[:, :, i].astype(np.int64).T[:, :, None]  # (planes, rows, 1)
            total += omega * (self.codes >> i & 1)
        return total


@dataclass(frozen=True)
class Network:
    """A chain of integer layers with what is needed to use it on raw inputs.

    Parameters
    ----------
    layers : tuple of IntegerLayer
        At most 16; each takes what the one before gives. Only the last may emit logits.
    quant : InputQuant
        Raw inputs to activations.
    classes : tuple of str
        Names of the outputs, or empty.
    metadata : dict
        Anything that is plain JSON: data set, training figures.
    """

    layers: tuple[IntegerLayer, ...]
    quant: InputQuant
    classes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ModelError(f"a network must have 1..{MAX_LAYERS} layers, not {len(self.layers)}")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.out_features != after.in_features:
                raise ModelError(
                    f"layer {after.name!r} must take the {before.out_features} outputs of "
                    f"{before.name!r}, not {after.in_features} inputs"
                )
            if before.logits:
                raise ModelError(f"layer {before.name!r} emits logits but is not the last")

    @property
    def in_features(self) -> int:
        """Inputs of the network."""
        return self.layers[0].in_features

    @property
    def out_features(self) -> int:
        """Outputs of the network."""
        return self.layers[-1].out_features

    @property
    def weights(self) -> int:
        """Weights of all layers."""
        return sum(layer.weights for layer in self.layers)
