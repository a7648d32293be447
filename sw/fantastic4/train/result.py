# SPDX-License-Identifier: Apache-2.0
"""What training gives."""

from dataclasses import dataclass, field
from typing import Any

from fantastic4.data.inputs import InputScale
from fantastic4.entropy import entropy
from fantastic4.lower import lower
from fantastic4.model import Mlp
from fantastic4.network import Network
from fantastic4.train.config import TrainConfig


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
        layers = self.model.layers
        planes = [layer.planes() for layer in layers]
        return {
            "dataset": self.dataset,
            "seed": self.config.seed,
            "accuracy": {
                "float": self.accuracy_float,
                "quantised": self.accuracy_quantised,
                "validation": self.accuracy_validation,
            },
            "entropy": [sum(map(entropy, part)) for part in planes],
            "density": [float((layer.codes.numpy() != 0).mean()) for layer in layers],
            "wide_layers": [number for number, layer in enumerate(layers, 1) if layer.wide],
            "training": self.config.plain(),
        }

    def network(self) -> Network:
        """Return the integer network, with `metadata`."""
        return lower(self.model, self.inputs.quant, self.classes, self.metadata())
