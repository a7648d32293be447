# SPDX-License-Identifier: Apache-2.0
"""Records, budgets and the cache: what they keep, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fantastic4.errors import FantasticError
from fantastic4_hw.flow.budget import BUDGET, Promise, broken, promise_for, read_budget
from fantastic4_hw.flow.cache import Cache, key_of
from fantastic4_hw.flow.flow import over_use
from fantastic4_hw.flow.nextpnr import clock_constraint, critical_path, fmax_in, pin_constraint
from fantastic4_hw.flow.record import Asic, Fmax, Record
from fantastic4_hw.flow.targets import TARGETS

RECORD = Record(
    config="base",
    top="core",
    parameters={"lanes": 64},
    target="ecp5-85k",
    technology="ecp5",
    family="ecp5",
    cells={"LUT4": 90, "CCU2C": 5},
    ffs=20,
    multipliers=4,
    lanes=10,
    tools={"yosys": "1"},
    seconds={"synthesis": 1.5},
    luts=100,
    block_rams=3,
    luts_per_lane=10.0,
    fmax_mhz=Fmax.of({3: 90.0, 1: 110.0, 2: 105.5}, 125.0, rerouted=[1, 2]),
)
PROMISE = Promise(
    "base",
    "ecp5-85k",
    luts=100,
    luts_per_lane=10.0,
    ffs=20,
    block_rams=3,
    lut_rams=0,
    wide_rams=0,
    multipliers=4,
    fmax_mhz=105.5,
)


def test_a_record_is_read_as_it_was_written():
    plain = json.loads(json.dumps(RECORD.as_json()))
    assert plain["schema"] == 1
    assert plain["fmax_mhz"] == {
        "median": 105.5,
        "least": 90.0,
        "greatest": 110.0,
        "asked": 125.0,
        "seeds": {"3": 90.0, "1": 110.0, "2": 105.5},
        "rerouted": [1, 2],
    }
    assert Record.from_json(plain) == RECORD
    cells = replace(RECORD, fmax_mhz=None, asic=Asic(1.5, 8, 10.0, 2.5, None, None))
    assert Record.from_json(json.loads(json.dumps(cells.as_json()))) == cells


def test_records_of_other_kinds_are_refused():
    plain = RECORD.as_json()
    with pytest.raises(FantasticError, match="must be of schema 1"):
        Record.from_json(plain | {"schema": 2})
    del plain["luts"]
    with pytest.raises(FantasticError, match="the record has no luts"):
        Record.from_json(plain)


def test_a_kept_promise():
    assert broken(RECORD, PROMISE) == []
    assert broken(RECORD, Promise("base", "ecp5-85k")) == []
    assert broken(replace(RECORD, fmax_mhz=None), PROMISE) == []


@pytest.mark.parametrize(
    ("entry", "value", "line"),
    [
        ("luts", 99, "luts must be at most 99, not 100"),
        ("luts_per_lane", 9.99, "luts_per_lane must be at most 9.99, not 10.0"),
        ("ffs", 19, "ffs must be at most 19, not 20"),
        ("block_rams", 2, "block_rams must be at most 2, not 3"),
        ("multipliers", 5, "multipliers must be exactly 5, not 4"),
        ("multipliers", 3, "multipliers must be exactly 3, not 4"),
        ("fmax_mhz", 105.6, "fmax_mhz must be at least 105.6, not 105.5"),
    ],
)
def test_a_broken_promise_is_a_line(entry, value, line):
    assert broken(RECORD, replace(PROMISE, **{entry: value})) == [
        f"base, core, on ecp5-85k: {line}"
    ]


def test_promises_are_found():
    engine = replace(PROMISE, top="engine")
    assert promise_for([PROMISE, engine], "base", "engine", "ecp5-85k") == engine
    with pytest.raises(FantasticError, match="no promise for full, core, on ecp5-85k"):
        promise_for([PROMISE], "full", "core", "ecp5-85k")
    with pytest.raises(FantasticError, match="2 promises for base, core, on ecp5-85k"):
        promise_for([PROMISE, PROMISE], "base", "core", "ecp5-85k")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[promise", "not TOML"),
        ("luts = 3", r"must be tables \[\[promise\]\]"),
        ('[[promise]]\nconfig = "a"', "promise 1: target is missing"),
        ('[[promise]]\nconfig = "a"\ntarget = "b"\nlut = 3', "promise 1: there is no 'lut'"),
        ('[[promise]]\nconfig = "a"\ntarget = "b"\nluts = "3"', "luts must not be '3'"),
        ('[[promise]]\nconfig = "a"\ntarget = 3', "target must not be 3"),
    ],
)
def test_wrong_budgets_are_named(text, message, tmp_path):
    path = tmp_path / "budget.toml"
    with pytest.raises(FantasticError, match=f"{path}: there is no such file"):
        read_budget(path)
    path.write_text(text)
    with pytest.raises(FantasticError, match=f"{path}: .*{message}"):
        read_budget(path)


def test_constraints_are_those_the_flow_uses():
    folder = BUDGET.parent
    for target in TARGETS.values():
        if target.nextpnr:
            text = (folder / f"{target.name}.sdc").read_text()
            assert text == clock_constraint(target.mhz)
        if target.pins:
            path = folder / (target.name + Path(target.pin_file).suffix)
            assert path.read_text() == pin_constraint(target)
    written = {path.stem for path in folder.glob("*.sdc")}
    assert written == {target.name for target in TARGETS.values() if target.nextpnr}


def test_a_clock_that_was_not_taken_is_an_error():
    report = {"fmax": {"clk": {"achieved": 131.254, "constraint": 100.0}}}
    assert fmax_in(report, 100.0) == 131.25
    slower = {"fmax": report["fmax"] | {"other": {"achieved": 99.5, "constraint": 100.0}}}
    assert fmax_in(slower, 100.0) == 99.5
    with pytest.raises(FantasticError, match="did not take the clock of 120 MHz"):
        fmax_in(report, 120.0)
    with pytest.raises(FantasticError, match="no path between flip-flops"):
        fmax_in({"fmax": {}}, 100.0)


def test_the_slowest_path_is_one_between_flip_flops():
    """Not from a pin; shown by component, the innermost one that is known."""

    def step(kind: str, delay: float, cell: str) -> dict[str, Any]:
        return {"type": kind, "delay": delay, "from": {"cell": "feed_1"}, "to": {"cell": cell}}

    clock = "posedge clk"
    inside = [
        step("clk-to-q", 0.5, "feed_1"),
        step("routing", 1.25, "dut.core.array.x_LUT4"),
        step("logic", 0.25, "dut.core.array.x_LUT4"),
        step("routing", 2.0, "dut.core.array.engine_0.sum_1_FF"),
        step("setup", 0.0, "dut.core.array.engine_0.sum_1_FF"),
    ]
    report = {
        "critical_paths": [
            {"from": "<async>", "to": clock, "path": [step("routing", 9.0, "dut.y")]},
            {"from": clock, "to": clock, "path": inside[:1]},
            {"from": clock, "to": clock, "path": inside},
            {"from": clock, "to": "<async>", "path": [step("routing", 9.0, "so")]},
        ]
    }
    known = frozenset({"core", "core.array", "core.array.engine_0", "core.array.engine_1"})
    assert critical_path(report, known) == {
        "ns": 4.0,
        "logic_ns": 0.75,
        "routing_ns": 3.25,
        "source": "ports",
        "sink": "core.array.engine_0",
        "parts": [
            {"component": "ports", "logic_ns": 0.5, "routing_ns": 0.0},
            {"component": "core.array", "logic_ns": 0.25, "routing_ns": 1.25},
            {"component": "core.array.engine_0", "logic_ns": 0.0, "routing_ns": 2.0},
        ],
    }


def test_a_full_chip_is_not_too_small():
    full = {"used": 3, "available": 3}
    assert over_use({"luts": full}) == ""
    short = {
        "ffs": {"used": 1004, "available": 1000},
        "block_rams": full | {"used": 4},
    }
    assert over_use({"luts": full} | short) == "ffs 1,004 of 1,000, block_rams 4 of 3"


def test_the_cache_keeps_by_content(tmp_path):
    store = Cache(tmp_path)
    key = key_of("a", b"bc")
    assert len({key, key_of("ab", b"c"), key_of("a", b"bd"), key_of("abc")}) == 4
    assert store.load(key, "x") is None
    assert store.load_bytes(key, "x") is None
    store.store(key, "x", {"a": [1, None]})
    store.store_bytes(key, "x", b"many" * 100)
    assert Cache(tmp_path).load(key, "x") == {"a": [1, None]}
    assert Cache(tmp_path).load_bytes(key, "x") == b"many" * 100
    assert sorted(path.name for path in (tmp_path / key).iterdir()) == ["x.gz", "x.json"]
