# SPDX-License-Identifier: Apache-2.0
"""What decides a training run besides its data."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from fantastic4.config import MAX_FEATURES, MAX_LAYERS
from fantastic4.errors import FantasticError
from fantastic4.methods import METHODS, OBJECTIVES, Method
from fantastic4.model import BASIS_MODES
from fantastic4.train.defaults import DEFAULTS

FLOAT_OPTIONS = (
    "hidden",
    "float_epochs",
    "basis",
    "float_lr",
    "batch",
    "decay",
    "dropout",
    "hidden_dropout",
    "noise",
    "mixup",
    "smoothing",
    "validation",
    "seed",
    "threads",
    "device",
)
"""The options that decide the float phase."""


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
    method : str
        How weights are quantised: one of `fantastic4.methods.METHODS`.
    gamma : float
        Strength of the entropy term, 0..1; 0 is none.
    values : int
        Non-zero values the weights of a layer may take, 1..15.
    objective : str
        What the entropy term counts: "entropy", or "stored", the bits in the chip's formats.
    wide_layers : tuple of int, or "auto"
        Layers with weights of 8 bits, counted from 1; "auto" chooses by sensitivity.
    basis : str
        "layer" or "row": how many sets of basis coefficients a layer has.
    float_lr, lr : float
        Peak learning rate of the two phases (Adam).
    basis_lr : float
        Peak learning rate of a basis, relative to its largest coefficient.
    batch : int
        Examples a step.
    decay : float
        Weight decay, decoupled from the gradient, in the float phase.
    dropout : float
        Share of the inputs set to zero in training, drawn anew each time, in steps of 1/256.
    hidden_dropout : float
        Share of the hidden activations set to zero in the float phase.
    noise : float
        Standard deviation of the noise added to the inputs in training.
    mixup : float
        α of the Beta distribution by which pairs of examples are mixed; 0 mixes none.
    distill : float
        Share of the quantised network's targets that comes from the float network.
    live_teacher : bool
        Whether the float network answers for the very inputs of each batch, with all that was
        done to them, or once for the examples as they are. Costs a forward pass a step.
    smoothing : float
        Share of a label's weight spread over all classes.
    validation : float
        Share of the training split set aside to pick the model.
    seed : int
        Decides the run, with the same machine and threads, to the last bit.
    threads : int
        Processor threads. More than one seldom pays at these sizes, and changes the last bits.
    device : str
        What PyTorch computes on: "cpu", or a GPU, "cuda" or "cuda:1". Changes the last bits too.

    Raises
    ------
    FantasticError
        If a value is out of its range.
    """

    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 30
    float_epochs: int = 15
    frozen_share: float = 0.25
    method: str = "ec4t"
    gamma: float = 0.1
    values: int = 15
    objective: str = "entropy"
    wide_layers: tuple[int, ...] | str = ()
    basis: str = "layer"
    float_lr: float = 2e-3
    lr: float = 1e-3
    basis_lr: float = 1e-3
    batch: int = 64
    decay: float = 0.0
    dropout: float = 0.1
    hidden_dropout: float = 0.0
    noise: float = 0.0
    mixup: float = 0.0
    distill: float = 0.0
    live_teacher: bool = False
    smoothing: float = 0.1
    validation: float = 0.1
    seed: int = 0
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        sizes = all(1 <= size <= MAX_FEATURES for size in self.hidden)
        rules = {
            "hidden": (f"sizes of 1..{MAX_FEATURES}", sizes),
            "epochs": ("at least 1", self.epochs >= 1),
            "float_epochs": ("at least 1", self.float_epochs >= 1),
            "frozen_share": ("0..1", 0 <= self.frozen_share <= 1),
            "method": (f"one of {', '.join(METHODS)}", self.method in METHODS),
            "gamma": ("0..1", 0 <= self.gamma <= 1),
            "values": ("1..15", 1 <= self.values <= 15),
            "objective": (f"one of {', '.join(OBJECTIVES)}", self.objective in OBJECTIVES),
            "wide_layers": (
                f"'auto', or layers of 1..{len(self.hidden) + 1}",
                self.wide_layers == "auto" or self._are_layers(self.wide_layers),
            ),
            "basis": (f"one of {', '.join(BASIS_MODES)}", self.basis in BASIS_MODES),
            "float_lr": ("more than 0", self.float_lr > 0),
            "lr": ("more than 0", self.lr > 0),
            "basis_lr": ("0 or more", self.basis_lr >= 0),
            "batch": ("at least 2", self.batch >= 2),
            "decay": ("0 or more", self.decay >= 0),
            "dropout": ("0 or more and less than 1", 0 <= self.dropout < 1),
            "hidden_dropout": (
                "0 or more and less than 1",
                0 <= self.hidden_dropout < 1,
            ),
            "noise": ("0 or more", self.noise >= 0),
            "mixup": ("0 or more", self.mixup >= 0),
            "distill": ("0..1", 0 <= self.distill <= 1),
            "smoothing": ("0 or more and less than 1", 0 <= self.smoothing < 1),
            "validation": ("more than 0 and less than 1", 0 < self.validation < 1),
            "seed": ("0 or more", self.seed >= 0),
            "threads": ("at least 1", self.threads >= 1),
            "device": ("cpu, cuda or cuda:N", _is_device(self.device)),
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

    def plain(self) -> dict[str, Any]:
        """Return all options as plain JSON."""
        return json.loads(json.dumps(asdict(self)))

    def quantisation(self) -> Method:
        """Return the method of quantisation."""
        return METHODS[self.method](self.gamma, self.values, self.objective)

    def _are_layers(self, numbers: tuple[int, ...] | str) -> bool:
        return not isinstance(numbers, str) and all(
            1 <= number <= len(self.hidden) + 1 for number in numbers
        )

    def epochs_before(self, phase: str) -> int:
        """Return the epochs before the ``phase`` "float", "entropy" or "frozen"."""
        if phase == "float":
            return 0
        return self.float_epochs + (phase == "frozen") * (self.epochs - self.frozen_epochs)

    @property
    def frozen_epochs(self) -> int:
        """Epochs with frozen codes; at least one epoch is not."""
        return min(round(self.epochs * self.frozen_share), self.epochs - 1)


def _is_device(name: str) -> bool:
    return re.fullmatch(r"cpu|cuda(:\d+)?", name) is not None
