# SPDX-License-Identifier: Apache-2.0
"""Single LUTs: cells equal plain logic, proved by yosys."""

import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4_hw import lut
from fantastic4_hw.lut import INPUTS, all_of, lut4
from fantastic4_hw.verilog import convert


class All(wiring.Component):
    """Whether all bits are set."""

    bits: Signal
    found: Signal

    def __init__(self, count: int):
        super().__init__({"bits": In(count), "found": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.found.eq(all_of(m, list(self.bits), "all", platform))
        return m


@pytest.mark.synth
@pytest.mark.parametrize("count", range(1, INPUTS + 1))
def test_the_cell_is_all_of_its_bits(cells_equal, monkeypatch, count):
    assert cells_equal(All(count), "ecp5")

    def wrong(m, function, inputs, name):
        return lut4(m, lambda *x: any(x) if count > 1 else not x[0], inputs, name)

    monkeypatch.setattr(lut, "lut4", wrong)
    assert not cells_equal(All(count), "ecp5")


def test_other_platforms_get_plain_logic():
    for family in ("generic", "xc7", "ice40"):
        assert "LUT4" not in convert(All(INPUTS), family=family)
    assert "LUT4" in convert(All(INPUTS), family="ecp5")


def test_more_bits_than_inputs():
    m = Module()
    with pytest.raises(ValueError, match="4 inputs, not 5"):
        all_of(m, [Signal() for _ in range(5)], "all", None)
    Fragment.get(m, None)  # a module that nobody uses is a warning
