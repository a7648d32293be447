# SPDX-License-Identifier: Apache-2.0
"""Walks a network: layer after layer, row group after row group, chunk after chunk."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
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
                "chunks_ready": In(FEATURE_WIDTH),
                "drained": In(1),
                "room": In(1),
                "reserve": Out(1),
                "reserve_rows": Out(range(cfg.engines + 1)),
                "steps": Out(stream.Signature(step_layout(cfg))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware.

        Everything a step says of its place is a flip-flop, or the sign of a counter that runs to
        -1: it is known before the step is offered.
        """
        m = Module()
        cfg = self.cfg
        shift = cfg.cores.bit_length() - 1
        step = self.steps.payload
        tile_chunks = cfg.tile_chunks
        record = Signal(LAYER_LAYOUT)
        chunk = Signal(len(step.chunk))
        in_tile = Signal(range(tile_chunks))
        chunks_beyond = Signal(signed(FEATURE_WIDTH + 1))
        """Chunks of the plane behind this one, less one."""
        planes_beyond = Signal(signed(len(record.planes) + 1))
        """Planes of the group behind this one, less one."""
        rows_beyond = Signal(signed(FEATURE_WIDTH + 1))
        """Rows of the layer in each core behind this group, less one, padding included."""
        last_place = Signal()
        """This chunk would fill its tile."""
        first_tile, last_tile, first_plane = Signal(), Signal(), Signal()
        is_first, last, following = Signal(), Signal(), Signal(4)
        enters_last = following == self.layers - 1
        ahead = Signal()
        """The layer before has not finished."""
        buffer = Signal()
        """Hidden buffer this layer reads."""

        plane_ends, group_ends, layer_ends = Signal(), Signal(), Signal()
        last_group, rows = rows_beyond[-1], Signal(range(cfg.engines + 1))
        m.d.comb += [
            plane_ends.eq(chunks_beyond[-1]),
            group_ends.eq(plane_ends & planes_beyond[-1]),
            layer_ends.eq(group_ends & last_group),
            rows.eq(Mux(last_group, rows_beyond + 1 + cfg.engines, cfg.engines)),
        ]
        m.d.comb += [
            step.hidden.eq(~is_first),
            step.slot.eq(Mux(is_first, self.slot, buffer)),
            step.chunk.eq(chunk),
            step.first.eq(in_tile == 0),
            step.last.eq(last_place | plane_ends),
            step.open.eq(first_plane & first_tile),
            step.close.eq(planes_beyond[-1] & last_tile),
            step.ends.eq(last_group),
            step.rows.eq(rows - 1),
            step.release.eq(layer_ends & is_first),
            self.reserve_rows.eq(rows),
            self.table_index.eq(following),
        ]

        def enter_tile(beyond: Value) -> None:
            """Begin a tile with ``beyond + 1`` chunks of its plane behind its first one."""
            m.d.sync += [
                in_tile.eq(0),
                last_place.eq(tile_chunks == 1),
                last_tile.eq(beyond < tile_chunks - 1),
            ]

        def enter_plane(beyond: Value) -> None:
            m.d.sync += [chunk.eq(0), chunks_beyond.eq(beyond), first_tile.eq(1)]
            enter_tile(beyond)

        def enter_layer() -> None:
            """Begin the layer of the record at hand; the next one's is then asked for.

            That has the time until the first outputs of a layer, except behind the first layer,
            which may have but one step: there the table is asked a clock earlier.
            """
            new = self.table_record
            m.d.sync += [
                record.eq(new),
                rows_beyond.eq(((new.out_features + cfg.cores - 1) >> shift) - (cfg.engines + 1)),
                planes_beyond.eq(new.planes - 2),
                first_plane.eq(1),
                last.eq(enters_last),
                following.eq(Mux(enters_last, 0, following + 1)),
            ]
            enter_plane(new.in_chunks - 2)

        computed = Signal()
        m.d.comb += computed.eq(~ahead | (chunk < self.chunks_ready))
        with m.If(self.drained):
            m.d.sync += ahead.eq(0)

        m.d.comb += [self.layer.eq(record), self.is_last.eq(last)]
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [self.layer.eq(self.table_record), self.is_last.eq(enters_last)]
                with m.If(self.start):
                    m.d.comb += [self.begin.eq(1), self.table_index.eq(~enters_last)]
                    enter_layer()
                    m.d.sync += [is_first.eq(1), ahead.eq(0), buffer.eq(1)]
                    m.next = "STEP"

            with m.State("STEP"):
                m.d.comb += self.steps.valid.eq(computed & (self.room | ~last))
                with m.If(self.steps.valid & self.steps.ready):
                    m.d.comb += self.reserve.eq(group_ends & last)
                    beyond = chunks_beyond - 1
                    m.d.sync += [
                        chunk.eq(chunk + 1),
                        chunks_beyond.eq(beyond),
                        in_tile.eq(in_tile + 1),
                        last_place.eq(in_tile == tile_chunks - 2),
                    ]
                    with m.If(step.last):
                        m.d.sync += first_tile.eq(0)
                        enter_tile(beyond)
                    with m.If(plane_ends):
                        enter_plane(record.in_chunks - 2)
                        m.d.sync += [planes_beyond.eq(planes_beyond - 1), first_plane.eq(0)]
                    with m.If(group_ends):
                        m.d.sync += [
                            planes_beyond.eq(record.planes - 2),
                            first_plane.eq(1),
                            rows_beyond.eq(rows_beyond - cfg.engines),
                        ]
                    with m.If(layer_ends):
                        with m.If(last):
                            m.next = "FINISH"
                        with m.Else():
                            enter_layer()
                            m.d.sync += [is_first.eq(0), buffer.eq(~buffer), ahead.eq(1)]

            with m.State("FINISH"):
                with m.If(self.done):
                    m.next = "IDLE"

        m.d.comb += self.running.eq(~fsm.ongoing("IDLE"))
        return m
