# SPDX-License-Identifier: Apache-2.0
"""What a data set is."""

from dataclasses import dataclass

import numpy as np

from fantastic4.errors import DataError

NORMALISATIONS = ("none", "global", "feature")


@dataclass(frozen=True)
class DataSet:
    """A classification task, split into training and test.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    x_train, x_test : numpy.ndarray
        Raw inputs, uint8 or float32, shape ``(n, features)``.
    y_train, y_test : numpy.ndarray
        Labels, int64 in ``0..len(classes) - 1``, shape ``(n,)``.
    classes : tuple of str
        Name of each label.
    normalise : str
        How raw inputs become 8-bit activations: "none" (they are bytes already), "global" (one
        gain; inputs must not be negative) or "feature" (each feature standardised).
    validation : numpy.ndarray or None
        Which training examples are set aside to pick a model, bool, shape ``(n,)``, where the
        data set says so itself.

    Raises
    ------
    DataError
        If a shape, type or value is not as described, or a class has no training example.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    normalise: str = "feature"
    validation: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.normalise not in NORMALISATIONS:
            self._refuse(f"normalise must be one of {NORMALISATIONS}, not {self.normalise!r}")
        for part in ("train", "test"):
            self._check(part, getattr(self, f"x_{part}"), getattr(self, f"y_{part}"))
        if self.x_train.shape[1] != self.x_test.shape[1]:
            self._refuse(
                f"x_train and x_test must have the same features, "
                f"not {self.x_train.shape[1]} and {self.x_test.shape[1]}"
            )
        if self.normalise == "none" and self.x_train.dtype != np.uint8:
            self._refuse('inputs must be uint8 where normalise is "none"')
        rest = self.y_train
        if self.validation is not None:
            if self.validation.shape != rest.shape or self.validation.dtype != bool:
                self._refuse(f"validation must be bool {rest.shape}")
            rest = rest[~self.validation]
        counts = np.bincount(rest, minlength=len(self.classes))
        if not counts.all():
            missing = self.classes[int(np.argmin(counts))]
            self._refuse(f"class {missing!r} has no example in the training split")

    def _check(self, part: str, x: np.ndarray, y: np.ndarray) -> None:
        """Refuse inputs and labels of the split ``part`` that are not as described."""
        if 0 in x.shape:
            self._refuse(f"x_{part} is empty, its shape is {x.shape}")
        if x.ndim != 2 or x.dtype not in (np.uint8, np.float32):
            self._refuse(
                f"x_{part} must be uint8 or float32 (n, features), not {x.dtype} {x.shape}"
            )
        if y.shape != (len(x),) or y.dtype != np.int64:
            self._refuse(f"y_{part} must be int64 ({len(x)},), not {y.dtype} {y.shape}")
        if y.min() < 0 or y.max() >= len(self.classes):
            row = int(np.argmax((y < 0) | (y >= len(self.classes))))
            self._refuse(
                f"y_{part} must be labels 0..{len(self.classes) - 1}, not {y[row]} (row {row})"
            )
        if not np.isfinite(x).all():
            row, column = (int(axis[0]) for axis in np.nonzero(~np.isfinite(x)))
            self._refuse(
                f"x_{part} must be finite, not {x[row, column]} in row {row}, column {column}"
            )

    def _refuse(self, what: str) -> None:
        raise DataError(f"data set {self.name!r}: {what}")

    @property
    def features(self) -> int:
        """Inputs of a network for this task."""
        return self.x_train.shape[1]
