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
        There is a network and an input: begin as soon as the inference before has finished, but no
        earlier than in the next clock.
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
        The layer whose steps are being given: ``is_last`` from its first clock on, ``layer`` from
        its second.
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
        enters_last = Signal()
        """The record at hand is that of the last layer."""
        ahead, computed = Signal(), Signal()
        """The layer before has not finished; this chunk of its outputs is there."""
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
        m.d.sync += enters_last.eq(following == self.layers - 1)

        # What a group and a plane begin with, found out when their layer is entered.
        all_chunks, all_planes = Signal.like(chunks_beyond), Signal.like(planes_beyond)
        single_tile = Signal()

        def enter_tile(is_last: Value) -> None:
            m.d.sync += [
                in_tile.eq(0),
                last_place.eq(tile_chunks == 1),
                last_tile.eq(is_last),
            ]

        def enter_plane(beyond: Value, is_single: Value) -> None:
            """Begin a plane with ``beyond + 1`` chunks behind its first one."""
            m.d.sync += [chunk.eq(0), chunks_beyond.eq(beyond), first_tile.eq(1)]
            enter_tile(is_single)

        def enter_layer() -> None:
            """Begin the layer of the record at hand.

            The next one's is then asked for: that has the time until the first outputs of a layer.
            But the first layer may have a single step, so there the table is asked a clock earlier.
            """
            new = self.table_record
            chunks, planes = new.in_chunks - 2, new.planes - 2
            is_single = new.in_chunks <= tile_chunks
            m.d.sync += [
                all_chunks.eq(chunks),
                all_planes.eq(planes),
                single_tile.eq(is_single),
                rows_beyond.eq(((new.out_features + cfg.cores - 1) >> shift) - (cfg.engines + 1)),
                planes_beyond.eq(planes),
                first_plane.eq(1),
                last.eq(enters_last),
            ]
            enter_plane(chunks, is_single)

        def ask_following(is_last: Value) -> None:
            m.d.sync += following.eq(Mux(is_last, 0, following + 1))

        # What is wanted of a layer when its first rows come is kept a clock later.
        entered = Signal()
        m.d.sync += entered.eq(0)
        with m.If(self.begin | entered):
            m.d.sync += record.eq(self.table_record)

        # Whether a chunk is there is found out a clock ahead, for this one and for the next. When a
        # plane ends, the layer before has finished.
        moves = Signal()
        here, there = (at < self.chunks_ready for at in (chunk, chunk + 1))
        m.d.sync += computed.eq(~ahead | Mux(moves, there, here))
        with m.If(self.drained):
            m.d.sync += ahead.eq(0)

        m.d.comb += [self.layer.eq(record), self.is_last.eq(last)]
        with m.FSM() as fsm:
            with m.State("IDLE"), m.If(self.start):
                ask_following(enters_last)
                m.next = "BEGIN"

            with m.State("BEGIN"):
                m.d.comb += self.begin.eq(1)
                enter_layer()
                m.d.sync += [is_first.eq(1), ahead.eq(0), computed.eq(1), buffer.eq(1)]
                m.next = "STEP"

            with m.State("STEP"):
                m.d.comb += self.steps.valid.eq(computed & (self.room | ~last))
                m.d.comb += moves.eq(self.steps.valid & self.steps.ready)
                with m.If(moves):
                    m.d.comb += self.reserve.eq(group_ends & last)
                    m.d.sync += [
                        chunk.eq(chunk + 1),
                        chunks_beyond.eq(chunks_beyond - 1),
                        in_tile.eq(in_tile + 1),
                        last_place.eq(in_tile == tile_chunks - 2),
                    ]
                    with m.If(step.last):
                        m.d.sync += first_tile.eq(0)
                        enter_tile(chunks_beyond < tile_chunks)
                    with m.If(plane_ends):
                        enter_plane(all_chunks, single_tile)
                        m.d.sync += [planes_beyond.eq(planes_beyond - 1), first_plane.eq(0)]
                    with m.If(group_ends):
                        m.d.sync += [
                            planes_beyond.eq(all_planes),
                            first_plane.eq(1),
                            rows_beyond.eq(rows_beyond - cfg.engines),
                        ]
                    with m.If(layer_ends):
                        with m.If(last):
                            m.next = "FINISH"
                        with m.Else():
                            enter_layer()
                            ask_following(enters_last)
                            m.d.sync += [entered.eq(1), is_first.eq(0), buffer.eq(~buffer)]
                            m.d.sync += [ahead.eq(1), computed.eq(self.chunks_ready.any())]

            with m.State("FINISH"), m.If(self.done):
                m.next = "IDLE"
                with m.If(self.start):
                    ask_following(enters_last)
                    m.next = "BEGIN"

        m.d.comb += self.running.eq(~fsm.ongoing("IDLE"))
        return m
