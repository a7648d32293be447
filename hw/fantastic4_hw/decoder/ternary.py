# SPDX-License-Identifier: Apache-2.0
"""Decoder of ternary layers stored as two masks."""

from amaranth.hdl import Cat, Module, Mux, Signal

from fantastic4_hw.decoder.countdown import Countdown
from fantastic4_hw.decoder.signature import Decoder


class TernaryDecoder(Decoder):
    """Half a word is a beat; ``fantastic4.formats.ternary`` describes the words.

    A word is taken with its first beat, and its other half waits in a register. Every word is a
    valid one, so there are no faults.
    """

    command_to_beat = 3
    """Clocks from taking a command to offering its first beat."""

    beat_to_command = 1
    """Clocks from handing on the last beat to taking the next command."""

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        half = 2 * self.lanes
        m.submodules.left = left = Countdown(self.count_width)
        rest = Signal(half, reset_less=True)
        second = Signal()
        beat = Signal(half, reset_less=True)
        room = Signal()
        step = Signal()
        m.d.comb += [
            room.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(room & left.running & ~second),
            step.eq(room & left.running & (self.i.valid | second)),
            left.step.eq(step),
            left.load.eq(self.command.valid & self.command.ready),
            left.count.eq(self.command.payload.beats),
            left.clear.eq(self.start),
            self.command.ready.eq(left.idle & ~self.o.valid),
        ]
        for lane in range(self.lanes):
            m.d.comb += self.o.payload[lane].eq(Cat(beat[lane], beat[self.lanes + lane]))
        with m.If(room):
            m.d.sync += self.o.valid.eq(step)
        with m.If(step):
            m.d.sync += [
                beat.eq(Mux(second, rest, self.i.payload[:half])),
                rest.eq(self.i.payload[half:]),
                second.eq(~second),
            ]
        with m.If(self.start | left.load):
            m.d.sync += second.eq(0)
        with m.If(self.start):
            m.d.sync += self.o.valid.eq(0)
        return m
