# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gateware share."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.config import CoreConfig, formats_for
from fantastic4.image import parse
from fantastic4.network import Network
from fantastic4.timing import timing
from fantastic4_sim.device import Device


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


@pytest.fixture
def check() -> Callable[[Device, Network, bytes, np.ndarray], None]:
    """Runs inputs on a core, with and without pauses: RTL equals golden and ``timing``."""

    def run(device: Device, network: Network, image: bytes, x: np.ndarray) -> None:
        expected = golden.predict(network, x)
        predicted = timing(parse(image), device.cfg)
        result = device.predict(image, x)
        assert np.array_equal(result.outputs, expected.outputs)
        assert np.array_equal(result.best, expected.best)
        assert result.cycles[0] == predicted.cycles
        assert set(result.cycles.tolist()) <= {predicted.cycles, predicted.following}
        assert result.beats.tolist() == [predicted.beats] * len(x)
        assert result.stalls[0] == predicted.stalls

        pausing = copy(device)
        pausing.stall = 0.3
        stalled = pausing.predict(image, x)
        assert np.array_equal(stalled.outputs, expected.outputs)
        assert np.array_equal(stalled.best, expected.best)
        assert stalled.beats.tolist() == [predicted.beats] * len(x)

    return run
