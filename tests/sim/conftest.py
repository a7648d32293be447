# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the core, with faults to order: what the simulation side is tested on."""

import os
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import verilog
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.layout import MAGIC, ErrorCode

STATUS = data.StructLayout({"loaded": 1, "busy": 1, "idle": 1, "error": 4})
PERF = data.StructLayout({"cycles": 32, "beats": 32, "stalls": 32})
RESULT = data.StructLayout({"value": signed(32), "best": 12, "last": 1})


class StandInFault(IntEnum):
    NONE = 0
    HANG = 1
    PROMISE = 2
    SURPLUS = 3
    ENDLESS = 4


class StandIn(wiring.Component):
    """Answers an input with two results: minus the sum of its bytes, and its transfers.

    Refuses an image that does not start with the magic word, whatever else it holds. The second
    word is a ``StandInFault``, which strikes at the third inference.
    """

    load: stream.Interface
    input: stream.Interface
    result: stream.Interface
    status: data.View
    perf: data.View

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        lanes = data.ArrayLayout(8, cfg.input_width)
        super().__init__(
            {
                "load": In(stream.Signature(data.StructLayout({"data": 32, "last": 1}))),
                "input": In(stream.Signature(data.StructLayout({"data": lanes, "last": 1}))),
                "result": Out(stream.Signature(RESULT)),
                "status": Out(STATUS),
                "perf": Out(PERF),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, o, p = self.input, self.result, self.result.p
        good = Signal()
        total, transfers, done = Signal(24), Signal(16), Signal(8)
        fault, strikes = Signal(StandInFault), Signal(range(5))
        with m.If(done == 2):
            m.d.comb += strikes.eq(fault)

        m.d.comb += self.load.ready.eq(1)
        now_good, word = Signal(), Signal(16)
        m.d.comb += now_good.eq(Mux(word == 0, self.load.p.data == MAGIC, good))
        with m.If(self.load.valid):
            m.d.sync += [
                good.eq(now_good),
                word.eq(Mux(self.load.p.last, 0, word + 1)),
                self.status.loaded.eq(self.load.p.last & now_good),
                self.status.error.eq(Mux(self.load.p.last & ~now_good, ErrorCode.MAGIC.value, 0)),
            ]
            with m.If(word == 1):
                m.d.sync += fault.eq(self.load.p.data)

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += i.ready.eq(self.status.loaded)
                with m.If(i.valid & i.ready):
                    m.d.sync += [
                        total.eq(total + sum(i.p.data[n] for n in range(self.cfg.input_width))),
                        transfers.eq(transfers + 1),
                    ]
                    with m.If(i.p.last):
                        m.next = "SUM"
            with m.State("SUM"):
                m.d.sync += [
                    self.perf.cycles.eq(total),
                    self.perf.beats.eq(done),
                    self.perf.stalls.eq(done + 1),
                ]
                m.d.comb += p.value.eq(-total)
                m.d.comb += o.valid.eq(strikes != StandInFault.HANG)
                with m.If(strikes == StandInFault.PROMISE):
                    m.d.sync += total.eq(total + 1)
                with m.If(o.valid & o.ready):
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += [
                    o.valid.eq(1),
                    p.value.eq(transfers),
                    p.best.eq(done),
                    p.last.eq(strikes != StandInFault.ENDLESS),
                ]
                with m.If(o.ready & p.last):
                    m.d.sync += [total.eq(0), transfers.eq(0), done.eq(done + 1)]
                    with m.If(strikes != StandInFault.SURPLUS):
                        m.next = "TAKE"
        return m


class FlatStandIn(wiring.Component):
    """The stand-in with the ports of the Verilog top."""

    def __init__(self, cfg: CoreConfig):
        self.core = StandIn(cfg)
        super().__init__(
            {
                "s_axis_load_tdata": In(32),
                "s_axis_load_tvalid": In(1),
                "s_axis_load_tready": Out(1),
                "s_axis_load_tlast": In(1),
                "s_axis_input_tdata": In(8 * cfg.input_width),
                "s_axis_input_tvalid": In(1),
                "s_axis_input_tready": Out(1),
                "s_axis_input_tlast": In(1),
                "m_axis_result_tdata": Out(32),
                "m_axis_result_tvalid": Out(1),
                "m_axis_result_tready": In(1),
                "m_axis_result_tlast": Out(1),
                "m_axis_result_tuser": Out(12),
                "status_loaded": Out(1),
                "status_busy": Out(1),
                "status_idle": Out(1),
                "status_error": Out(4),
                "perf_cycles": Out(32),
                "perf_beats": Out(32),
                "perf_stalls": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        port: Any = self
        for name, i in (("load", core.load), ("input", core.input)):
            m.d.comb += [
                i.p.data.eq(getattr(port, f"s_axis_{name}_tdata")),
                i.p.last.eq(getattr(port, f"s_axis_{name}_tlast")),
                i.valid.eq(getattr(port, f"s_axis_{name}_tvalid")),
                getattr(port, f"s_axis_{name}_tready").eq(i.ready),
            ]
        m.d.comb += [
            port.m_axis_result_tdata.eq(core.result.p.value),
            port.m_axis_result_tlast.eq(core.result.p.last),
            port.m_axis_result_tuser.eq(core.result.p.best),
            port.m_axis_result_tvalid.eq(core.result.valid),
            core.result.ready.eq(port.m_axis_result_tready),
            port.status_loaded.eq(core.status.loaded),
            port.status_error.eq(core.status.error),
            port.perf_cycles.eq(core.perf.cycles),
            port.perf_beats.eq(core.perf.beats),
            port.perf_stalls.eq(core.perf.stalls),
        ]
        return m


@pytest.fixture
def stand_in() -> type[StandIn]:
    return StandIn


@pytest.fixture
def write_stand_in():
    """Writes the stand-in's Verilog, with the ports of the core's."""

    def write(cfg: CoreConfig, folder: Path) -> Path:
        path = folder / f"{cfg.name}_{cfg.input_width}.v"
        path.write_text(verilog.convert(FlatStandIn(cfg), name="fantastic4_core"))
        return path

    return write


@pytest.fixture
def models_dir(tmp_path_factory) -> Path:
    """Folder of compiled models that all tests of a run share, and all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "models"
