# SPDX-License-Identifier: Apache-2.0
"""One point of a sweep: everything that decides its record."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fantastic4 import layout
from fantastic4.config import CoreConfig
from fantastic4.data import DataSet
from fantastic4.train import TrainConfig
from fantastic4.train.config import FLOAT_OPTIONS
from fantastic4.version import __version__

RECORD_VERSION = 1
"""Grows with a change of what is measured, so that older records are measured again."""

FIXED: dict[str, dict[str, Any]] = {
    "int4": {"gamma": 0.0, "objective": "entropy", "wide_layers": ()},
    "ec2t": {"values": 2},
}
"""Options that a method decides by itself: a grid has one point for all their values."""


@dataclass(frozen=True)
class Point:
    """A network to train, lower, pack and measure.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    source : str
        What loads it: its name, or a file; no part of the `key`.
    data_digest : str
        Of the arrays, as `data_digest` gives it.
    training : TrainConfig
    core : CoreConfig
        What the network is packed for.
    series : str
        The curve that the point belongs to; no part of its `key`.
    """

    dataset: str
    source: str
    data_digest: str
    training: TrainConfig
    core: CoreConfig
    series: str

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits: the digest of everything but source and series."""
        return _digest(
            {
                "version": [RECORD_VERSION, __version__, layout.VERSION],
                "dataset": [self.dataset, self.data_digest],
                "training": self.training.plain(),
                "core": asdict(self.core),
            }
        )

    @property
    def float_key(self) -> str:
        """The same of what decides the float phase: points that share it train it once."""
        options = self.training.plain()
        return _digest(
            {
                "version": [RECORD_VERSION, __version__],
                "dataset": [self.dataset, self.data_digest],
                "training": {name: options[name] for name in FLOAT_OPTIONS},
            }
        )

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return self.training.float_epochs + self.training.epochs

    def __str__(self) -> str:
        training = self.training
        widths = ",".join(map(str, training.hidden)) or "no hidden layer"
        return (
            f"{self.dataset} {widths}  {self.series}  γ {training.gamma:g}  "
            f"{training.values} values  seed {training.seed}"
        )


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def data_digest(data: DataSet) -> str:
    """Return the SHA-256 of everything in ``data``, in hexadecimal."""
    state = hashlib.sha256()
    for name, value in vars(data).items():
        if isinstance(value, np.ndarray):
            state.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
            state.update(np.ascontiguousarray(value).tobytes())
        else:
            state.update(f"{name} {value!r}\n".encode())
    return state.hexdigest()


def training_config(dataset: str, method: str, **given: Any) -> TrainConfig:
    """Return how ``method`` trains on ``dataset``, with the options ``given`` (None: not given).

    Raises
    ------
    FantasticError
        If there is no such method, or an option is out of its range.
    """
    chosen = FIXED.get(method, {}) | {"method": method}
    return TrainConfig.for_dataset(dataset, **(given | chosen))
