# SPDX-License-Identifier: Apache-2.0
"""What an epoch of quantised training costs beside one of plain float32 training.

Both train the same network side by side, some steps of one and as many of the other in turn, and
the processor time of one thread is compared. The float network is what PyTorch users write: linear
layers, batch normalisation, ReLU, cross entropy, Adam. Prints one JSON object:

    python benchmarks/train_epoch.py --method ec4t --turns 20
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fantastic4.data import DataSet
from fantastic4.methods import METHODS
from fantastic4.train import Checkpoint, TrainConfig, train

STEPS = 20
"""Steps of a turn."""

NETWORKS = {"mnist": (784, 10), "gsc12": (220, 12)}
"""Inputs and classes of the data sets whose networks and settings are measured."""


def random_data(sizes: tuple[int, ...], examples: int) -> DataSet:
    """Return random bytes with labels that a network can learn in part."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (examples, sizes[0]), dtype=np.uint8)
    y = x[:, : sizes[-1]].argmax(axis=1)
    names = tuple(str(n) for n in range(sizes[-1]))
    return DataSet("random", x, y, x[:100], y[:100], names, "none")


def plain_turns(sizes: tuple[int, ...], batch: int, dropout: float) -> Iterator[None]:
    """Train in float32, one turn between two yields."""
    data = random_data(sizes, STEPS * batch)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(data.x_train.astype(np.float32) / 255)
    y = torch.from_numpy(data.y_train)
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    while True:
        for chosen in torch.from_numpy(rng.permutation(len(x))).split(batch):
            some = x[chosen]
            if dropout:
                lots = np.frombuffer(rng.bytes(some.numel()), np.uint8).reshape(some.shape)
                some = some * torch.from_numpy(lots >= 256 * dropout)
            loss = cross_entropy(model(some), y[chosen], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield


class Turns:
    """Notes the processor time of every quantised epoch, and lets a float turn follow it."""

    def __init__(self, plain: Iterator[None]):
        self.plain = plain
        self.seconds: dict[str, list[float]] = {"float": [], "entropy": [], "frozen": []}
        self.plain_seconds: list[float] = []
        self.started = 0.0

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Take the time before the first and after the last step of an epoch."""
        if batch == 1:
            self.started = time.process_time()
        if batch == batches:
            self.seconds[phase].append((time.process_time() - self.started) / (batches - 1))

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Time a float turn."""
        self.plain_seconds.append(processor_seconds(lambda: next(self.plain)) / STEPS)


def processor_seconds(work: Callable[[], None]) -> float:
    """Return the processor time ``work`` takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(name: str, method: str, values: int | None, turns: int) -> dict[str, Any]:
    """Return milliseconds a step by phase, and that relative to plain PyTorch's.

    ``to_float`` compares the entropy phase with the float phase of the same network and trainer.
    """
    config = TrainConfig.for_dataset(
        name, method=method, values=values, epochs=turns, float_epochs=turns // 2, validation=0.01
    )
    features, classes = NETWORKS[name]
    sizes = (features, *config.hidden, classes)
    config = replace(config, noise=0.0, mixup=0.0, hidden_dropout=0.0)
    seen = Turns(plain_turns(sizes, config.batch, config.dropout))
    examples = round(STEPS * config.batch / (1 - config.validation)) + 1
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "checkpoint.pt")
        train(random_data(sizes, examples), config, seen, checkpoint)
    plain = statistics.median(seen.plain_seconds)
    phases = {name: statistics.median(seconds) for name, seconds in seen.seconds.items()}
    return {
        "sizes": sizes,
        "batch": config.batch,
        "values": config.values,
        "plain_ms": round(1e3 * plain, 2),
        "ms": {name: round(1e3 * seconds, 2) for name, seconds in phases.items()},
        "to_plain": {name: round(seconds / plain, 3) for name, seconds in phases.items()},
        "to_float": round(phases["entropy"] / phases["float"], 3),
    }


def main() -> None:
    """Measure the networks and print the result."""
    parser = argparse.ArgumentParser(description="Time an epoch, quantised beside float32.")
    parser.add_argument("--method", choices=tuple(METHODS), default="ec4t")
    parser.add_argument("--values", type=int, help="Non-zero values; else by data set.")
    parser.add_argument("--turns", type=int, default=20, help=f"Epochs of {STEPS} steps.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    networks = {name: measure(name, given.method, given.values, given.turns) for name in NETWORKS}
    print(json.dumps({"method": given.method, "steps": STEPS, "networks": networks}, indent=2))


if __name__ == "__main__":
    main()
