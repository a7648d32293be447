# SPDX-License-Identifier: Apache-2.0
"""Takes frames of the input stream into the two input slots."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ChunkWritePort, ChunkWriteSignature
from fantastic4_hw.shapes import FEATURE_WIDTH, input_layout


class InputWriter(wiring.Component):
    """Fills one slot while the other is computed on.

    A frame is ``ceil(in_features / input_width)`` transfers, ``last`` on the final one. A frame of
    another length is dropped and reported; the next one is taken as usual. Takes a transfer a
    clock while a slot is free.

    Members
    -------
    accept : ``In(1)``
        Whether a frame may begin.
    hold : ``In(1)``
        What is written in this clock is not taken: it stays.
    in_features : ``In``
        Inputs of the network that is loaded.
    i : ``In(stream)``
        Activations; written in the clock behind the one in which they are taken.
    write : ``Out``
        Port of the activation memory.
    full : ``Out(1)``
        A whole frame waits in slot ``slot``.
    slot : ``Out(1)``
        Which slot is computed on.
    release : ``In(1)``
        That slot has been read for the last time.
    empty : ``Out(1)``
        No frame waits, and none has begun.
    wrong_length : ``Out(1)``
        A frame has just been dropped.
    """

    accept: Signal
    hold: Signal
    in_features: Signal
    i: stream.Interface
    write: ChunkWritePort
    full: Signal
    slot: Signal
    release: Signal
    empty: Signal
    wrong_length: Signal

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "accept": In(1),
                "hold": In(1),
                "in_features": In(FEATURE_WIDTH),
                "i": In(stream.Signature(input_layout(cfg))),
                "write": Out(ChunkWriteSignature(cfg, cfg.input_chunks)),
                "full": Out(1),
                "slot": Out(1),
                "release": In(1),
                "empty": Out(1),
                "wrong_length": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        parts = cfg.lanes // cfg.input_width
        chunk = Signal.like(self.write.chunk)
        part = Signal(range(parts))
        beyond = Signal(signed(FEATURE_WIDTH + 1))
        """Inputs of a frame that has begun behind this transfer, less one."""
        is_single = Signal()
        """A frame is one transfer."""
        waiting, full = Signal(2), Signal()
        begun, spoilt = Signal(), Signal()
        filled = Signal()
        target = Signal()

        # The transfer taken last; nothing is decided by the port itself.
        latest, fresh = Signal.like(self.i.payload, reset_less=True), Signal()
        with m.If(~self.hold):
            m.d.sync += [latest.eq(self.i.payload), fresh.eq(self.i.valid & self.i.ready)]
        ends, slots_taken, move, complete = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            ends.eq(fresh & latest.last),
            slots_taken.eq(waiting[1] | (waiting[0] & ends)),
            self.i.ready.eq(~self.hold & ~slots_taken & (self.accept | Mux(fresh, ~ends, begun))),
            move.eq(fresh & ~self.hold),
            complete.eq(Mux(begun, beyond[-1], is_single)),
            self.full.eq(full),
            self.empty.eq(~full & ~begun & ~fresh),
        ]
        m.d.sync += is_single.eq(self.in_features <= cfg.input_width)

        # Lanes of the part that is written; a frame that is too long writes nothing more.
        m.d.comb += [
            self.write.valid.eq(fresh & ~spoilt),
            self.write.slot.eq(target),
            self.write.chunk.eq(chunk),
        ]
        for index in range(parts):
            first = index * cfg.input_width
            here = part == index
            m.d.comb += self.write.en[first : first + cfg.input_width].eq(
                here.replicate(cfg.input_width)
            )
            m.d.comb += [
                self.write.acts[first + j].eq(latest.data[j]) for j in range(cfg.input_width)
            ]

        # Behind a frame's end it counts for nothing, until the next one begins.
        with m.If(move):
            first_beyond = self.in_features - (2 * cfg.input_width + 1)
            m.d.sync += beyond.eq(Mux(begun, beyond - cfg.input_width, first_beyond))
        with m.If(move):
            with m.If(latest.last):
                m.d.sync += [chunk.eq(0), part.eq(0), begun.eq(0), spoilt.eq(0)]
                m.d.comb += filled.eq(complete & ~spoilt)
                m.d.comb += self.wrong_length.eq(~complete | spoilt)
            with m.Else():
                m.d.sync += begun.eq(1)
                with m.If(complete):
                    m.d.sync += spoilt.eq(1)
                with m.If(part == parts - 1):
                    m.d.sync += [part.eq(0), chunk.eq(chunk + 1)]
                with m.Else():
                    m.d.sync += part.eq(part + 1)
        with m.If(filled):
            m.d.sync += target.eq(~target)
        with m.If(self.release):
            m.d.sync += self.slot.eq(~self.slot)
        waits = Signal(2)
        m.d.comb += waits.eq(waiting + filled - self.release)
        m.d.sync += [waiting.eq(waits), full.eq(waits.any())]
        return m
