# SPDX-License-Identifier: Apache-2.0
"""Decoder of bit masks of two levels with packed non-zero codes."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from fantastic4.formats.bitmask2 import GROUPS
from fantastic4_hw.decoder.counting import Masks
from fantastic4_hw.decoder.masked import MaskedDecoder


class Bitmask2Decoder(MaskedDecoder):
    """Two flags a beat, and masks of groups; ``fantastic4.formats.bitmask2`` describes the words.

    A beat a clock as long as words come, up to names of two bits; with wider ones a beat may have
    to wait for its groups or flags, a clock each.

    Parameters
    ----------
    lanes : int
        4 or 8.
    """

    first_words = 2

    def masks(
        self, m: Module, platform: object, step: Value, takes: Value, running: Value
    ) -> Masks:
        """Return the masks.

        Of flags and of groups, a ``word`` is that at hand until its first beat, from then on the
        next one; what remains of the one at hand waits in a ``rest``, the next to be used lowest.
        """
        lanes, half, command = self.lanes, self.lanes // 2, self.command.payload
        span_bits = (2 * lanes - 1).bit_length()

        flag_word = Signal(4 * lanes, reset_less=True)
        flag_rest = Signal(4 * lanes - 2, reset_less=True)
        flag_full = Signal(reset_less=True)
        beat = Signal(span_bits, reset_less=True)
        flags = Signal(2)
        begins_flags, have_flags, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            begins_flags.eq(beat == 0),
            have_flags.eq(flag_full | ~begins_flags),
            flags.eq(Mux(begins_flags, flag_word[:2], flag_rest[:2])),
            ends.eq(~running & (begins_flags | ~flag_full) & (beat == command.last[:span_bits])),
        ]

        group_word = Signal(GROUPS * half, reset_less=True)
        group_rest = Signal((GROUPS - 1) * half, reset_less=True)
        group_full = Signal(reset_less=True)
        place = Signal(range(GROUPS), reset_less=True)
        both, begins_groups, valid = Signal(), Signal(), Signal()
        at_hand = Signal(GROUPS * half)
        low, high = Signal(half), Signal(half)
        m.d.comb += [
            both.eq(flags.all()),
            begins_groups.eq(flags.any() & ((place == 0) | ((place == GROUPS - 1) & both))),
            valid.eq(have_flags & (group_full | ~begins_groups)),
            at_hand.eq(Mux(begins_groups, group_word, group_rest)),
            low.eq(at_hand[:half] & flags[0].replicate(half)),
            high.eq(
                Mux(flags[0], at_hand[half : 2 * half], at_hand[:half]) & flags[1].replicate(half)
            ),
        ]

        # The next word of masks: groups first.
        wants_groups, wants_flags = Signal(), Signal()
        m.d.comb += [
            wants_groups.eq(have_flags & (begins_groups | ~group_full) & ~(valid & ends)),
            wants_flags.eq(running & (begins_flags | ~flag_full) & ~wants_groups),
        ]
        with m.If(step):
            m.d.sync += [
                beat.eq(Mux(ends, 0, beat + 1)),
                flag_rest.eq(Mux(begins_flags, flag_word[2:], flag_rest[2:])),
            ]
            with m.If(begins_flags):
                m.d.sync += flag_full.eq(0)
            with m.If(flags.any()):
                m.d.sync += [
                    group_rest.eq(Mux(both, at_hand[2 * half :], at_hand[half:])),
                    place.eq(Mux(begins_groups, 0, place) + 1 + both),
                ]
            with m.If(begins_groups):
                m.d.sync += group_full.eq(0)
        with m.If(takes & wants_groups):
            m.d.sync += [group_word.eq(self.i.payload), group_full.eq(1)]
        with m.If(takes & wants_flags):
            m.d.sync += [flag_word.eq(self.i.payload), flag_full.eq(1)]
        with m.If(step & ends):
            m.d.sync += [place.eq(0), group_full.eq(0)]
        with m.If(self.start):
            m.d.sync += [beat.eq(0), flag_full.eq(0), place.eq(0), group_full.eq(0)]
        return Masks(
            mask=Cat(low, high),
            valid=valid,
            wanted=wants_groups | wants_flags,
            counted=wants_flags,
        )
