# SPDX-License-Identifier: Apache-2.0
"""The multiplexer of four: cells equal plain logic, proved by yosys, and take two LUTs a bit."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4_hw import mux
from fantastic4_hw.measure import synthesise
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


@pytest.mark.synth
def test_the_cells_select(cells_equal):
    assert cells_equal(Four(), "ecp5")


@pytest.mark.synth
def test_the_proof_finds_a_wrong_cell(cells_equal, monkeypatch):
    right = mux.PAIR
    for bit in range(3):
        monkeypatch.setattr(mux, "PAIR", right ^ 1 << bit)
        assert not cells_equal(Four(), "ecp5")


@pytest.mark.synth
@pytest.mark.usefixtures("cells_equal")
def test_two_luts_a_bit():
    assert synthesise(Four(), "ecp5").luts == 2 * WIDTH
    assert synthesise(Four(), "ecp5", "generic").luts > 2 * WIDTH


def test_other_platforms_get_plain_logic():
    for family in ("generic", "xc7"):
        assert "PFUMX" not in convert(Four(), family=family)
