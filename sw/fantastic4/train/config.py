# SPDX-License-Identifier: Apache-2.0
"""What decides a training run besides its data, and what suits each data set."""

from dataclasses import dataclass
from typing import Any

from fantastic4.config import MAX_FEATURES, MAX_LAYERS
from fantastic4.errors import FantasticError
from fantastic4.model import BASIS_MODES

DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {
        "hidden": (64, 32),
        "epochs": 60,
        "float_epochs": 40,
        "lr": 1.5e-3,
        "float_lr": 4e-3,
    },
    "mnist": {"hidden": (300, 100), "epochs": 20, "float_epochs": 10, "batch": 256, "gamma": 0.3},
}
"""What a data set is trained with where the general defaults do not suit it."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run besides its data.

    Parameters
    ----------
    hidden : tuple of int
        Sizes of the hidden layers.
    epochs : int
        Epochs with quantised weights, the frozen ones included.
    float_epochs : int
        Epochs in float32 before.
    frozen_share : float
        Share of ``epochs``, at the end, in which codes and statistics are frozen.
    gamma : float
        Strength of the entropy term, 0..1; 0 is none.
    values : int
        Non-zero values the weights of a layer may take, 1..15.
    basis : str
        "layer" or "row": how many sets of basis coefficients a layer has.
    float_lr, lr : float
        Peak learning rate of the two phases (Adam).
    basis_lr : float
        Peak learning rate of a basis, relative to its largest coefficient.
    batch : int
        Examples a step.
    dropout : float
        Share of the inputs set to zero in training, drawn anew each time.
    smoothing : float
        Share of a label's weight spread over all classes.
    validation : float
        Share of the training split set aside to pick the model.
    seed : int
        Decides the run, with the same machine and threads, to the last bit.
    threads : int
        Processor threads. More than one seldom pays at these sizes, and changes the last bits.

    Raises
    ------
    FantasticError
        If a value is out of its range.
    """

    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 30
    float_epochs: int = 15
    frozen_share: float = 0.25
    gamma: float = 0.1
    values: int = 15
    basis: str = "layer"
    float_lr: float = 2e-3
    lr: float = 1e-3
    basis_lr: float = 1e-3
    batch: int = 64
    dropout: float = 0.1
    smoothing: float = 0.1
    validation: float = 0.1
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        sizes = all(1 <= size <= MAX_FEATURES for size in self.hidden)
        rules = {
            "hidden": (f"sizes of 1..{MAX_FEATURES}", sizes),
            "epochs": ("at least 1", self.epochs >= 1),
            "float_epochs": ("at least 1", self.float_epochs >= 1),
            "frozen_share": ("0..1", 0 <= self.frozen_share <= 1),
            "gamma": ("0..1", 0 <= self.gamma <= 1),
            "values": ("1..15", 1 <= self.values <= 15),
            "basis": (f"one of {', '.join(BASIS_MODES)}", self.basis in BASIS_MODES),
            "float_lr": ("more than 0", self.float_lr > 0),
            "lr": ("more than 0", self.lr > 0),
            "basis_lr": ("0 or more", self.basis_lr >= 0),
            "batch": ("at least 2", self.batch >= 2),
            "dropout": ("0 or more and less than 1", 0 <= self.dropout < 1),
            "smoothing": ("0 or more and less than 1", 0 <= self.smoothing < 1),
            "validation": ("more than 0 and less than 1", 0 < self.validation < 1),
            "seed": ("0 or more", self.seed >= 0),
            "threads": ("at least 1", self.threads >= 1),
        }
        for name, (rule, holds) in rules.items():
            if not holds:
                raise FantasticError(f"{name} must be {rule}, not {getattr(self, name)!r}")
        if len(self.hidden) >= MAX_LAYERS:
            raise FantasticError(
                f"hidden must have at most {MAX_LAYERS - 1} layers, not {len(self.hidden)}"
            )

    @classmethod
    def for_dataset(cls, name: str, **given: Any) -> "TrainConfig":
        """Return the defaults for the data set ``name`` with those ``given`` (None: not given)."""
        chosen = {key: value for key, value in given.items() if value is not None}
        return cls(**(DEFAULTS.get(name, {}) | chosen))

    @property
    def frozen_epochs(self) -> int:
        """Epochs with frozen codes; at least one epoch is not."""
        return min(round(self.epochs * self.frozen_share), self.epochs - 1)
