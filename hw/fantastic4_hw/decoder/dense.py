# SPDX-License-Identifier: Apache-2.0
"""Dense 4-bit: a weight word is a beat."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.shapes import beat_layout


class DenseDecoder(wiring.Component):
    """Hands on weight words as beats, in the same clock.

    Members
    -------
    i : ``In(stream(word_width))``
        Weight words, lane ``j`` in bits ``4j + 3 .. 4j``.
    o : ``Out(stream(beat))``
        Codes.
    """

    i: stream.Interface
    o: stream.Interface

    latency = 0

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "i": In(stream.Signature(cfg.word_width)),
                "o": Out(stream.Signature(beat_layout(cfg))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.d.comb += [
            self.o.payload.as_value().eq(self.i.payload),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m
