# SPDX-License-Identifier: Apache-2.0
"""Decoder of layers of up to three non-zero codes stored as two masks."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory

from fantastic4.formats.ternary import NAMES
from fantastic4_hw.decoder.countdown import Countdown
from fantastic4_hw.decoder.signature import Decoder


class TernaryDecoder(Decoder):
    """Half a word is a beat; ``fantastic4.formats.ternary`` describes the words.

    A word is taken with its first beat, and its other half waits in a register. Each lane looks up
    its name in a palette of its own. A name without a code is a fault.
    """

    command_to_beat = 5
    """Clocks from taking a command to its first beat: the palette takes four."""

    beat_to_command = 1
    """Clocks from the last beat to taking the next command."""

    @property
    def latency(self) -> int:
        """See `Decoder`."""
        return 1

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        half = 2 * self.lanes
        m.submodules.left = left = Countdown(self.count_width)
        rest = Signal(half, reset_less=True)
        second = Signal()
        loading = Signal()
        m.d.comb += [
            loading.eq(self.entry.write & (self.entry.index < NAMES)),
            self.can.eq(left.running & ~loading & (self.i.valid | second)),
            self.i.ready.eq(self.step & ~second),
            left.step.eq(self.step),
            left.load.eq(self.command.valid & self.command.ready),
            left.count.eq(self.command.payload.beats),
            left.clear.eq(self.start),
            self.command.ready.eq(left.idle),
        ]
        at_hand = Mux(second, rest, self.i.payload[:half])
        nameless = Signal(self.lanes)
        codes = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(codes)
        for lane in range(self.lanes):
            name = Cat(at_hand[lane], at_hand[self.lanes + lane])
            code = self._code(m, lane, name)
            m.d.comb += nameless[lane].eq((name != 0) & (code == 0))
            m.d.sync += codes[lane].eq(code)
        m.d.sync += self.fault.eq(self.step & nameless.any() & ~self.start)
        with m.If(self.step):
            m.d.sync += [
                rest.eq(self.i.payload[half:]),
                second.eq(~second),
            ]
        with m.If(self.start | left.load):
            m.d.sync += second.eq(0)
        return m

    def _code(self, m: Module, lane: int, name: Value) -> Value:
        """Return the code of a lane's ``name``."""
        palette = memory.Memory(shape=4, depth=NAMES, init=[])
        m.submodules[f"palette_{lane}"] = palette
        read, write = palette.read_port(domain="comb"), palette.write_port()
        m.d.comb += [
            read.addr.eq(name),
            write.addr.eq(self.entry.index),
            write.data.eq(self.entry.code),
            write.en.eq(self.entry.write & (self.entry.index < NAMES)),
        ]
        return read.data
