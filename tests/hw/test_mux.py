# SPDX-License-Identifier: Apache-2.0
"""The multiplexer of four: cells equal plain logic, proved by yosys, and take two LUTs a bit."""

import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.errors import FantasticError
from fantastic4_hw import mux
from fantastic4_hw.measure import find_yosys, synthesise
from fantastic4_hw.mux import of_four
from fantastic4_hw.verilog import convert

WIDTH = 3


class Four(wiring.Component):
    """Four values, the one selected."""

    select: Signal
    values: list[Signal]
    found: Signal

    def __init__(self):
        pins = {"select": In(2), "values": In(WIDTH).array(4), "found": Out(WIDTH)}
        super().__init__(pins)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.found.eq(of_four(m, self.select, list(self.values), platform))
        return m


@pytest.fixture
def yosys():
    try:
        return find_yosys()
    except FantasticError:
        pytest.skip("no yosys here")


def proved(yosys: str, folder: Path) -> bool:
    """Return whether the cells of ECP5 equal plain logic for all inputs."""
    pins = ", ".join(f".values__{n}(v{n})" for n in range(4))
    text = f"""
        module both(input [{WIDTH - 1}:0] v0, v1, v2, v3, input [1:0] s,
                    output [{WIDTH - 1}:0] a, b);
          generic one (.select(s), {pins}, .found(a));
          ecp5 two (.select(s), {pins}, .found(b));
        endmodule
    """
    text += convert(Four(), "generic", "generic") + convert(Four(), "ecp5", "ecp5")
    (folder / "four.v").write_text(text)
    script = (
        "read_verilog four.v; read_verilog -overwrite +/ecp5/cells_sim.v; "
        "hierarchy -check -top both; proc; flatten; opt_clean; sat -verify -prove a b both"
    )
    command = [yosys, "-Q", "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Solving" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    return done.returncode == 0


@pytest.mark.synth
def test_the_cells_select(yosys, tmp_path):
    assert proved(yosys, tmp_path)


@pytest.mark.synth
def test_the_proof_finds_a_wrong_cell(yosys, tmp_path, monkeypatch):
    right = mux.PAIR
    for bit in range(3):
        monkeypatch.setattr(mux, "PAIR", right ^ 1 << bit)
        assert not proved(yosys, tmp_path)


@pytest.mark.synth
@pytest.mark.usefixtures("yosys")
def test_two_luts_a_bit():
    assert synthesise(Four(), "ecp5").luts == 2 * WIDTH
    assert synthesise(Four(), "ecp5", "generic").luts > 2 * WIDTH


def test_other_platforms_get_plain_logic():
    for family in ("generic", "xc7"):
        assert "PFUMX" not in convert(Four(), family=family)
