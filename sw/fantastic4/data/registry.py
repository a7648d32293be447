# SPDX-License-Identifier: Apache-2.0
"""What a data set is, and the table of those that can be loaded by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fantastic4.data.fetch import Files, Progress
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

    Raises
    ------
    DataError
        If a shape, type or value is not as described.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    normalise: str = "feature"

    def __post_init__(self) -> None:
        if self.normalise not in NORMALISATIONS:
            self._refuse(f"normalise must be one of {NORMALISATIONS}, not {self.normalise!r}")
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if x.ndim != 2 or x.dtype not in (np.uint8, np.float32) or 0 in x.shape:
                self._refuse(
                    f"x_{part} must be uint8 or float32 (n, features), not {x.dtype} {x.shape}"
                )
            if y.shape != (len(x),) or y.dtype != np.int64:
                self._refuse(f"y_{part} must be int64 ({len(x)},), not {y.dtype} {y.shape}")
            if y.min() < 0 or y.max() >= len(self.classes):
                self._refuse(
                    f"y_{part} must be labels 0..{len(self.classes) - 1}, not {y.min()}..{y.max()}"
                )
            if not np.isfinite(x).all():
                self._refuse(f"x_{part} must be finite")
        if self.x_train.shape[1] != self.x_test.shape[1]:
            self._refuse(
                f"x_train and x_test must have the same features, "
                f"not {self.x_train.shape[1]} and {self.x_test.shape[1]}"
            )
        if self.normalise == "none" and self.x_train.dtype != np.uint8:
            self._refuse('inputs must be uint8 where normalise is "none"')

    def _refuse(self, what: str) -> None:
        raise DataError(f"data set {self.name!r}: {what}")

    @property
    def features(self) -> int:
        """Inputs of a network for this task."""
        return self.x_train.shape[1]


Loader = Callable[[Files, int], DataSet]

_LOADERS: dict[str, Loader] = {}


def dataset(name: str) -> Callable[[Loader], Loader]:
    """Register the decorated ``loader(files, seed)`` as the data set ``name``."""

    def register(loader: Loader) -> Loader:
        _LOADERS[name] = loader
        return loader

    return register


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(_LOADERS)


def load(
    name: str,
    data_dir: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> DataSet:
    """Return the data set called ``name``.

    Parameters
    ----------
    data_dir : path, optional
        Folder searched first; without it, the environment variable ``FANTASTIC4_DATA``. Then comes
        the user's cache, then the network.
    seed : int
        Draws the split of a data set that has none of its own.
    progress : callable, optional
        Told ``(file, bytes done, bytes in all or None)`` during a download.

    Raises
    ------
    DataError
        If there is no such data set, or its files cannot be had or are damaged.
    """
    if name not in _LOADERS:
        raise DataError(f"there is no data set {name!r}; choose one of {', '.join(_LOADERS)}")
    return _LOADERS[name](Files.find(data_dir, progress), seed)
