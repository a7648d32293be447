# SPDX-License-Identifier: Apache-2.0
"""The whole core as a user of its Verilog sees it: AXI-Streams, status and counters.

``cocotb_run.core_job`` writes the files these tests read: an image, inputs, and what golden says.
"""

import itertools
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from fantastic4.layout import ErrorCode

FOLDER = Path(os.environ["F4_JOB"])
PAUSE = float(os.environ["F4_PAUSE"])
PERIOD_NS = 10
PATIENCE_US = 5000


class Bench:
    """Sources and sink on the ports of a core, each pausing at random."""

    def __init__(self, dut):
        self.dut = dut
        self.load = self._port(AxiStreamSource, "s_axis_load")
        self.input = self._port(AxiStreamSource, "s_axis_input")
        self.result = self._port(AxiStreamSink, "m_axis_result")

    def _port(self, kind, prefix):
        port = kind(AxiStreamBus.from_prefix(self.dut, prefix), self.dut.clk)
        port.log.setLevel("WARNING")
        if PAUSE:
            dice = random.Random(prefix)
            port.set_pause_generator(dice.random() < PAUSE for _ in itertools.count())
        return port

    async def reset(self):
        """Start the clock and reset the core."""
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 4)

    async def load_image(self, image):
        """Send the image and return the error code the status shows then."""
        await self.load.send(image)
        await with_timeout(self.load.wait(), PATIENCE_US, "us")
        await ClockCycles(self.dut.clk, 16)
        error = int(self.dut.status_error.value)
        assert int(self.dut.status_loaded.value) == (error == 0)
        return ErrorCode(error)

    async def check(self, inputs, outputs, best):
        """Send all inputs back to back; compare every result; nothing may come after them."""
        for row in inputs:
            await self.input.send(AxiStreamFrame(row.tobytes()))
        for index, expected in enumerate(outputs):
            frame = await with_timeout(self.result.recv(compact=False), PATIENCE_US, "us")
            # a frame ends at tlast, so its length says where tlast was
            seen = np.frombuffer(bytes(frame.tdata), "<i4")
            assert seen.tolist() == expected.tolist(), f"outputs of input {index}"
            assert frame.tuser[-1] == best[index], f"arg-max of input {index}"
            assert int(self.dut.perf_cycles.value) >= int(self.dut.perf_beats.value) > 0
        await ClockCycles(self.dut.clk, 64)
        assert self.result.empty(), "results nobody asked for"
        assert self.result.idle(), "an unfinished frame of results"
        assert self.input.idle(), "inputs the core did not take"
        await FallingEdge(self.dut.clk)
        assert int(self.dut.m_axis_result_tvalid.value) == 0
        assert int(self.dut.status_idle.value) == 1


def job():
    """Return image, inputs, outputs and best."""
    arrays = (np.load(FOLDER / f"{name}.npy") for name in ("inputs", "outputs", "best"))
    return (FOLDER / "image").read_bytes(), *arrays


@cocotb.test()
async def equals_golden(dut):
    image, inputs, outputs, best = job()
    bench = Bench(dut)
    await bench.reset()
    assert await bench.load_image(image) == ErrorCode.NONE
    await bench.check(inputs, outputs, best)


@cocotb.test()
async def recovers_from_a_damaged_image(dut):
    image, inputs, outputs, best = job()
    bench = Bench(dut)
    await bench.reset()
    damaged = image[:-1] + bytes([image[-1] ^ 1])
    assert await bench.load_image(damaged) == ErrorCode.CHECKSUM
    assert await bench.load_image(image) == ErrorCode.NONE
    await bench.check(inputs[:2], outputs[:2], best[:2])
