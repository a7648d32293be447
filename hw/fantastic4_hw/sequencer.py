# SPDX-License-Identifier: Apache-2.0
"""Walks a network: layer after layer, row group after row group, chunk after chunk."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.compare import is_above
from fantastic4_hw.following import fetch_following
from fantastic4_hw.lut import all_of
from fantastic4_hw.shapes import FEATURE_WIDTH, LAYER_LAYOUT, step_layout


class Sequencer(wiring.Component):
    """Asks for the chunks of one inference after another, one a clock.

    A step is given when its chunk has been computed (only the first row group of a layer can be
    that early), when, in the last layer, the result queue has room for the whole group, and when
    there is a place for it. Whether it is comes out of a flip-flop: all that is decided in the
    clock before.

    Members
    -------
    start : ``In(1)``
        There is a network and an input: begin, if the inference before has finished.
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
        Chunks computed by the layer that is finishing; that layer has just finished. It takes at
        least `RECORD_TIME` clocks from its last step.
    room_for_one, room_for_two : ``In(1)``
        In the next clock the result queue has room for a row group, if none is reserved in this one
        and if one is.
    reserve : ``Out(1)``, ``reserve_rows`` : ``Out``
        Take that room, for so many rows of each core.
    space_for_one, space_for_two : ``In(1)``
        Places for steps, without the one that may be given in this clock.
    steps : ``Out(stream, always_ready)``
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
    room_for_one: Signal
    room_for_two: Signal
    reserve: Signal
    reserve_rows: Signal
    space_for_one: Signal
    space_for_two: Signal
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
                "chunks_ready": In(range(cfg.hidden_chunks + 1)),
                "drained": In(1),
                "room_for_one": In(1),
                "room_for_two": In(1),
                "reserve": Out(1),
                "reserve_rows": Out(range(cfg.engines + 1)),
                "space_for_one": In(1),
                "space_for_two": In(1),
                "steps": Out(stream.Signature(step_layout(cfg), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware.

        Everything a step says of its place is a flip-flop, or the sign of a counter that runs to
        -1: it is known before the step is given.
        """
        m = Module()
        cfg = self.cfg
        step, moves = self.steps.payload, self.steps.valid
        tile_chunks = cfg.tile_chunks
        following = fetch_following(m, cfg, self.layers, self.table_index, self.table_record)
        record = Signal(LAYER_LAYOUT, reset_less=True)
        chunk, following_chunk = Signal(len(step.chunk)), Signal(len(step.chunk) + 1)
        in_tile = Signal(range(tile_chunks))
        chunks_beyond = Signal.like(following.chunks)
        """Chunks of the plane behind this one, less one."""
        planes_beyond = Signal(signed(len(record.planes) + 1))
        """Planes of the group behind this one, less one."""
        rows_beyond = Signal(signed(FEATURE_WIDTH + 1))
        """Rows of the layer in each core behind this group, less one, padding included."""
        last_place = Signal()
        """This chunk would fill its tile."""
        first_tile, last_tile, first_plane = Signal(), Signal(), Signal()
        is_first, last = Signal(), Signal()
        ahead = Signal()
        """The layer before has not finished."""
        buffer = Signal()
        """Hidden buffer this layer reads."""

        plane_ends, group_ends, layer_ends, leaves = Signal(), Signal(), Signal(), Signal()
        given = (moves, chunks_beyond[-1], planes_beyond[-1], rows_beyond[-1])
        last_group, rows = rows_beyond[-1], Signal(range(cfg.engines + 1))
        m.d.comb += [
            plane_ends.eq(chunks_beyond[-1]),
            group_ends.eq(plane_ends & planes_beyond[-1]),
            layer_ends.eq(group_ends & last_group),
            leaves.eq(all_of(m, given, "leaves", platform)),
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
        ]

        # What a group and a plane begin with.
        all_chunks, all_planes = Signal.like(chunks_beyond), Signal.like(planes_beyond)
        single_tile = Signal()

        # Without a layer at work all is set for the one that follows, whether its record is there
        # or not: what that hangs on reaches no counter.
        resting, idle, renews = Signal(), Signal(), Signal()
        m.d.comb += renews.eq(layer_ends | resting)
        with m.If(moves | resting):
            m.d.sync += [
                in_tile.eq(in_tile + 1),
                last_place.eq(in_tile == tile_chunks - 2),
                chunk.eq(following_chunk),
                following_chunk.eq(following_chunk + 1),
                chunks_beyond.eq(chunks_beyond - 1),
            ]
            with m.If(step.last | resting):
                m.d.sync += [in_tile.eq(0), last_place.eq(tile_chunks == 1)]
                m.d.sync += [first_tile.eq(0), last_tile.eq(chunks_beyond < tile_chunks)]
            with m.If(plane_ends | resting):
                m.d.sync += [chunk.eq(0), following_chunk.eq(1), first_tile.eq(1)]
                m.d.sync += [first_plane.eq(0), planes_beyond.eq(planes_beyond - 1)]
                m.d.sync += [chunks_beyond.eq(all_chunks), last_tile.eq(single_tile)]
            with m.If(group_ends | resting):
                m.d.sync += [first_plane.eq(1), planes_beyond.eq(all_planes)]
                m.d.sync += rows_beyond.eq(rows_beyond - cfg.engines)
            with m.If(renews):
                m.d.sync += [
                    Cat(all_chunks, chunks_beyond).eq(following.chunks.replicate(2)),
                    Cat(all_planes, planes_beyond).eq(following.planes.replicate(2)),
                    Cat(single_tile, last_tile).eq(following.is_single.replicate(2)),
                    rows_beyond.eq(following.rows),
                    last.eq(following.is_last),
                ]

        # What is wanted of a layer when its first rows come is kept a clock later, but of the first
        # layer, whose record is at hand by then, before.
        with m.If(following.entered | idle):
            m.d.sync += record.eq(self.table_record)

        # When a plane ends, the layer before has finished.
        here = ~ahead | ~is_above(following_chunk, self.chunks_ready)
        there = ~ahead | is_above(self.chunks_ready, following_chunk)
        with m.If(self.drained):
            m.d.sync += ahead.eq(0)

        enters = Signal()
        """The layer that follows begins in the next clock; its first step is given, if it can be.
        The one behind it is then asked for."""
        m.d.comb += [
            self.layer.eq(record),
            self.is_last.eq(last),
            self.reserve.eq(moves & group_ends & last),
            following.taken.eq(enters),
        ]
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.sync += [is_first.eq(1), ahead.eq(0), buffer.eq(1)]
                with m.If(self.start & following.ready):
                    m.d.comb += [self.begin.eq(1), enters.eq(1)]
                    m.next = "STEP"

            with m.State("STEP"), m.If(leaves):
                m.d.sync += [is_first.eq(0), ahead.eq(1), buffer.eq(~buffer)]
                with m.If(last):
                    m.next = "FINISH"
                with m.Elif(following.ready):
                    m.d.comb += enters.eq(1)
                with m.Else():
                    m.next = "FETCH"

            # The layer before was over before the record came; its outputs take longer yet.
            with m.State("FETCH"), m.If(following.ready):
                m.d.comb += enters.eq(1)
                m.next = "STEP"

            with m.State("FINISH"), m.If(self.done):
                m.next = "IDLE"

        # Whether a step is given in the next clock: of the layer that follows, of this one, and
        # behind a step of this one.
        room = ~last | self.room_for_one
        following_can = (~following.is_last | self.room_for_one) & (
            fsm.ongoing("IDLE") | self.chunks_ready.any()
        )
        stays = fsm.ongoing("STEP") & here & room
        goes_on = there & Mux(group_ends, ~last | self.room_for_two, room)
        can_follow = ~last & following.ready & following_can
        m.d.sync += moves.eq(
            Mux(
                moves,
                self.space_for_two & Mux(layer_ends, can_follow, goes_on),
                self.space_for_one & (stays | (enters & following_can)),
            )
        )
        m.d.comb += [
            resting.eq(~fsm.ongoing("STEP")),
            idle.eq(fsm.ongoing("IDLE")),
            self.running.eq(~idle),
        ]
        return m
