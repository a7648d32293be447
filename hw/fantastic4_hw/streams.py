# SPDX-License-Identifier: Apache-2.0
"""Pieces that go between two streams."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4_hw.blockram import BlockRam


class Runway(wiring.Component):
    """Three places for a writer that decides a clock ahead; no path runs through it.

    A transfer a clock; what is taken is offered ``latency`` clocks later. A writer that gives one
    in the next clock only if there is space, this clock's not counted, always finds a place, and
    never makes the reader wait.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.

    Members
    -------
    i : ``In(stream, always_ready)``
    o : ``Out(stream)``
    space_for_one, space_for_two : ``Out(1)``
        Places that are free.
    """

    i: stream.Interface
    o: stream.Interface
    space_for_one: Signal
    space_for_two: Signal

    latency = 1

    def __init__(self, shape: ShapeLike):
        super().__init__(
            {
                "i": In(stream.Signature(shape, always_ready=True)),
                "o": Out(stream.Signature(shape)),
                "space_for_one": Out(1),
                "space_for_two": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        new, valid = self.i.payload, self.i.valid
        first, second, third = (
            Signal.like(new, name=name, reset_less=True) for name in ("first", "second", "third")
        )
        two, three = Signal(), Signal()
        """So many places are taken, or more."""
        m.d.comb += [
            self.o.payload.eq(first),
            self.space_for_one.eq(~three),
            self.space_for_two.eq(~two),
        ]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                first.eq(Mux(two, second, new)),
                self.o.valid.eq(two | valid),
                two.eq(three | (two & valid)),
                three.eq(three & valid),
            ]
        with m.Elif(valid):
            m.d.sync += [two.eq(1), three.eq(two)]
        with m.If(self.o.ready | ~two):
            m.d.sync += second.eq(Mux(three, third, new))
        with m.If(self.o.ready | ~three):
            m.d.sync += third.eq(new)
        return m


class Queue(wiring.Component):
    """A queue in block RAM, for a writer that sees to it that there is room.

    What is taken is offered ``latency`` clocks later, if nothing stands before it.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        Places, a power of two.
    quick : bool
        As of `BlockRam`.

    Members
    -------
    i : ``In(stream, always_ready)``
    o : ``Out(stream)``
    """

    i: stream.Interface
    o: stream.Interface

    latency = 3

    def __init__(self, shape: ShapeLike, depth: int, *, quick: bool = False):
        if depth & depth - 1:
            raise ValueError(f"depth must be a power of two, not {depth!r}")
        self.depth, self.quick = depth, quick
        super().__init__(
            {
                "i": In(stream.Signature(shape, always_ready=True)),
                "o": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        width = len(Value.cast(self.i.payload))
        m.submodules.storage = storage = BlockRam(self.depth, width, stalls=True, quick=self.quick)
        waiting = Signal(range(self.depth + 1))
        """Places taken, without what has been read."""
        some, fetched = Signal(), Signal()
        m.d.comb += [
            storage.write_data.eq(self.i.payload),
            storage.write_en.eq(self.i.valid),
            storage.move.eq(~self.o.valid | self.o.ready),
            storage.fetch.eq(some & (~fetched | storage.move)),
            Value.cast(self.o.payload).eq(storage.read_data),
        ]
        m.d.sync += [
            storage.write_addr.eq(storage.write_addr + self.i.valid),
            storage.read_addr.eq(storage.read_addr + storage.fetch),
            waiting.eq(waiting + self.i.valid - storage.fetch),
            some.eq(Mux(storage.fetch, waiting > 1, some) | self.i.valid),
        ]
        with m.If(storage.move):
            m.d.sync += [self.o.valid.eq(fetched), fetched.eq(0)]
        with m.If(storage.fetch):
            m.d.sync += fetched.eq(1)
        return m
