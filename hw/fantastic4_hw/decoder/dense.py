# SPDX-License-Identifier: Apache-2.0
"""Decoder of dense 4-bit words: a weight word is a beat."""

from amaranth.hdl import Module

from fantastic4_hw.decoder.signature import Decoder


class DenseDecoder(Decoder):
    """Hands on weight words as beats, in the same clock, while the layer is open."""

    command_to_beat = 1
    """Clocks from taking a command to its first beat."""

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.d.comb += [
            self.command.ready.eq(~self.open),
            self.o.as_value().eq(self.i.payload),
            self.can.eq(self.i.valid & self.open),
            self.i.ready.eq(self.step),
        ]
        return m
