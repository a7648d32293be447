# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gateware share."""

from collections.abc import Callable
from typing import Any

import pytest

from fantastic4.config import CoreConfig, formats_for


@pytest.fixture
def geometry() -> Callable[..., CoreConfig]:
    """Makes a small core configuration of so many lanes and engines."""

    def make(lanes: int, engines: int, **other: Any) -> CoreConfig:
        settings: dict[str, Any] = {
            "weight_depth": 256,
            "row_depth": 64,
            "basis_depth": 128,
            "input_chunks": 32,
            "hidden_chunks": 32,
            "input_width": 1,
            "bank_lanes": next(size for size in range(8, 0, -1) if lanes % size == 0),
        }
        settings |= other
        settings.setdefault("formats", formats_for(settings["bank_lanes"]))
        return CoreConfig(f"{lanes}x{engines}", lanes, engines, **settings)

    return make
