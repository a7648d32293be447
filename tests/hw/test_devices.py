# SPDX-License-Identifier: Apache-2.0
"""Cells of a family compute what plain logic does, proved by yosys; and take fewer LUTs."""

import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import TINY
from fantastic4.errors import FantasticError
from fantastic4_hw import devices
from fantastic4_hw.devices import FAMILIES, Family, masked_sum
from fantastic4_hw.flow.flow import synthesise
from fantastic4_hw.flow.tools import has_tool
from fantastic4_hw.measure import engine_cells, find_yosys
from fantastic4_hw.verilog import convert, write_verilog

MODELS = {
    "ecp5": "+/ecp5/cells_sim.v",
    "ice40": "+/ice40/cells_sim.v",
    "xc7": "+/xilinx/cells_sim.v",
}


@pytest.fixture
def yosys():
    try:
        return find_yosys()
    except FantasticError:
        pytest.skip("no yosys here")


class Pair(wiring.Component):
    """One masked sum; ``masks`` are the bits of the second mask."""

    x: Signal
    mask_x: Signal
    y: Signal
    mask_y: Signal
    total: Signal

    def __init__(self, width: int, masks: int = 1):
        pins = {"x": In(width), "mask_x": In(1), "y": In(width), "mask_y": In(masks)}
        super().__init__(pins | {"total": Out(width + 1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = (self.x, self.mask_x, self.y, self.mask_y)
        m.d.comb += self.total.eq(masked_sum(m, *pins, platform))
        return m


def proved(
    yosys: str, folder: Path, width: int, family: str, carry: int = 0, masks: int = 1
) -> bool:
    """Return whether the family's cells equal plain logic for all inputs.

    ``carry`` is what enters the first carry cell, where a constant does.
    """
    text = f"""
        module both(input [{width - 1}:0] x, y, input mask_x, input [{masks - 1}:0] mask_y,
                    output [{width}:0] a, b);
          generic one (.x(x), .mask_x(mask_x), .y(y), .mask_y(mask_y), .total(a));
          {family} two (.x(x), .mask_x(mask_x), .y(y), .mask_y(mask_y), .total(b));
        endmodule
    """
    for name in ("generic", family):
        text += convert(Pair(width, masks), name, name).replace(".CIN(1'h0)", f".CIN(1'h{carry})")
    (folder / "pair.v").write_text(text)
    script = f"""
        read_verilog pair.v
        read_verilog -defer -overwrite {MODELS[family]}
        hierarchy -check -top both
        proc; flatten; opt_clean
        sat -verify -prove a b both
    """
    script = "; ".join(line.strip() for line in script.strip().splitlines())
    command = [yosys, "-Q", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Solving" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    return done.returncode == 0


@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("width", "masks"), [(8, 1), (5, 1), (5, 5)])
def test_the_cells_add_what_the_masks_let_through(yosys, tmp_path, width, masks, family):
    assert proved(yosys, tmp_path, width, family, masks=masks)


@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
def test_the_proof_finds_a_wrong_cell(yosys, tmp_path, family, monkeypatch):
    """With the masks of one operand exchanged for a bit of it."""
    right = FAMILIES[family]
    wrong = {family: lambda m, x, mask_x, y, mask_y: right(m, x, x[0], y, mask_y)}
    monkeypatch.setattr(devices, "FAMILIES", wrong)
    assert not proved(yosys, tmp_path, 8, family)


@pytest.mark.synth
def test_a_carry_into_the_cells_does_nothing(yosys, tmp_path):
    """So that it can stay unconnected, which saves the cell that would bring it in."""
    assert ".CIN(1'h0)" in convert(Pair(8), "ecp5", "ecp5")
    assert proved(yosys, tmp_path, 8, "ecp5", carry=1)


@pytest.mark.synth
@pytest.mark.usefixtures("yosys")
@pytest.mark.parametrize(("width", "luts"), [(8, 10), (5, 8)])
def test_no_carry_is_led_in_or_out(width, luts, tmp_path):
    """A bit a LUT, the carry of 0, the bit of the carry, made even; and one for a constant."""
    if not has_tool("nextpnr-ecp5"):
        pytest.skip("no nextpnr-ecp5 here")
    assert synthesise(Pair(width), "ecp5-25k", route=False, cache=tmp_path).luts == luts + 1


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.usefixtures("yosys")
@pytest.mark.parametrize(("family", "most"), [("ecp5", 46), ("xc7", 39)])
def test_luts_of_a_lane(family, most):
    """A carry cell of ECP5 counts two; the accumulators of the engine are dealt to its lanes."""
    cells = engine_cells(32, family)
    assert (cells.luts + (2 * cells.carries if family == "ecp5" else 0)) / 32 <= most


def test_other_platforms_get_plain_logic(tmp_path):
    for platform in (Family(), Family("ice40")):
        assert "CCU2C" not in convert(Pair(8), family=platform.family)
    text = write_verilog(TINY, tmp_path).read_text()
    assert "CCU2C" not in text
    assert "CCU2C" in write_verilog(TINY, tmp_path, "ecp5").read_text()
    assert '"family": "ecp5"' in (tmp_path / "fantastic4_tiny.json").read_text()
