# SPDX-License-Identifier: Apache-2.0
"""The batches of an epoch: shuffled, and varied so that no epoch sees the same inputs twice."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fantastic4.train.config import TrainConfig


class Batches:
    """Draws everything that is random in training after the first weights.

    Parameters
    ----------
    training : numpy.ndarray
        Indices of the examples to train with.
    config : TrainConfig
        ``batch``, ``dropout``, ``hidden_dropout``, ``noise``, ``mixup`` and ``seed``.
    """

    def __init__(self, training: np.ndarray, config: TrainConfig):
        self.training, self.config = training, config
        self.count = len(training) // config.batch
        self.rng = np.random.Generator(np.random.SFC64(config.seed))

    def epoch(self, x: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield inputs (batch, features) and targets (batch, classes), the whole batches only."""
        order = self.rng.permutation(self.training)
        for chosen in order[: self.count * self.config.batch].reshape(self.count, -1):
            yield self._varied(x[chosen], targets[chosen])

    def _varied(self, x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the batch mixed, with noise, and with inputs dropped, as configured."""
        if self.config.mixup:
            share = np.float32(self.rng.beta(self.config.mixup, self.config.mixup))
            other = self.rng.permutation(len(x))
            x = share * x + (1 - share) * x[other]
            targets = share * targets + (1 - share) * targets[other]
        if self.config.noise:
            x = x + np.float32(self.config.noise) * self.rng.standard_normal(x.shape, np.float32)
        if self.config.dropout:
            x = x * self._kept(x.shape, self.config.dropout)
        return x, targets

    def thin(self, y: Tensor) -> Tensor:
        """Return hidden activations (batch, features) with some dropped, the others scaled up."""
        share = self.config.hidden_dropout
        kept = torch.from_numpy(self._kept(tuple(y.shape), share)).to(y.device)
        return y * (kept / (1 - share))

    def _kept(self, shape: tuple[int, ...], dropout: float) -> np.ndarray:
        """Return which activations are not dropped, bool; drawn with eight bits each."""
        lots = np.frombuffer(self.rng.bytes(math.prod(shape)), np.uint8)
        return lots.reshape(shape) >= round(256 * dropout)

    def state(self) -> str:
        """Return where the random numbers are."""
        return json.dumps(self.rng.bit_generator.state, default=np.ndarray.tolist)

    def restore(self, state: str) -> None:
        """Go back to a `state`."""
        known: dict[str, Any] = json.loads(state)
        known["state"]["state"] = np.array(known["state"]["state"], np.uint64)
        self.rng.bit_generator.state = known
