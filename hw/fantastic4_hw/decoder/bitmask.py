# SPDX-License-Identifier: Apache-2.0
"""Decoder of bit masks with packed non-zero codes."""

from amaranth.hdl import Const, Module, Mux, Signal, Value

from fantastic4_hw.decoder.counting import Masks
from fantastic4_hw.decoder.masked import MaskedDecoder
from fantastic4_hw.mux import of_four

BLOCK = 4
"""Beats a mask word serves."""


class BitmaskDecoder(MaskedDecoder):
    """A mask a beat; ``fantastic4.formats.bitmask`` describes the words.

    A beat a clock as long as words come, except for a pause of one clock after four beats that
    each took a name word.
    """

    @property
    def ahead(self) -> bool:
        """See `MaskedDecoder`. Narrow names leave a beat without a name word in time for it."""
        return self.at_hand and self.name_width <= 2

    def masks(
        self, m: Module, platform: object, step: Value, takes: Value, running: Value
    ) -> Masks:
        """Return the masks: ``word`` is that of the block at hand until its first beat, from then
        on the next block's; the masks of the other three beats stay in ``rest``.
        """
        lanes, command = self.lanes, self.command.payload
        word = Signal(BLOCK * lanes, reset_less=True)
        rest = Signal((BLOCK - 1) * lanes, reset_less=True)
        full = Signal(reset_less=True)
        phase = Signal(2, reset_less=True)
        begins, valid, have_next, ends = Signal(), Signal(), Signal(), Signal()
        another = full | takes if self.ahead else full  # word, or one that is on its way
        m.d.comb += [
            begins.eq(phase == 0),
            valid.eq(full | ~begins),
            have_next.eq(another if self.ahead else full & ~begins),
            ends.eq(~running & (begins | ~another) & (phase == command.last[:2])),
        ]
        with m.If(step):
            m.d.sync += phase.eq(Mux(ends, 0, phase + 1))
            with m.If(begins):
                m.d.sync += [rest.eq(word[lanes:]), full.eq(0)]
        with m.If(takes):
            m.d.sync += [word.eq(self.i.payload), full.eq(1)]
        with m.If(self.start):
            m.d.sync += [full.eq(0), phase.eq(0)]
        waiting = [rest.word_select(beat, lanes) for beat in range(BLOCK - 1)]
        return Masks(
            mask=of_four(m, phase, [word[:lanes], *waiting], platform),
            valid=valid,
            wanted=running & ~have_next,
            counted=Const(1),
        )
