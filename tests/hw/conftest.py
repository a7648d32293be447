# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gateware share."""

from collections.abc import Callable
from typing import Any

import pytest

from fantastic4.config import CoreConfig


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
        }
        return CoreConfig(f"{lanes}x{engines}", lanes, engines, **(settings | other))

    return make
