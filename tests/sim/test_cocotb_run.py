# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.errors import SimulationError
from fantastic4_sim.cocotb_run import run_cocotb

pytestmark = pytest.mark.cocotb

BENCH = """
import os
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

STEP = int(os.environ["F4_STEP"])

@cocotb.test()
async def counts(dut):
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    dut.step.value = STEP
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    for clock in range(20):
        await FallingEdge(dut.clk)
        assert dut.count.value.to_unsigned() == 2 * (clock + 1), f"wrong at clock {clock}"

@cocotb.test()
async def sees_ports_only(dut):
    assert {handle._name for handle in dut} <= {"clk", "rst", "step", "count"}

@cocotb.test(skip=True)
async def skipped(dut):
    pass
"""


class Counter(wiring.Component):
    step: Signal
    count: Signal

    def __init__(self):
        super().__init__({"step": In(4), "count": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.hidden = hidden = Module()
        hidden.d.sync += self.count.eq(self.count + self.step)
        return m


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Writes a bench where the simulator's Python finds it, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        (tmp_path / "bench_under_test.py").write_text(text)
        return "bench_under_test"

    return write


def simulators():
    missing = shutil.which("iverilog") is None
    return ["verilator", pytest.param("icarus", marks=pytest.mark.skipif(missing, reason="none"))]


@pytest.mark.parametrize("simulator", simulators())
def test_verdict(bench, tmp_path, simulator):
    name = bench(BENCH)
    only = None if simulator == "verilator" else "counts"
    build = tmp_path / "build"
    run_cocotb(
        Counter(), "counter", name, build, simulator=simulator, env={"F4_STEP": "2"}, test=only
    )
    verilog = build / "counter.v"
    with pytest.raises(AssertionError, match=r"(?s)on counter .*\ncounts: .*wrong at clock 0"):
        run_cocotb(verilog, "counter", name, build, simulator=simulator, env={"F4_STEP": "3"})
    with pytest.raises(AssertionError, match="no test ran"):
        run_cocotb(
            verilog,
            "counter",
            name,
            build,
            simulator=simulator,
            env={"F4_STEP": "2"},
            test="nothing_like_it",
        )
    with pytest.raises(SimulationError, match="No module named 'no_such_bench'"):
        run_cocotb(verilog, "counter", "no_such_bench", build, simulator=simulator)


def test_verilog_that_does_not_compile(tmp_path):
    verilog = tmp_path / "bad.v"
    verilog.write_text("module bad(input a); nonsense endmodule\n")
    with pytest.raises(SimulationError, match=r"(?s)verilator failed .*syntax error"):
        run_cocotb(verilog, "bad", "none", tmp_path)


def test_unknown_simulator(tmp_path):
    with pytest.raises(SimulationError, match="must be verilator or icarus, not 'vcs'"):
        run_cocotb(tmp_path / "x.v", "x", "none", tmp_path, simulator="vcs")
