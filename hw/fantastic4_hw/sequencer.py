# SPDX-License-Identifier: Apache-2.0
"""Walks a network: layer after layer, row group after row group, chunk after chunk."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.shapes import FEATURE_WIDTH, LAYER_LAYOUT, step_layout


class Sequencer(wiring.Component):
    """Asks for the chunks of one inference after another, one a clock.

    A step waits until its chunk has been computed (only the first row group of a layer can be
    that early) and, in the last layer, until the result queue has room for the whole group.

    Members
    -------
    start : ``In(1)``
        There is a network and an input: begin as soon as the inference before has finished.
    begin : ``Out(1)``
        An inference begins in this clock; steps follow from the next.
    done : ``In(1)``
        The inference's last result has been computed.
    running : ``Out(1)``
    layers : ``In(5)``
        Layers of the network.
    table_index : ``Out(4)``, ``table_record`` : ``In(LAYER_LAYOUT)``
        Port of the layer table: the record of ``table_index``, one clock later.
    layer : ``Out(LAYER_LAYOUT)``, ``is_last`` : ``Out(1)``
        The layer whose steps are being given; while idle, the first one.
    slot : ``In(1)``
        Input slot of the inference.
    release : ``Out(1)``
        The input has been read for the last time.
    chunks_ready : ``In``, ``drained`` : ``In(1)``
        Chunks computed by the layer that is finishing; that layer has just finished.
    room : ``In(1)``
        The result queue has room for a row group.
    reserve : ``Out(1)``, ``reserve_rows`` : ``Out``
        Take that room, for so many rows of each core.
    steps : ``Out(stream)``
    """

    start: Signal
    begin: Signal
    done: Signal
    running: Signal
    layers: Signal
    table_index: Signal
    table_record: data.View
    layer: data.View
    is_last: Signal
    slot: Signal
    release: Signal
    chunks_ready: Signal
    drained: Signal
    room: Signal
    reserve: Signal
    reserve_rows: Signal
    steps: stream.Interface

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "start": In(1),
                "begin": Out(1),
                "done": In(1),
                "running": Out(1),
                "layers": In(5),
                "table_index": Out(4),
                "table_record": In(LAYER_LAYOUT),
                "layer": Out(LAYER_LAYOUT),
                "is_last": Out(1),
                "slot": In(1),
                "release": Out(1),
                "chunks_ready": In(FEATURE_WIDTH),
                "drained": In(1),
                "room": In(1),
                "reserve": Out(1),
                "reserve_rows": Out(range(cfg.engines + 1)),
                "steps": Out(stream.Signature(step_layout(cfg))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        shift = cfg.cores.bit_length() - 1
        step = self.steps.payload
        index = Signal(5)
        record = Signal(LAYER_LAYOUT)
        chunk, in_tile = Signal(FEATURE_WIDTH), Signal(range(cfg.tile_chunks))
        plane = Signal(3)
        rows_left = Signal(FEATURE_WIDTH)
        """Rows of the layer in each core, padding included; the cores take them side by side."""
        ahead = Signal()
        """The layer before has not finished."""
        buffer = Signal()
        """Hidden buffer this layer reads."""

        plane_ends, group_ends, layer_ends = Signal(), Signal(), Signal()
        rows = Signal(range(cfg.engines + 1))
        m.d.comb += [
            self.is_last.eq(index == self.layers - 1),
            plane_ends.eq(chunk == record.in_chunks - 1),
            group_ends.eq(plane_ends & (plane == record.planes - 1)),
            layer_ends.eq(group_ends & (rows_left <= cfg.engines)),
            rows.eq(Mux(rows_left <= cfg.engines, rows_left, cfg.engines)),
        ]

        m.d.comb += [
            step.hidden.eq(index != 0),
            step.slot.eq(Mux(index == 0, self.slot, buffer)),
            step.chunk.eq(chunk),
            step.first.eq(in_tile == 0),
            step.last.eq((in_tile == cfg.tile_chunks - 1) | plane_ends),
            step.open.eq((plane == 0) & (chunk < cfg.tile_chunks)),
            step.close.eq(
                (plane == record.planes - 1)
                & (chunk - in_tile + cfg.tile_chunks >= record.in_chunks)
            ),
            step.ends.eq(rows_left <= cfg.engines),
            step.rows.eq(rows - 1),
            self.reserve_rows.eq(rows),
        ]

        def enter_layer() -> None:
            m.d.sync += [
                record.eq(self.table_record),
                rows_left.eq((self.table_record.out_features + cfg.cores - 1) >> shift),
                chunk.eq(0),
                in_tile.eq(0),
                plane.eq(0),
            ]

        computed = Signal()
        m.d.comb += computed.eq(~ahead | (chunk < self.chunks_ready))
        with m.If(self.drained):
            m.d.sync += ahead.eq(0)

        m.d.comb += self.layer.eq(record)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += self.layer.eq(self.table_record)
                with m.If(self.start):
                    m.d.comb += self.begin.eq(1)
                    enter_layer()
                    m.d.comb += self.table_index.eq(1)
                    m.d.sync += [ahead.eq(0), buffer.eq(1)]
                    m.next = "STEP"

            with m.State("STEP"):
                m.d.comb += self.steps.valid.eq(computed & (self.room | ~self.is_last))
                m.d.comb += self.table_index.eq(index + 1)
                with m.If(self.steps.valid & self.steps.ready):
                    m.d.comb += self.reserve.eq(group_ends & self.is_last)
                    m.d.sync += chunk.eq(Mux(plane_ends, 0, chunk + 1))
                    m.d.sync += in_tile.eq(Mux(step.last, 0, in_tile + 1))
                    with m.If(plane_ends):
                        m.d.sync += plane.eq(Mux(group_ends, 0, plane + 1))
                    with m.If(group_ends):
                        m.d.sync += rows_left.eq(rows_left - cfg.engines)
                    with m.If(layer_ends):
                        m.d.comb += self.release.eq(index == 0)
                        with m.If(self.is_last):
                            m.next = "FINISH"
                        with m.Else():
                            enter_layer()
                            m.d.comb += self.table_index.eq(index + 2)
                            m.d.sync += [
                                index.eq(index + 1),
                                buffer.eq(~buffer),
                                ahead.eq(1),
                            ]

            with m.State("FINISH"):
                with m.If(self.done):
                    m.d.sync += index.eq(0)
                    m.next = "IDLE"

        m.d.comb += self.running.eq(~fsm.ongoing("IDLE"))
        return m
