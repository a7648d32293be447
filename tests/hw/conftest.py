# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gateware share."""

import subprocess
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring

from fantastic4 import golden
from fantastic4.config import CoreConfig, formats_for
from fantastic4.errors import FantasticError
from fantastic4.image import parse
from fantastic4.network import Network
from fantastic4.timing import timing
from fantastic4_hw.measure import find_yosys
from fantastic4_hw.verilog import convert
from fantastic4_sim.device import Device

MODELS = {
    "ecp5": "+/ecp5/cells_sim.v",
    "ice40": "+/ice40/cells_sim.v",
    "xc7": "+/xilinx/cells_sim.v",
}
"""What yosys says a family's cells do."""


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


@pytest.fixture
def cells_equal(tmp_path: Path) -> Callable[[wiring.Component, str], bool]:
    """Proves with yosys that a component without registers computes the same from a family's cells
    as from plain logic, whatever its inputs.
    """
    try:
        yosys = find_yosys()
    except FantasticError:
        pytest.skip("no yosys here")

    def proved(component: wiring.Component, family: str) -> bool:
        text = "".join(convert(component, name, name) for name in ("generic", family))
        (tmp_path / "both.v").write_text(text)
        script = (
            f"read_verilog both.v; read_verilog -defer -overwrite {MODELS[family]}; "
            f"miter -equiv -make_outputs generic {family} both; hierarchy -check -top both; "
            "proc; flatten; opt_clean; sat -verify -prove trigger 0 both"
        )
        command = [yosys, "-Q", "-p", script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Solving" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
        return done.returncode == 0

    return proved
