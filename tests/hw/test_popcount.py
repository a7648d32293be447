# SPDX-License-Identifier: Apache-2.0
"""Ones of a mask: cells equal plain logic, proved by yosys, and take no more LUTs."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from fantastic4_hw import popcount
from fantastic4_hw.measure import synthesise
from fantastic4_hw.popcount import half_and_all
from fantastic4_hw.verilog import convert


class Ones(wiring.Component):
    """The ones of a mask's lower half, and of all of it."""

    mask: Signal
    lower: Signal
    total: Signal

    def __init__(self, width: int):
        half = (width // 2).bit_length() or 1
        super().__init__({"mask": In(width), "lower": Out(half), "total": Out(width.bit_length())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lower, total = half_and_all(m, self.mask, platform)
        m.d.comb += [self.lower.eq(lower), self.total.eq(total)]
        return m


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_counts(width):
    dut = Ones(width)

    async def testbench(ctx):
        for mask in range(1 << width):
            ctx.set(dut.mask, mask)
            await ctx.delay(1e-9)
            low = mask & ((1 << width // 2) - 1)
            assert (ctx.get(dut.lower), ctx.get(dut.total)) == (low.bit_count(), mask.bit_count())

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.synth
def test_the_cells_count(cells_equal):
    assert cells_equal(Ones(8), "ecp5")


@pytest.mark.synth
def test_the_proof_finds_a_wrong_cell(cells_equal, monkeypatch):
    right = popcount.lut4
    for wrong in range(11):
        made = []

        def lut(m, function, inputs, made=made, wrong=wrong):
            made.append(function)
            if len(made) - 1 == wrong:
                return right(m, lambda *x: function(*x) | all(x), [*inputs[:-1], inputs[0]])
            return right(m, function, inputs)

        monkeypatch.setattr(popcount, "lut4", lut)
        assert not cells_equal(Ones(8), "ecp5"), f"cell {wrong}"
        assert len(made) == 11


@pytest.mark.synth
@pytest.mark.usefixtures("cells_equal")
def test_no_more_luts():
    assert synthesise(Ones(8), "ecp5").luts == 11 <= synthesise(Ones(8), "ecp5", "generic").luts


def test_other_platforms_get_plain_logic():
    for family in ("generic", "xc7", "ice40"):
        assert "LUT4" not in convert(Ones(8), family=family)
