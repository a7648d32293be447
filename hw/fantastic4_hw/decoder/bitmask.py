# SPDX-License-Identifier: Apache-2.0
"""Decoder of bit masks with packed non-zero codes."""

from amaranth.hdl import Module, Mux, Signal, Value

from fantastic4_hw.decoder.countdown import Countdown
from fantastic4_hw.decoder.masked import MaskedDecoder, Masks

BLOCK = 4
"""Beats a mask word serves."""


class BitmaskDecoder(MaskedDecoder):
    """A mask a beat; ``fantastic4.formats.bitmask`` describes the words.

    A beat a clock as long as words come, except for a pause of one clock after four beats that
    each took a name word.
    """

    def masks(self, m: Module, step: Value, takes: Value, load: Value) -> Masks:
        """Return the masks: ``word`` is that of the block at hand until its first beat, from then
        on the next block's; the masks of the other three beats wait in ``rest``.
        """
        lanes, command = self.lanes, self.command.payload
        word = Signal(BLOCK * lanes, reset_less=True)
        rest = Signal((BLOCK - 1) * lanes, reset_less=True)
        full = Signal()
        phase = Signal(2)
        begins, valid, have_next, ends = Signal(), Signal(), Signal(), Signal()
        m.submodules.left = left = Countdown(self.count_width - 2)
        m.d.comb += [
            left.load.eq(load),
            left.count.eq(command.blocks),
            left.step.eq(takes),
            begins.eq(phase == 0),
            valid.eq(full | ~begins),
            have_next.eq(full & ~begins),
            ends.eq(~left.running & ~have_next & (phase == command.last[:2])),
        ]
        with m.If(step):
            m.d.sync += [
                phase.eq(Mux(ends, 0, phase + 1)),
                rest.eq(Mux(begins, word[lanes:], rest[lanes:])),
            ]
            with m.If(begins):
                m.d.sync += full.eq(0)
        with m.If(takes):
            m.d.sync += [word.eq(self.i.payload), full.eq(1)]
        return Masks(
            mask=Mux(begins, word[:lanes], rest[:lanes]),
            valid=valid,
            wanted=left.running & ~have_next,
            more=~left.idle | valid,
        )
