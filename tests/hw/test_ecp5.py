# SPDX-License-Identifier: Apache-2.0
"""Cores of ECP5 cells, carries, multipliers and block RAM, compute what plain logic does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fantastic4.config import TINY
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4_hw.blockram import BlockRam, choose_shape
from fantastic4_hw.verilog import convert, write_verilog
from fantastic4_sim.toolchain import find_verilator
from fantastic4_sim.verilated import VerilatedDevice

CELLS = Path(__file__).with_name("ecp5_cells.v")
CORES = {
    # Rows of 36, 18 and 9 bits, alone and several behind each other, with output registers and
    # without; memories of lanes that are written one by one.
    "decoded": replace(TINY, weight_depth=600, row_depth=1100, basis_depth=2500),
    "dense": replace(TINY, lanes=8, bank_lanes=8, formats=("dense",), weight_depth=1024),
    # Several banks that are told what to do from registers of their own.
    "two": replace(
        TINY,
        lanes=16,
        bank_lanes=8,
        formats=("dense", "bitmask"),
        name_width=2,
        cores=2,
        hidden_chunks=600,
    ),
}


def of_cells(cfg, folder):
    """Return the Verilog of a core of ECP5 cells, with models of them."""
    path = write_verilog(cfg, folder, "ecp5")
    path.write_text(CELLS.read_text() + path.read_text())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", CORES)
def test_a_core_of_cells(check, rng, name, tmp_path):
    if find_verilator() is None:
        pytest.skip("no Verilator here")
    cfg = CORES[name]
    device = VerilatedDevice(cfg, build_dir=tmp_path, verilog=of_cells)
    for widths in ([30, 2 * cfg.group_rows + 1, 5], [70, 3]):
        names = (2, 4) if cfg.told else (15,)
        network = random_network(rng, widths, density=0.4 if cfg.told else None, names=names)
        check(device, network, pack(network, cfg), rng.integers(0, 256, (3, widths[0]), np.uint8))


def test_the_cells_are_used():
    text = convert(BlockRam(512, 32), family="ecp5")
    assert text.count("DP16KD #(") == 1
    assert "DP16KD" not in convert(BlockRam(512, 32))
    assert "DP16KD" not in convert(BlockRam(32, 32), family="ecp5"), "left to LUT-RAM"


def test_shapes_take_the_fewest_cells():
    def cells(depth, width, granularity=None):
        shape = choose_shape(depth, width, granularity or width)
        return -(-width // shape.data) * -(-depth // (1 << shape.address)), shape.row

    assert cells(512, 32) == (1, 36)
    assert cells(1024, 32) == (2, 18)
    assert cells(2048, 32) == (4, 9)
    assert cells(4096, 32) == (8, 4)
    assert cells(1536, 32) == (3, 36)
    assert cells(128, 512) == (16, 36)
    assert cells(128, 512, 8) == (32, 18), "memories of lanes have output registers"
