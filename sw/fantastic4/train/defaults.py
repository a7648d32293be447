# SPDX-License-Identifier: Apache-2.0
"""What suits each data set."""

from typing import Any

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
