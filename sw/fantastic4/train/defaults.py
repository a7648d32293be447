# SPDX-License-Identifier: Apache-2.0
"""What suits each data set."""

from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {
        "hidden": (64, 32),
        "epochs": 80,
        "float_epochs": 40,
        "batch": 32,
        "lr": 3e-3,
        "float_lr": 4e-3,
        "gamma": 0.35,
        "values": 2,
        "wide_layers": "auto",
        "dropout": 0.0,
        "distill": 0.7,
        "live_teacher": True,
    },
    "mnist": {
        "hidden": (300, 100),
        "epochs": 20,
        "float_epochs": 10,
        "batch": 256,
        "lr": 1.5e-3,
        "gamma": 0.3,
        "values": 2,
        "distill": 0.7,
    },
    "gsc12": {
        "hidden": (512, 512, 256, 256, 128, 128),
        "epochs": 60,
        "float_epochs": 45,
        "batch": 512,
        "float_lr": 4.2e-3,
        "lr": 3.5e-3,
        "gamma": 0.45,
        "values": 2,
        "hidden_dropout": 0.2,
        "noise": 0.3,
        "mixup": 0.4,
        "distill": 0.8,
        "live_teacher": True,
    },
    "har": {
        "hidden": (128, 64),
        "epochs": 80,
        "float_epochs": 40,
        "batch": 128,
        "gamma": 0.1,
        "values": 2,
        "wide_layers": "auto",
        "hidden_dropout": 0.1,
        "noise": 0.2,
        "mixup": 0.2,
        "distill": 0.7,
        "live_teacher": True,
    },
}
"""What a data set is trained with where the general defaults do not suit it."""
