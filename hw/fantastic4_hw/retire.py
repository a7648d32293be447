# SPDX-License-Identifier: Apache-2.0
"""Retires finished rows: into the next layer's buffer, or as results with their arg-max."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ChunkWritePort, ChunkWriteSignature
from fantastic4_hw.compare import is_above
from fantastic4_hw.copies import copies
from fantastic4_hw.serialiser import Serialiser, wide_layout
from fantastic4_hw.shapes import (
    FEATURE_WIDTH,
    INDEX_WIDTH,
    LAYER_LAYOUT,
    RESULT_LAYOUT,
    finished_layout,
)
from fantastic4_hw.streams import Queue


class Retire(wiring.Component):
    """Counts the rows of a layer as they come out of post-processing, a row of each core a clock.

    Rows of neighbouring cores are neighbours, and neighbouring lanes. What comes behind the last
    row of a layer, from cores that have none, is written into the hidden buffer, where nobody heeds
    it; among the results it is left out.

    Members
    -------
    begin : ``In(1)``, ``record`` : ``In(LAYER_LAYOUT)``, ``is_last`` : ``In(1)``
        An inference begins with the layer ``record``. When a layer has finished, ``record`` and
        ``is_last`` are already those of the next; they stay for the clock behind, in which no row
        comes.
    i : ``In(stream, always_ready)``
        Finished rows of post-processing, one of each core.
    layer : ``Out(LAYER_LAYOUT)``
        Layer whose rows are coming.
    write : ``Out``
        Port of the activation memory.
    chunks_ready : ``Out``
        Chunks of this layer that can be read.
    drained : ``Out(1)``, ``done`` : ``Out(1)``
        The layer, and the inference, has just finished.
    results : ``Out(stream)``
        Outputs of the last layer. Never stalls the rows: whoever starts a row group reserves room
        in the queue first.
    room_for_one, room_for_two : ``Out(1)``, ``reserve`` : ``In(1)``, ``reserve_rows`` : ``In``
        Whether there will be room in the next clock, if none is reserved in this one and if some
        is.
        A place of the queue is for a row of each core. Several cores may give results faster than
        they leave, so an inference has room only when those of the inference before have left: how
        long it takes does not depend on how many came before it.
    """

    begin: Signal
    record: data.View
    is_last: Signal
    i: stream.Interface
    layer: data.View
    write: ChunkWritePort
    chunks_ready: Signal
    drained: Signal
    done: Signal
    results: stream.Interface
    room_for_one: Signal
    room_for_two: Signal
    reserve: Signal
    reserve_rows: Signal

    def __init__(self, cfg: CoreConfig, *, depth: int):
        self.cfg = cfg
        self.depth = depth
        rows = data.ArrayLayout(finished_layout(cfg), cfg.cores)
        super().__init__(
            {
                "begin": In(1),
                "record": In(LAYER_LAYOUT),
                "is_last": In(1),
                "i": In(stream.Signature(rows, always_ready=True)),
                "layer": Out(LAYER_LAYOUT),
                "write": Out(ChunkWriteSignature(cfg, cfg.hidden_chunks)),
                "chunks_ready": Out(range(self.cfg.hidden_chunks + 1)),
                "drained": Out(1),
                "done": Out(1),
                "results": Out(stream.Signature(RESULT_LAYOUT)),
                "room_for_one": Out(1),
                "room_for_two": Out(1),
                "reserve": In(1),
                "reserve_rows": In(range(cfg.engines + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cores = self.cfg.cores
        places = self.cfg.lanes // cores
        row, buffer = Signal(FEATURE_WIDTH, reset_less=True), Signal()
        """Rows of each core that have come."""
        place = Signal(places, reset_less=True)
        """Place of this row in their chunk, a bit each."""
        beyond = Signal(signed(FEATURE_WIDTH + 1), reset_less=True)
        """Rows of each core behind this one, less one."""
        final = beyond[-1]
        last_layer = Signal()
        layer = Signal(LAYER_LAYOUT, reset_less=True)

        m.d.comb += [
            self.layer.eq(layer),
            self.drained.eq(self.i.valid & final),
            self.done.eq(self.drained & last_layer),
            self.write.valid.eq(self.i.valid & ~last_layer),
            self.write.slot.eq(buffer),
            self.write.chunk.eq(self.chunks_ready),
        ]
        for lane in range(self.cfg.lanes):
            m.d.comb += [
                self.write.acts[lane].eq(self.i.payload[lane % cores].y),
                self.write.en[lane].eq(place[lane // cores]),
            ]

        with m.If(self.i.valid):
            m.d.sync += [
                row.eq(row + 1),
                beyond.eq(beyond - 1),
                place.eq(place.rotate_left(1)),
                self.chunks_ready.eq(self.chunks_ready + place[-1]),
            ]
        # No row comes in the clock behind, nor does a new layer begin.
        begun, renews = Signal(), self.begin | self.drained
        renew, renew_layer = copies(m, renews, 2, "renew", platform)
        m.d.sync += begun.eq(self.begin)
        with m.If(renew_layer):
            m.d.sync += layer.eq(self.record)
        with m.If(renew):
            m.d.sync += [
                last_layer.eq(self.is_last),
                row.eq(0),
                beyond.eq(((self.record.out_features - 1) >> cores.bit_length() - 1) - 1),
                place.eq(1),
                self.chunks_ready.eq(0),
                buffer.eq(~buffer & ~begun),
            ]

        queue_results = self._queue if cores == 1 else self._wide_queue
        left = queue_results(m, row, final, last_layer)

        self._account(m, left)
        return m

    def _account(self, m: Module, left: Value) -> None:
        """Keep count of the queue's places; ``left``: one becomes free."""
        group, depth = self.cfg.engines, self.depth
        gone, reserved = Signal(name="gone"), Signal(name="reserved")
        rows = Signal.like(self.reserve_rows)
        m.d.sync += [
            gone.eq(left),
            reserved.eq(self.reserve),
            rows.eq(Mux(self.reserve, self.reserve_rows, 0)),
        ]

        def free(least: int) -> Value:
            """Return whether so many places are free: no comparison, the sign of a count."""
            beyond = Signal(
                signed(depth.bit_length() + 1), init=depth - least, name=f"beyond_{least}"
            )
            m.d.sync += beyond.eq(beyond + gone - rows)
            return ~beyond[-1]

        # What is reserved in this clock and in the one before is not taken off yet.
        one, two, three = (free(group * count) for count in (1, 2, 3))
        for_one, for_two = Mux(reserved, two, one), Mux(reserved, three, two)
        if self.cfg.cores > 1:
            opened, empty = Signal(), free(depth)
            with m.If(self.done):
                m.d.sync += opened.eq(0)
            with m.Elif(self.reserve):
                m.d.sync += opened.eq(1)
            for_one = Mux(self.done | ~opened, empty, for_one)
            for_two = Mux(self.done, empty, for_two)
        m.d.comb += [self.room_for_one.eq(for_one), self.room_for_two.eq(for_two)]

    def _value(self, core: int) -> Value:
        """Return what the row of a core is as a result."""
        finished = self.i.payload[core]
        return Mux(self.layer.logits, finished.rounded, finished.y)

    def _queue(self, m: Module, row: Signal, final: Value, last_layer: Signal) -> Value:
        """Find the arg-max and queue the results; return whether one leaves."""
        value = Signal(signed(32), reset_less=True)
        index = Signal(INDEX_WIDTH, reset_less=True)
        first, last, valid = (Signal(name=name) for name in ("first", "last", "valid"))
        m.d.sync += [
            value.eq(self._value(0)),
            index.eq(row),
            first.eq(row == 0),
            last.eq(final),
            valid.eq(self.i.valid & last_layer),
        ]

        # A value is compared with the one before it and with the greatest of those before that:
        # which of them counts, the clock behind that knows.
        latest, latest_index, greatest_index = (
            Signal.like(value),
            Signal.like(index),
            Signal.like(index),
        )
        greatest = Signal.like(value)
        begins, ends, fresh, above_latest, above_greatest, won = (
            Signal(name=name)
            for name in ("begins", "ends", "fresh", "above_latest", "above_greatest", "won")
        )
        with m.If(valid):
            m.d.sync += [
                Cat(latest, latest_index, begins, ends).eq(Cat(value, index, first, last)),
                above_latest.eq(is_above(value, latest)),
                above_greatest.eq(is_above(value, greatest)),
            ]
        m.d.sync += fresh.eq(valid)
        wins = begins | Mux(won, above_latest, above_greatest)
        with m.If(fresh):
            m.d.sync += won.eq(wins)
            with m.If(wins):
                m.d.sync += [greatest.eq(latest), greatest_index.eq(latest_index)]

        m.submodules.queue = queue = Queue(RESULT_LAYOUT, self.depth, quick=self.cfg.steady)
        result = Signal(RESULT_LAYOUT, reset_less=True)
        m.d.comb += queue.i.payload.eq(result)
        m.d.sync += [
            Cat(result.value, result.last).eq(Cat(latest, ends)),
            result.best.eq(Mux(wins, latest_index, greatest_index)),
            queue.i.valid.eq(fresh),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.results))
        return self.results.valid & self.results.ready

    def _wide_queue(self, m: Module, row: Signal, final: Value, last_layer: Signal) -> Value:
        """Queue the results of a clock side by side; return whether the last of them leaves."""
        wide, valid = Signal(wide_layout(self.cfg), reset_less=True), Signal()
        m.d.sync += [
            Cat(wide.values).eq(Cat(self._value(core)[:32] for core in range(self.cfg.cores))),
            wide.rows.eq(self.layer.out_features - 1),
            wide.last.eq(final),
            valid.eq(self.i.valid & last_layer),
        ]
        m.submodules.queue = queue = Queue(wide_layout(self.cfg), self.depth, quick=self.cfg.steady)
        m.submodules.serialiser = serialiser = Serialiser(self.cfg)
        m.d.comb += [queue.i.payload.eq(wide), queue.i.valid.eq(valid)]
        wiring.connect(m, queue.o, serialiser.i)
        wiring.connect(m, serialiser.o, wiring.flipped(self.results))
        return serialiser.i.valid & serialiser.i.ready
