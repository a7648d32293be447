# SPDX-License-Identifier: Apache-2.0
"""One way to run a test bench in Amaranth's simulator: clock, watchdog, waveform on request."""

import os
from collections.abc import Callable, Coroutine, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from fantastic4.errors import SimulationError

Testbench = Callable[[Any], Coroutine[Any, Any, None]]
"""``async def testbench(ctx)``."""

CLOCK_PERIOD = 1e-6


def simulate(
    dut: Any,
    testbenches: Iterable[Testbench],
    checkers: Iterable[Testbench] = (),
    *,
    timeout_cycles: int | None = 100_000,
    traces: Path | None = None,
) -> None:
    """Run ``testbenches`` on ``dut`` until all have returned.

    Parameters
    ----------
    dut : amaranth Component or Elaboratable
        In the ``sync`` domain, or without a clock.
    testbenches : iterable of Testbench
        Drive and observe; one that raises ends the simulation with its exception.
    checkers : iterable of Testbench
        Watch until the testbenches are done, such as ``streams.keeps_promise(port)``.
    timeout_cycles : int
        Clocks after which testbenches that have not returned are given up; None for testbenches
        that watch themselves.
    traces : pathlib.Path, optional
        Folder for the waveform ``<class of dut>.vcd``, which is written only if the environment
        has ``FANTASTIC4_VCD=1``.

    Raises
    ------
    SimulationError
        If the watchdog bites; the message names the testbenches still running.
    """
    top = Module()
    top.domains.sync = ClockDomain("sync")
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(CLOCK_PERIOD)
    running: list[str] = []
    for testbench in testbenches:
        simulator.add_testbench(_counted(testbench, running))
    for checker in checkers:
        simulator.add_testbench(checker, background=True)

    async def watchdog(ctx: Any) -> None:
        await ctx.delay(CLOCK_PERIOD * (timeout_cycles or 0))
        raise SimulationError(
            f"{type(dut).__name__}: after {timeout_cycles} cycles still waiting for "
            f"{', '.join(running)}"
        )

    if timeout_cycles is not None:
        simulator.add_testbench(watchdog, background=True)
    with _waveform(simulator, type(dut).__name__, traces):
        simulator.run()


def _counted(testbench: Testbench, running: list[str]) -> Testbench:
    """Return ``testbench`` keeping its name in ``running`` until it returns."""
    name = getattr(testbench, "__qualname__", repr(testbench))
    name = name.replace(".<locals>", "")
    running.append(name)

    async def counted(ctx: Any) -> None:
        await testbench(ctx)
        running.remove(name)

    return counted


def _waveform(simulator: Simulator, name: str, folder: Path | None) -> Any:
    if folder is None or os.environ.get("FANTASTIC4_VCD") != "1":
        return nullcontext()
    folder.mkdir(parents=True, exist_ok=True)
    return simulator.write_vcd(str(folder / f"{name}.vcd"))
