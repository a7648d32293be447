# SPDX-License-Identifier: Apache-2.0
"""Retires finished rows: into the next layer's buffer, or as results with their arg-max."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ChunkWritePort, ChunkWriteSignature
from fantastic4_hw.serialiser import Serialiser, wide_layout
from fantastic4_hw.shapes import (
    FEATURE_WIDTH,
    INDEX_WIDTH,
    LAYER_LAYOUT,
    RESULT_LAYOUT,
    finished_layout,
)


class Retire(wiring.Component):
    """Counts the rows of a layer as they come out of post-processing, a row of each core a clock.

    Rows of neighbouring cores are neighbours, and neighbouring lanes. What comes behind the last
    row of a layer, from cores that have none, is written into the hidden buffer, where nobody heeds
    it; among the results it is left out.

    Members
    -------
    begin : ``In(1)``, ``record`` : ``In(LAYER_LAYOUT)``, ``is_last`` : ``In(1)``
        An inference begins with the layer ``record``. When a layer has finished, ``record`` and
        ``is_last`` are already those of the next.
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
    room : ``Out(1)``, ``reserve`` : ``In(1)``, ``reserve_rows`` : ``In``
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
    room: Signal
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
                "chunks_ready": Out(FEATURE_WIDTH),
                "drained": Out(1),
                "done": Out(1),
                "results": Out(stream.Signature(RESULT_LAYOUT)),
                "room": Out(1),
                "reserve": In(1),
                "reserve_rows": In(range(cfg.engines + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cores = self.cfg.cores
        places = self.cfg.lanes // cores
        row, place, buffer = Signal(FEATURE_WIDTH), Signal(range(places)), Signal()
        """Rows of each core that have come; place of the next in their chunk."""
        final = Signal()
        last_layer = Signal()

        m.d.comb += [
            final.eq(row == (self.layer.out_features - 1) >> cores.bit_length() - 1),
            self.drained.eq(self.i.valid & final),
            self.done.eq(self.drained & last_layer),
            self.write.slot.eq(buffer),
            self.write.chunk.eq(self.chunks_ready),
        ]
        for lane in range(self.cfg.lanes):
            m.d.comb += [
                self.write.acts[lane].eq(self.i.payload[lane % cores].y),
                self.write.en[lane].eq(self.i.valid & ~last_layer & (place == lane // cores)),
            ]

        with m.If(self.i.valid):
            m.d.sync += row.eq(row + 1)
            with m.If((place == places - 1) | final):
                m.d.sync += [place.eq(0), self.chunks_ready.eq(self.chunks_ready + 1)]
            with m.Else():
                m.d.sync += place.eq(place + 1)
        with m.If(self.begin | self.drained):
            m.d.sync += [
                self.layer.eq(self.record),
                last_layer.eq(self.is_last),
                row.eq(0),
                place.eq(0),
                self.chunks_ready.eq(0),
                buffer.eq(Mux(self.begin, 0, ~buffer)),
            ]

        queue_results = self._queue if cores == 1 else self._wide_queue
        left = queue_results(m, row, final, last_layer)

        free = Signal(range(self.depth + 1), init=self.depth)
        m.d.comb += self.room.eq(free >= self.cfg.engines)
        m.d.sync += free.eq(free + left - Mux(self.reserve, self.reserve_rows, 0))
        if cores > 1:
            opened = Signal()
            with m.If(self.done):
                m.d.sync += opened.eq(0)
            with m.Elif(self.reserve):
                m.d.sync += opened.eq(1)
            with m.If(~opened):
                m.d.comb += self.room.eq(free == self.depth)
        return m

    def _value(self, core: int) -> Value:
        """Return what the row of a core is as a result."""
        finished = self.i.payload[core]
        return Mux(self.layer.logits, finished.rounded, finished.y)

    def _queue(self, m: Module, row: Signal, final: Signal, last_layer: Signal) -> Value:
        """Find the arg-max and queue the results; return whether one leaves."""
        value = Signal(signed(32))
        index, last, valid = Signal(INDEX_WIDTH), Signal(), Signal()
        m.d.sync += [
            value.eq(self._value(0)),
            index.eq(row),
            last.eq(final),
            valid.eq(self.i.valid & last_layer),
        ]

        greatest, greatest_index = Signal(signed(32)), Signal(INDEX_WIDTH)
        best = Signal(INDEX_WIDTH)
        wins = (index == 0) | (value > greatest)
        m.d.comb += best.eq(Mux(wins, index, greatest_index))
        with m.If(valid & wins):
            m.d.sync += [greatest.eq(value), greatest_index.eq(index)]

        m.submodules.queue = queue = fifo.SyncFIFOBuffered(
            width=RESULT_LAYOUT.size, depth=self.depth
        )
        m.d.comb += [
            queue.w_data.eq(Cat(value, best, last)),
            queue.w_en.eq(valid),
            self.results.payload.eq(queue.r_data),
            self.results.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.results.ready),
        ]
        return self.results.valid & self.results.ready

    def _wide_queue(self, m: Module, row: Signal, final: Signal, last_layer: Signal) -> Value:
        """Queue the results of a clock side by side; return whether the last of them leaves."""
        wide, valid = Signal(wide_layout(self.cfg)), Signal()
        m.d.sync += [
            Cat(wide.values).eq(Cat(self._value(core)[:32] for core in range(self.cfg.cores))),
            wide.rows.eq(self.layer.out_features - 1),
            wide.last.eq(final),
            valid.eq(self.i.valid & last_layer),
        ]
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(
            width=wide.shape().size, depth=self.depth
        )
        m.submodules.serialiser = serialiser = Serialiser(self.cfg)
        m.d.comb += [
            queue.w_data.eq(wide),
            queue.w_en.eq(valid),
            serialiser.i.payload.eq(queue.r_data),
            serialiser.i.valid.eq(queue.r_rdy),
            queue.r_en.eq(serialiser.i.ready),
        ]
        wiring.connect(m, serialiser.o, wiring.flipped(self.results))
        return serialiser.i.valid & serialiser.i.ready
