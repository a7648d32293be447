# SPDX-License-Identifier: Apache-2.0
"""The core as a Verilog block: AXI-Stream names on plain ports."""

from collections.abc import Callable

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.core import Core
from fantastic4_hw.shapes import INDEX_WIDTH
from fantastic4_hw.slice import Slice, SlicePorts


class StreamCore(wiring.Component):
    """A core whose three streams are AXI-Streams.

    Members
    -------
    s_axis_load_* : image words, 32 bits, ``tlast`` on the checksum.
    s_axis_input_* : ``input_width`` activations, the first one in the lowest byte; ``tlast`` ends
        an input.
    m_axis_result_* : one signed 32-bit output; ``tlast`` ends an inference, and then ``tuser`` is
        the index of the largest output.
    s_axis_weights_* : with ``cfg.external_weights`` only: a stream a bank, side by side; bank ``b``
        of engine ``e`` being number ``e * banks + b``, engines counted as rows are dealt to them. A
        transfer of it is one weight word, and its
        bit of ``tuser`` says that the word is the network's first.
    status_*, perf_* : see ``Core``.
    """

    s_axis_load_tdata: Signal
    s_axis_load_tlast: Signal
    s_axis_load_tvalid: Signal
    s_axis_load_tready: Signal
    s_axis_input_tdata: Signal
    s_axis_input_tlast: Signal
    s_axis_input_tvalid: Signal
    s_axis_input_tready: Signal
    s_axis_weights_tdata: Signal
    s_axis_weights_tuser: Signal
    s_axis_weights_tvalid: Signal
    s_axis_weights_tready: Signal
    m_axis_result_tdata: Signal
    m_axis_result_tuser: Signal
    m_axis_result_tlast: Signal
    m_axis_result_tvalid: Signal
    m_axis_result_tready: Signal
    status_loaded: Signal
    status_busy: Signal
    status_idle: Signal
    status_error: Signal
    perf_cycles: Signal
    perf_beats: Signal
    perf_stalls: Signal

    def __init__(self, cfg: CoreConfig, make_slice: Callable[[CoreConfig], SlicePorts] = Slice):
        self.cfg = cfg
        self.make_slice = make_slice
        super().__init__(ports_of(cfg))

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.core = core = Core(self.cfg, self.make_slice)
        m.d.comb += [
            core.load.payload.data.eq(self.s_axis_load_tdata),
            core.load.payload.last.eq(self.s_axis_load_tlast),
            core.load.valid.eq(self.s_axis_load_tvalid),
            self.s_axis_load_tready.eq(core.load.ready),
            core.input.payload.data.eq(self.s_axis_input_tdata),
            core.input.payload.last.eq(self.s_axis_input_tlast),
            core.input.valid.eq(self.s_axis_input_tvalid),
            self.s_axis_input_tready.eq(core.input.ready),
            self.m_axis_result_tdata.eq(core.result.payload.value),
            self.m_axis_result_tuser.eq(core.result.payload.best),
            self.m_axis_result_tlast.eq(core.result.payload.last),
            self.m_axis_result_tvalid.eq(core.result.valid),
            core.result.ready.eq(self.m_axis_result_tready),
            self.status_loaded.eq(core.status.loaded),
            self.status_busy.eq(core.status.busy),
            self.status_idle.eq(core.status.idle),
            self.status_error.eq(core.status.error),
            self.perf_cycles.eq(core.perf.cycles),
            self.perf_beats.eq(core.perf.beats),
            self.perf_stalls.eq(core.perf.stalls),
        ]
        if self.cfg.external_weights:
            for number, words in enumerate(core.weights):
                m.d.comb += [
                    words.payload.data.eq(
                        self.s_axis_weights_tdata.word_select(number, self.cfg.word_width)
                    ),
                    words.payload.first.eq(self.s_axis_weights_tuser[number]),
                    words.valid.eq(self.s_axis_weights_tvalid[number]),
                    self.s_axis_weights_tready[number].eq(words.ready),
                ]
        return m


def _sink(prefix: str, width: int) -> dict[str, wiring.Member]:
    """Return the ports of an AXI-Stream that the core takes."""
    return {
        f"{prefix}_tdata": In(width),
        f"{prefix}_tlast": In(1),
        f"{prefix}_tvalid": In(1),
        f"{prefix}_tready": Out(1),
    }


def _weights(cfg: CoreConfig) -> dict[str, wiring.Member]:
    """Return the ports of the streams of weight words."""
    banks = cfg.group_rows * cfg.banks
    return {
        "s_axis_weights_tdata": In(banks * cfg.word_width),
        "s_axis_weights_tuser": In(banks),
        "s_axis_weights_tvalid": In(banks),
        "s_axis_weights_tready": Out(banks),
    }


def ports_of(cfg: CoreConfig) -> dict[str, wiring.Member]:
    """Return the ports of a core, besides ``clk`` and ``rst``."""
    return {
        **_sink("s_axis_load", 32),
        **_sink("s_axis_input", 8 * cfg.input_width),
        **(_weights(cfg) if cfg.external_weights else {}),
        "m_axis_result_tdata": Out(32),
        "m_axis_result_tuser": Out(INDEX_WIDTH),
        "m_axis_result_tlast": Out(1),
        "m_axis_result_tvalid": Out(1),
        "m_axis_result_tready": In(1),
        "status_loaded": Out(1),
        "status_busy": Out(1),
        "status_idle": Out(1),
        "status_error": Out(4),
        "perf_cycles": Out(32),
        "perf_beats": Out(32),
        "perf_stalls": Out(32),
    }
