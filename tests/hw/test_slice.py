# SPDX-License-Identifier: Apache-2.0
"""Several cores as Verilog: one module, instantiated as often as there are cores."""

import json
import re
from dataclasses import replace

from fantastic4.config import TINY
from fantastic4_hw import extrapolate
from fantastic4_hw.extrapolate import SharedPart
from fantastic4_hw.measure import Cells
from fantastic4_hw.slice import SLICE, Slice
from fantastic4_hw.verilog import TOP, convert, write_verilog

FOUR = replace(TINY, name="four", engines=1, cores=4, formats=("dense",))


def module(text, name):
    """The text of a module."""
    found = re.search(rf"^module {name}\(.*?^endmodule", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def test_one_module_and_an_instance_a_core(tmp_path):
    path = write_verilog(FOUR, tmp_path)
    text = path.read_text()
    names = re.findall(r"^module (\S+)\(", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert names.count(TOP) == names.count(SLICE) == 1
    instances = re.findall(rf"^  {SLICE} .*?\);", text, re.DOTALL | re.MULTILINE)
    assert len(instances) == 4
    ports = set(re.findall(r"^  (?:input|output) (?:\[.*\] )?(\S+);", module(text, SLICE), re.M))
    assert {"clk", "rst", "write_weights__0__addr", "row"} <= ports
    for instance in instances:
        assert set(re.findall(r"\.(\w+)\(", instance)) == ports
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["multipliers"] == 16
    assert record["geometry"]["cores"] == 4
    assert record["memory_bits"]["basis"] == 4 * 64 * FOUR.basis_depth
    assert record["memory_bits"]["weights"] == 4 * 16 * FOUR.weight_depth


def test_one_core_is_one_tree_of_modules(tmp_path):
    assert SLICE not in write_verilog(replace(FOUR, cores=1), tmp_path).read_text()


def test_what_cores_share_has_no_multiplier():
    """And no engine; it has the ports of the whole and those of every slice."""
    text = convert(SharedPart(FOUR))
    assert "engine_0" not in text
    assert not re.search(r"\w \* \w", text)
    ports = re.findall(r"^  (?:input|output) (?:\[.*\] )?(\S+);", module(text, TOP), re.M)
    for number in range(4):
        assert f"slice_{number}_chunks__payload" in ports
    assert "m_axis_result_tdata" in ports


def test_the_arithmetic_of_many_cores(monkeypatch):
    """Cores of one engine, the engines more that they have, and what they share."""
    cfg = replace(FOUR, lanes=16, engines=3, cores=4)

    def synthesise(component, target):
        assert target == "ecp5"
        component._MustUse__silence = True  # Amaranth warns of what is made and not elaborated
        if isinstance(component, SharedPart):
            assert component.cfg == cfg
            return Cells(1000, 7, 0, 0, 0, 0)
        assert isinstance(component, Slice)
        engines = component.cfg.engines
        assert component.cfg == replace(cfg, engines=engines)
        return {1: Cells(30, 5, 0, 0, 0, 4), 2: Cells(50, 6, 0, 0, 0, 4)}[engines]

    monkeypatch.setattr(extrapolate, "synthesise", synthesise)
    found = extrapolate.extrapolate(cfg, "ecp5")
    assert {name: count for name, (count, _) in found.items()} == {
        "core of one engine": 4,
        "further engine": 8,
        "shared": 1,
        "total": 1,
    }
    total = 4 * 30 + 8 * 20 + 1000
    assert found["total"][1] == Cells(total, 4 * 5 + 8 + 7, 0, 0, 0, 16)
    lines = extrapolate.table(cfg, "ecp5").splitlines()
    assert lines[-1].startswith(f"| total / 192 lanes | | {total / 192:.2f} |")
