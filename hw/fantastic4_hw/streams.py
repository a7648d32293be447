# SPDX-License-Identifier: Apache-2.0
"""Pieces that go between two streams."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Buffer(wiring.Component):
    """Two places between two streams: no path through it in either direction.

    A transfer a clock; what is taken is offered ``latency`` clocks later.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.

    Members
    -------
    i : ``In(stream)``
    o : ``Out(stream)``
    """

    i: stream.Interface
    o: stream.Interface

    latency = 1

    def __init__(self, shape: ShapeLike):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        spare, full = Signal.like(self.i.payload), Signal()
        m.d.comb += self.i.ready.eq(~full)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.payload.eq(Mux(full, spare, self.i.payload)),
                self.o.valid.eq(full | self.i.valid),
                full.eq(0),
            ]
        with m.Elif(self.i.valid & ~full):
            m.d.sync += full.eq(1)
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        return m
