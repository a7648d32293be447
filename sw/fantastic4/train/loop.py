# SPDX-License-Identifier: Apache-2.0
"""The training loop: float, then entropy-constrained, then with frozen codes."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fantastic4.data.inputs import InputScale, input_quant
from fantastic4.data.registry import DataSet
from fantastic4.entropy import entropy
from fantastic4.errors import FantasticError
from fantastic4.lower import lower, snap
from fantastic4.model import Mlp
from fantastic4.network import Network
from fantastic4.quant import Ec4t, Method
from fantastic4.train.config import TrainConfig

EVAL_BATCH = 5000
WARM_UP = 0.05
"""Share of a phase in which the learning rate rises."""


class Progress(Protocol):
    """Told how training goes; ``phase`` is "float", "entropy" or "frozen"."""

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Count ``batch`` of ``batches`` in ``epoch`` of the phase's ``epochs``, all from 1."""
        ...

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Tell loss, validation_loss, validation accuracy (0..1) and entropy (bits a weight)."""
        ...


@dataclass(frozen=True)
class TrainResult:
    """A trained, quantised model and how it did.

    Accuracies are shares of right answers, 0..1; those of the test split were taken once, at the
    end of the float phase and of training. ``history`` has the metrics of every epoch with its
    ``phase``.
    """

    model: Mlp
    inputs: InputScale
    dataset: str
    classes: tuple[str, ...]
    config: TrainConfig
    accuracy_float: float
    accuracy_quantised: float
    accuracy_validation: float
    history: list[dict[str, Any]] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        """Return what a model file keeps about the run, plain JSON."""
        codes = [layer.codes.numpy() for layer in self.model.layers]
        return {
            "dataset": self.dataset,
            "seed": self.config.seed,
            "accuracy": {
                "float": self.accuracy_float,
                "quantised": self.accuracy_quantised,
                "validation": self.accuracy_validation,
            },
            "entropy": [entropy(part) for part in codes],
            "density": [float((part != 0).mean()) for part in codes],
            "training": asdict(self.config) | {"hidden": list(self.config.hidden)},
        }

    def network(self) -> Network:
        """Return the integer network, with `metadata`."""
        return lower(self.model, self.inputs.quant, self.classes, self.metadata())


def train(data: DataSet, config: TrainConfig, progress: Progress | None = None) -> TrainResult:
    """Train a network for ``data``.

    Raises
    ------
    FantasticError
        If the training split is too small for ``config.batch``, or the loss is not finite.
    """
    with _threads(config.threads):
        return _Run(data, config, progress).train()


class _Run:
    """One training run: its data as tensors, its random numbers and its model."""

    def __init__(self, data: DataSet, config: TrainConfig, progress: Progress | None):
        self.data, self.config, self.progress = data, config, progress
        self.generator = torch.Generator().manual_seed(config.seed)
        self.inputs = input_quant(data)
        self.labels = torch.from_numpy(data.y_train)
        order = torch.randperm(len(data.x_train), generator=self.generator)
        held = max(1, round(config.validation * len(order)))
        self.validation, self.training = order[:held], order[held:]
        self.batches = len(self.training) // config.batch
        if self.batches == 0:
            raise FantasticError(
                f"batch must be at most the {len(self.training)} examples left for training, "
                f"not {config.batch!r}"
            )
        sizes = (data.features, *config.hidden, len(data.classes))
        scale, zero_point = self.inputs.scale, self.inputs.zero_point
        self.model = Mlp(sizes, config.basis, scale, zero_point, self.generator)
        self.history: list[dict[str, Any]] = []

    def train(self) -> TrainResult:
        """Run all phases and evaluate on the test split."""
        config, model, data, inputs = self.config, self.model, self.data, self.inputs
        y_test = torch.from_numpy(data.y_test)
        weights = [p for name, p in model.named_parameters() if not name.endswith("basis")]

        x = torch.from_numpy(inputs.real(data.x_train))
        self._phase("float", x, [{"params": weights, "lr": config.float_lr}], None)
        x = torch.from_numpy(inputs.real(data.x_test))
        accuracy_float, _ = self._evaluate(x, y_test)

        method = Ec4t(config.gamma, config.values)
        model.quantise(method)
        groups: list[dict[str, Any]] = [{"params": weights, "lr": config.lr}]
        for layer in model.layers:
            size = float(layer.basis.detach().abs().max())
            groups.append({"params": [layer.basis], "lr": config.basis_lr * size})
        x = model.real(torch.from_numpy(inputs.quant(data.x_train)))
        accuracy_validation = self._phase("entropy", x, groups, method)
        snap(model)
        x = model.real(torch.from_numpy(inputs.quant(data.x_test)))
        accuracy_quantised, _ = self._evaluate(x, y_test)

        return TrainResult(
            model=model,
            inputs=inputs,
            dataset=data.name,
            classes=data.classes,
            config=config,
            accuracy_float=accuracy_float,
            accuracy_quantised=accuracy_quantised,
            accuracy_validation=accuracy_validation,
            history=self.history,
        )

    def _phase(
        self, phase: str, x: Tensor, groups: list[dict[str, Any]], method: Method | None
    ) -> float:
        """Train one phase, keep its best model and return its validation accuracy.

        With a ``method``, codes are assigned after every step until the frozen epochs, and only
        the last assignment and the frozen epochs can be the best: they have all of the entropy
        pressure behind them.
        """
        model = self.model
        epochs = self.config.epochs if method else self.config.float_epochs
        free = epochs - (self.config.frozen_epochs if method else 0)
        optimiser = torch.optim.Adam(groups, fused=True)
        steps = epochs * self.batches
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps))
        best, best_key = copy.deepcopy(model.state_dict()), (-1.0, 0.0)
        for epoch in range(epochs):
            frozen = epoch >= free
            if frozen:
                model.freeze()
            name = "frozen" if frozen else phase
            number = (epoch - free + 1, epochs - free) if frozen else (epoch + 1, free)
            model.train()
            total = torch.zeros(())
            for batch, chosen in enumerate(self._shuffled(), 1):
                total += self._step(x[chosen], self.labels[chosen], optimiser)
                schedule.step()
                if method and not frozen:
                    model.assign(method)
                if self.progress:
                    self.progress.batch(name, *number, batch, self.batches)
            accuracy, loss = self._evaluate(x[self.validation], self.labels[self.validation])
            metrics = {
                "loss": float(total) / self.batches,
                "validation_loss": loss,
                "accuracy": accuracy,
            } | ({"entropy": self._entropy()} if method else {})
            if not all(math.isfinite(value) for value in metrics.values()):
                raise FantasticError(
                    f"the loss is not finite in epoch {epoch + 1}; try a smaller learning rate"
                )
            self.history.append({"phase": name, "epoch": number[0], **metrics})
            if self.progress:
                self.progress.epoch(name, *number, metrics)
            if (accuracy, -loss) >= best_key and (not method or epoch >= free - 1):
                best, best_key = copy.deepcopy(model.state_dict()), (accuracy, -loss)
        model.load_state_dict(best)
        return best_key[0]

    def _shuffled(self) -> Tensor:
        """Return the indices of an epoch's whole batches, (batches, batch)."""
        order = torch.randperm(len(self.training), generator=self.generator)
        size = self.config.batch
        return self.training[order[: self.batches * size]].view(self.batches, size)

    def _step(self, x: Tensor, labels: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
        """Take one step and return its loss."""
        if self.config.dropout:
            x = x * (torch.rand(x.shape, generator=self.generator) >= self.config.dropout)
        loss = cross_entropy(self.model(x), labels, label_smoothing=self.config.smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    @torch.no_grad()
    def _evaluate(self, x: Tensor, labels: Tensor) -> tuple[float, float]:
        """Return accuracy (0..1) and mean loss."""
        self.model.eval()
        logits = torch.cat([self.model(part) for part in x.split(EVAL_BATCH)])
        right = int((logits.argmax(1) == labels).sum())
        return right / len(labels), float(cross_entropy(logits, labels))

    def _entropy(self) -> float:
        """Return the mean first-order entropy of all codes, bits a weight."""
        bits = [(layer.codes.numel(), entropy(layer.codes.numpy())) for layer in self.model.layers]
        return sum(n * h for n, h in bits) / sum(n for n, _ in bits)


def _rate(done: float) -> float:
    """Return the learning rate, as a share of its peak, at ``done`` (0..1) of a phase."""
    if done < WARM_UP:
        return 0.1 + 0.9 * done / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let PyTorch use ``number`` threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
