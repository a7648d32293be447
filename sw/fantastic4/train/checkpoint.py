# SPDX-License-Identifier: Apache-2.0
"""A training run on disk, so that it can go on where it was stopped."""

import os
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fantastic4.data.registry import DataSet
from fantastic4.errors import FantasticError
from fantastic4.train.config import TrainConfig

VERSION = 2


class Checkpoint:
    """The file that holds the state of one run after its last whole epoch.

    It is replaced in one step: whenever the run is stopped, the file is whole.

    Parameters
    ----------
    path : Path
        The file; its folder is made when it is first written.
    resume : bool
        Continue from the file if there is one; else the run starts anew and replaces it.
    options : collection of str, optional
        The options of `TrainConfig` that a run must share with the file's to continue from it;
        all by default.
    """

    def __init__(self, path: Path, resume: bool = False, options: Collection[str] | None = None):
        self.path, self.resume, self.options = path, resume, options
        self.run: dict[str, Any] = {}

    def open(self, data: DataSet, config: TrainConfig) -> dict[str, Any] | None:
        """Return the state to continue from, None to start anew, for this run from now on.

        Raises
        ------
        FantasticError
            If the file cannot be read, or belongs to another run.
        """
        self.run = {"version": VERSION, "torch": str(torch.__version__), "data": _fingerprint(data)}
        self.run |= {
            key: value
            for key, value in config.plain().items()
            if self.options is None or key in self.options
        }
        if not (self.resume and self.path.exists()):
            return None
        try:
            known = torch.load(self.path, "cpu", weights_only=True)
            run, state = known["run"], known["state"]
        except Exception as error:
            raise FantasticError(
                f"{self.path} is no checkpoint, or damaged: delete it to train from the beginning"
            ) from error
        for key in self.run.keys() | run.keys():
            if run.get(key) != self.run.get(key):
                raise FantasticError(
                    f"{self.path} is of another run ({key} {run.get(key)}, not "
                    f"{self.run.get(key)}): train with its settings, or without --resume to "
                    "begin anew"
                )
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file by one with ``state``: tensors, numbers, texts, and lists of them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with part.open("wb") as file:
            torch.save({"run": self.run, "state": state}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        self.path.unlink(missing_ok=True)


def _fingerprint(data: DataSet) -> str:
    """Return a text that differs for different data."""
    crc = 0
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        crc = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data, crc)
    return f"{data.name} {crc:08x}"
