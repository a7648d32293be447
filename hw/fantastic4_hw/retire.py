# SPDX-License-Identifier: Apache-2.0
"""Retires finished rows: into the next layer's buffer, or as results with their arg-max."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ChunkWritePort, ChunkWriteSignature
from fantastic4_hw.shapes import FEATURE_WIDTH, INDEX_WIDTH, LAYER_LAYOUT, RESULT_LAYOUT


class Retire(wiring.Component):
    """Counts the rows of a layer as they come out of post-processing.

    Members
    -------
    begin : ``In(1)``, ``record`` : ``In(LAYER_LAYOUT)``, ``is_last`` : ``In(1)``
        An inference begins with the layer ``record``. When a layer has finished, ``record`` and
        ``is_last`` are already those of the next.
    i : ``In(stream, always_ready)``
        Finished rows of post-processing.
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
        rows = data.StructLayout({"rounded": signed(cfg.acc_width), "y": 8})
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
        lanes = self.cfg.lanes
        row, lane, buffer = Signal(FEATURE_WIDTH), Signal(range(lanes)), Signal()
        final = Signal()
        last_layer = Signal()

        m.d.comb += [
            final.eq(row == self.layer.out_features - 1),
            self.drained.eq(self.i.valid & final),
            self.done.eq(self.drained & last_layer),
            self.write.slot.eq(buffer),
            self.write.chunk.eq(self.chunks_ready),
        ]
        m.d.comb += [self.write.acts[j].eq(self.i.payload.y) for j in range(lanes)]
        m.d.comb += self.write.en.eq(
            Cat(self.i.valid & ~last_layer & (lane == j) for j in range(lanes))
        )

        with m.If(self.i.valid):
            m.d.sync += row.eq(row + 1)
            with m.If((lane == lanes - 1) | final):
                m.d.sync += [lane.eq(0), self.chunks_ready.eq(self.chunks_ready + 1)]
            with m.Else():
                m.d.sync += lane.eq(lane + 1)
        with m.If(self.begin | self.drained):
            m.d.sync += [
                self.layer.eq(self.record),
                last_layer.eq(self.is_last),
                row.eq(0),
                lane.eq(0),
                self.chunks_ready.eq(0),
                buffer.eq(Mux(self.begin, 0, ~buffer)),
            ]

        self._queue(m, row, final, last_layer)
        return m

    def _queue(self, m: Module, row: Signal, final: Signal, last_layer: Signal) -> None:
        """Finds the arg-max and queues the results."""
        value, y = Signal(signed(32)), self.i.payload.y
        index, last, valid = Signal(INDEX_WIDTH), Signal(), Signal()
        m.d.sync += [
            value.eq(Mux(self.layer.logits, self.i.payload.rounded, y)),
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

        free = Signal(range(self.depth + 1), init=self.depth)
        left = self.results.valid & self.results.ready
        m.d.comb += self.room.eq(free >= self.cfg.engines)
        m.d.sync += free.eq(free + left - Mux(self.reserve, self.reserve_rows, 0))
