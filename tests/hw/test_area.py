# SPDX-License-Identifier: Apache-2.0
"""The area model against the gateware: what it counts, and one small synthesis."""

from dataclasses import replace

import pytest

from fantastic4.area import estimate
from fantastic4.config import SMALL
from fantastic4.plan import CHIPS
from fantastic4_hw.flow.flow import synthesise
from fantastic4_hw.flow.targets import TARGETS
from fantastic4_hw.flow.tools import has_tool
from fantastic4_hw.ports import StreamCore


def test_chips_are_targets_of_the_flow():
    for name, chip in CHIPS.items():
        assert TARGETS[name].technology == chip.technology


@pytest.mark.slow
@pytest.mark.synth
def test_a_core_takes_what_was_estimated(tmp_path):
    """Block RAMs and multipliers exactly, LUTs within 15 %; and the chip has what it should."""
    if not (has_tool("yosys") and has_tool("nextpnr-ecp5")):
        pytest.skip("no yosys or no nextpnr-ecp5 here")
    dense = replace(SMALL, lanes=8, engines=3, formats=("dense",))
    cfg = replace(dense, weight_depth=3000, row_depth=700, hidden_chunks=9)
    record = synthesise(StreamCore(cfg), "ecp5-25k", route=False, cache=tmp_path)
    area = estimate(cfg)
    assert record.block_rams == area.block_rams
    assert record.multipliers == area.multipliers
    assert area.luts == pytest.approx(record.luts, rel=0.15)
    assert area.ffs == pytest.approx(record.ffs, rel=0.15)
    chip = CHIPS["ecp5-25k"]
    for name, use in record.utilisation.items():
        assert use["available"] == getattr(chip, name)
