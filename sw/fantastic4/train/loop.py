# SPDX-License-Identifier: Apache-2.0
"""The training loop: float, then entropy-constrained, then with frozen codes."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fantastic4.data.inputs import input_quant
from fantastic4.data.registry import DataSet
from fantastic4.errors import FantasticError
from fantastic4.lower import snap
from fantastic4.methods import Method
from fantastic4.methods.relevance import Relevance
from fantastic4.model import Mlp
from fantastic4.train.batches import Batches
from fantastic4.train.checkpoint import Checkpoint
from fantastic4.train.config import TrainConfig
from fantastic4.train.device import find_device, threads
from fantastic4.train.measures import code_metrics, evaluate, logits
from fantastic4.train.progress import Progress
from fantastic4.train.result import TrainResult
from fantastic4.train.schedule import learning_rate
from fantastic4.train.sensitivity import choose_wide
from fantastic4.train.teacher import Teacher

RENEWAL = 16
"""Steps for which the frequencies of codes, and with them their costs, are kept."""


def train(
    data: DataSet,
    config: TrainConfig,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    float_end: Checkpoint | None = None,
) -> TrainResult:
    """Train a network for ``data``.

    Parameters
    ----------
    progress : Progress, optional
        Told how it goes.
    checkpoint : Checkpoint, optional
        Holds the run after each epoch, and is removed at the end. A run that continues from it ends
        as it would have without the stop, to the last bit.
    float_end : Checkpoint, optional
        Holds the end of the float phase, for runs that differ only in what follows: the first
        writes it, the others begin there, and end as they would have without it.

    Raises
    ------
    FantasticError
        If the training split is too small for ``config.batch``, the loss is not finite, or the
        checkpoint is not of this run.
    """
    with threads(config.threads):
        return _Run(data, config, progress, checkpoint, float_end).train()


class _Run:
    """One training run: its data, its random numbers, its model, and where it stands."""

    def __init__(
        self,
        data: DataSet,
        config: TrainConfig,
        progress: Progress | None,
        checkpoint: Checkpoint | None,
        float_end: Checkpoint | None,
    ):
        self.data, self.config, self.progress = data, config, progress
        self.checkpoint, self.float_end = checkpoint, float_end
        self.inputs = input_quant(data)
        generator = torch.Generator().manual_seed(config.seed)
        order = torch.randperm(len(data.x_train), generator=generator).numpy()
        aside = np.zeros(len(order), bool)
        aside[: max(1, round(config.validation * len(order)))] = True
        if data.validation is not None:
            aside = data.validation[order]
        self.validation, training = order[aside], order[~aside]
        if len(training) < config.batch:
            raise FantasticError(
                f"batch must be at most the {len(training)} examples left for training, "
                f"not {config.batch!r}"
            )
        self.batches = Batches(training, config)
        sizes = (data.features, *config.hidden, len(data.classes))
        scale, zero_point = self.inputs.scale, self.inputs.zero_point
        self.device = find_device(config.device)
        self.model = Mlp(sizes, config.basis, scale, zero_point, generator).to(self.device)
        self.labels = torch.from_numpy(data.y_train)
        self.history: list[dict[str, Any]] = []
        self.logits = torch.empty(0)
        self.accuracy_float = 0.0
        self.quantised = False
        self.wide: Sequence[int] = ()
        self.teacher: Teacher | None = None
        self.lively = bool(config.live_teacher and config.distill)

    def train(self) -> TrainResult:
        """Run all phases and evaluate on the test split."""
        config, model, data, inputs = self.config, self.model, self.data, self.inputs
        state = self.checkpoint.open(data, config) if self.checkpoint else None
        begun = self.float_end.open(data, config) if self.float_end else None
        if begun and not (state and state["quantised"]):
            state = begun
        y_test = torch.from_numpy(data.y_test)
        weights = [p for name, p in model.named_parameters() if not name.endswith("basis")]
        smooth = np.eye(len(data.classes), dtype=np.float32)[data.y_train]
        smooth += config.smoothing * (1 / len(data.classes) - smooth)

        if state is None or not state["quantised"]:
            x = torch.from_numpy(inputs.real(data.x_train))
            group = {"params": weights, "peak": config.float_lr, "weight_decay": config.decay}
            self._phase(x, smooth, [group], None, state)
            if config.distill and not self.lively:
                self.logits = logits(model, x)
            x = torch.from_numpy(inputs.real(data.x_test))
            self.accuracy_float, _ = evaluate(model, x, y_test)
            state = None
        else:
            self.logits, self.accuracy_float = state["logits"], state["accuracy_float"]

        method = config.quantisation()
        self.wide = self._choose_wide(method) if state is None else state["wide"]
        self.teacher = self._make_teacher(state)
        model.quantise(method, self.wide)
        self.quantised = True
        groups: list[dict[str, Any]] = [{"params": weights, "peak": config.lr}]
        for layer in model.layers:
            if layer.wide:
                continue
            size = float(layer.basis.detach().abs().max())
            groups.append({"params": [layer.basis], "peak": config.basis_lr * size})
        x = model.real(torch.from_numpy(inputs.quant(data.x_train)))
        targets = smooth
        if config.distill and not self.teacher:
            targets = smooth + config.distill * (torch.softmax(self.logits, 1).numpy() - smooth)
        accuracy_validation = self._phase(x, targets, groups, method, state)
        model.to("cpu")
        snap(model)
        x = model.real(torch.from_numpy(inputs.quant(data.x_test)))
        accuracy_quantised, _ = evaluate(model, x, y_test)
        if self.checkpoint:
            self.checkpoint.remove()

        return TrainResult(
            model=model,
            inputs=inputs,
            dataset=data.name,
            classes=data.classes,
            config=config,
            accuracy_float=self.accuracy_float,
            accuracy_quantised=accuracy_quantised,
            accuracy_validation=accuracy_validation,
            history=self.history,
        )

    def _make_teacher(self, state: dict[str, Any] | None) -> Teacher | None:
        """Return the float network if it is to be asked in every step."""
        if not self.lively:
            return None
        if state:
            return Teacher.from_state(state["teacher"], self.device)
        return Teacher.of(self.model)

    def _choose_wide(self, method: Method) -> Sequence[int]:
        """Return the layers that get weights of 8 bits, by the validation examples if "auto"."""
        given = self.config.wide_layers
        if not isinstance(given, str):
            return given
        x = torch.from_numpy(self.inputs.real(self.data.x_train[self.validation]))
        labels = self.labels[self.validation].to(self.device)
        return choose_wide(self.model, method, x.to(self.device), labels)

    def _phase(
        self,
        x: Tensor,
        targets: np.ndarray,
        groups: list[dict[str, Any]],
        method: Method | None,
        state: dict[str, Any] | None,
    ) -> float:
        """Train one phase, from ``state`` if any, keep its best model, return its accuracy.

        With a ``method``, codes are assigned after every step until the frozen epochs, and only
        the last assignment and the frozen epochs can be the best: they have all of the entropy
        pressure behind them.
        """
        model, count = self.model, self.batches.count
        epochs = self.config.epochs if method else self.config.float_epochs
        free = epochs - (self.config.frozen_epochs if method else 0)
        optimiser = torch.optim.AdamW(groups, lr=0.0, weight_decay=0.0, fused=True)
        relevance = Relevance(model) if method and method.uses_relevance else None
        best, best_key, first = copy.deepcopy(model.state_dict()), (-1.0, 0.0), 0
        if state:
            first, best, best_key = state["epoch"], state["best"], tuple(state["best_key"])
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            self.batches.restore(state["random"])
            self.history = state["history"]
            if relevance:
                relevance.means = [mean.to(self.device) for mean in state["relevance"]]
        for epoch in range(first, epochs):
            frozen = epoch >= free
            if frozen:
                model.freeze()
            name = "frozen" if frozen else "entropy" if method else "float"
            number = (epoch - free + 1, epochs - free) if frozen else (epoch + 1, free)
            model.train()
            total = torch.zeros((), device=self.device)
            for batch, (some, wanted) in enumerate(self.batches.epoch(x.numpy(), targets), 1):
                rate = learning_rate((epoch * count + batch - 1) / (epochs * count))
                for group in optimiser.param_groups:
                    group["lr"] = rate * group["peak"]
                inputs = torch.from_numpy(some).to(self.device)
                targets_of = torch.from_numpy(wanted).to(self.device)
                total += self._step(inputs, targets_of, optimiser)
                if method:
                    model.settle(method)
                if method and not frozen:
                    renew = batch % RENEWAL == 1
                    if renew and relevance:
                        relevance.update(model, inputs, targets_of.argmax(1))
                    model.assign(method, renew, relevance)
                if self.progress:
                    self.progress.batch(name, *number, batch, count)
            accuracy, loss = evaluate(model, x[self.validation], self.labels[self.validation])
            metrics: dict[str, Any] = {
                "loss": float(total) / count,
                "validation_loss": loss,
                "accuracy": accuracy,
            }
            if not all(math.isfinite(value) for value in metrics.values()):
                raise FantasticError(
                    f"the loss is not finite in epoch {epoch + 1}; try a smaller learning rate"
                )
            if method:
                metrics |= code_metrics(model)
            self.history.append({"phase": name, "epoch": number[0], **metrics})
            if self.progress:
                self.progress.epoch(name, *number, metrics)
            if (accuracy, -loss) >= best_key and (not method or epoch >= free - 1):
                best, best_key = copy.deepcopy(model.state_dict()), (accuracy, -loss)
            kept = {
                "quantised": method is not None,
                "epoch": epoch + 1,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "best": best,
                "best_key": list(best_key),
                "random": self.batches.state(),
                "history": self.history,
                "relevance": relevance.means if relevance else [],
                "wide": list(self.wide),
                "teacher": self.teacher.state() if self.teacher else [],
                "logits": self.logits,
                "accuracy_float": self.accuracy_float,
            }
            if self.checkpoint:
                self.checkpoint.save(kept)
            if self.float_end and not method and epoch + 1 == epochs:
                self.float_end.save(kept)
        model.load_state_dict(best)
        return best_key[0]

    def _step(self, x: Tensor, targets: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
        """Take one step and return its loss."""
        thin = self.batches.thin if self.config.hidden_dropout and not self.quantised else None
        if self.teacher:
            targets = targets.lerp(self.teacher(x), self.config.distill)
        loss = cross_entropy(self.model(x, thin), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()
