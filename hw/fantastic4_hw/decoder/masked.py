# SPDX-License-Identifier: Apache-2.0
"""What decoders of masks with packed non-zero codes have in common: all behind the mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value

from fantastic4.layout import Format
from fantastic4_hw.decoder.expand import Spread, later, level, levels, ones
from fantastic4_hw.decoder.names import NameUnits, Palettes
from fantastic4_hw.decoder.signature import BEATS_WIDTH, Decoder
from fantastic4_hw.delay import delayed


@dataclass(frozen=True)
class Masks:
    """Where the masks come from, as signals that `MaskedDecoder` reads.

    Parameters
    ----------
    mask : Value
        Lanes of the beat that are not zero.
    valid : Value
        There is such a beat.
    wanted : Value
        The next word is one of masks, unless the beat takes a name word.
    counted : Value
        If that word is taken, it is one of those that the command counts.
    begins : Value
        The mask is the first of a word.
    """

    mask: Value
    valid: Value
    wanted: Value
    counted: Value
    begins: Value


@dataclass(frozen=True)
class _Beat:
    """What is known of a beat when it can be asked for.

    ``used`` are the slots that names before it used, less one; ``middle`` is that and its names of
    the lower half; ``needs_unit`` says that its names reach into the next unit. ``wanted`` is that
    of the masks, as it counts for this beat.
    """

    mask: Value
    valid: Value
    used: Value
    middle: Value
    needs_unit: Value
    wanted: Value


class MaskedDecoder(Decoder):
    """Masks and names to beats; ``fantastic4.formats.names`` describes the name words.

    With names of up to four bits, names are looked up in the palette a unit at a time. A name
    without a code in the palette is a fault. With narrower ones there is no palette: name ``n``
    stands for mask ``n`` alone, and it is names that go through the network.

    A unit stays in ``slots`` until its last name has been used, and together with the unit that
    follows it makes the ring from which an expanding network feeds the lanes.

    At most one word a clock is taken: a beat takes a name word or, if it does not, a word of masks
    ahead. ``command_to_beat`` clocks lie between a command and its first beat. What goes through
    the network does not stop.

    With ``dense`` it decodes dense layers, too: their words join what comes through the
    network two levels before its end, where a LUT has an input to spare, as a multiplexer behind
    two decoders would cost one a bit.

    Parameters
    ----------
    lanes : int
        A power of two, at most 8.
    count_width : int
        Bits that count the beats of a layer; without effect.
    name_width : int
        4, or the most bits of a name if that is 1 or 2.
    dense : bool
        Dense layers, too.
    """

    beat_to_command = 1
    """Clocks from the last beat to taking the next command."""

    def __init__(
        self,
        lanes: int,
        count_width: int = BEATS_WIDTH,
        name_width: int = 4,
        dense: bool = False,
    ):
        self.name_width = name_width
        self.dense = dense
        super().__init__(lanes, count_width)

    first_words = 1
    """Words of masks that the first beat may need."""

    @property
    def ahead(self) -> bool:
        """Masks are counted two beats before they are used, which makes the clock faster.

        Narrow names leave a beat without a name word early enough for it.
        """
        return False

    @property
    def command_to_beat(self) -> int:
        """Clocks from taking a command to its first beat: a palette takes 16."""
        return 17 if self.name_width > 2 else 1 + self.first_words + 2 * self.ahead

    dense_to_beat = 1
    """The same for a dense layer."""

    @property
    def latency(self) -> int:
        """See `Decoder`: the ring, the levels of the network, and what makes masks of names."""
        return 1 + levels(self.lanes) + (self.name_width <= 2)

    def masks(
        self, m: Module, platform: object, step: Value, takes: Value, running: Value
    ) -> Masks:
        """Return the source of masks.

        ``step``: the masks are used; ``takes``: the word at the port is taken, and is one of masks;
        ``running``: words that the command counts remain.
        """
        raise NotImplementedError

    def elaborate(self, platform: object) -> Any:
        """Return the gateware."""
        m = Module()
        lanes, command = self.lanes, self.command.payload
        has_palette = self.name_width > 2
        load, step, takes_mask = Signal(), Signal(), Signal()
        running = Signal()
        next_mask = Signal()
        dense = Signal()
        takes = takes_mask & self.i.valid
        masks = self.masks(m, platform, next_mask, takes, running & ~dense)
        count = self._count_ahead if self.ahead else self._count
        beat = count(m, masks, step, load, next_mask)

        m.submodules.names = names = NameUnits(lanes, self.name_width)
        m.d.comb += [
            names.word.eq(self.i.payload),
            names.width.eq(command.width),
            names.restart.eq(load),
        ]
        unit: list[Value] = [names.unit[slot] for slot in range(lanes)]
        blocked: Value = Const(0)
        if not has_palette and self.first_words > 1:
            # Also where the first beat has no more than flags, so that all banks begin together.
            early = Signal(self.first_words)
            m.d.sync += early.eq(Cat(load, early))
            blocked = early.any()
        if has_palette:
            m.submodules.palettes = palettes = Palettes(lanes)
            nameless = Signal(lanes)
            m.d.comb += [palettes.names.eq(names.unit), palettes.entry.eq(self.entry)]
            unit = [palettes.codes[slot] for slot in range(lanes)]
            m.d.comb += nameless.eq(Cat(code == 0 for code in unit))
            m.d.sync += self.fault.eq(names.takes & nameless.any())
            blocked = self.entry.write

        # Words: a beat takes a name word or, if it does not, a word of masks.
        dense_word = Signal()
        needs_name = beat.needs_unit & ~names.spare
        m.d.comb += [
            self.can.eq(beat.valid & ~blocked & (self.i.valid | ~(needs_name | beat.wanted))),
            # Of masks that are counted ahead none is there in a dense layer.
            step.eq(self.step if self.ahead else self.step & ~dense),
            takes_mask.eq(beat.wanted & Mux(beat.valid, step & ~needs_name, 1)),
            dense_word.eq(self.step & dense),
            # The step comes late: it is the last to be looked at.
            self.i.ready.eq(
                (self.step & (dense | needs_name | beat.wanted)) | (beat.wanted & ~beat.valid)
            ),
            names.takes.eq(step & beat.needs_unit),
        ]
        if self.dense:
            m.d.sync += dense.eq(command.format == Format.DENSE)
            with m.If(dense):
                m.d.comb += self.can.eq(running & self.i.valid)

        # The ring: slots that have been used hold the unit that comes with this beat.
        slots = [
            Signal.like(code, name=f"slot_{s}", reset_less=True) for s, code in enumerate(unit)
        ]
        with m.If(step & beat.needs_unit):
            m.d.sync += [slot.eq(code) for slot, code in zip(slots, unit, strict=True)]
        ring = [Mux(s <= beat.used, unit[s], slots[s]) for s in range(lanes)]
        ring = ring[1:] + ring[:1]

        # Commands. All banks are as far as the reader, who says when the end is near, and never
        # more than some words ahead: a few bits tell whether all of a layer's have been taken.
        blocks, all_taken = Signal.like(command.blocks), Signal()
        m.d.comb += [
            self.command.ready.eq(~self.open),
            load.eq(self.command.valid & self.command.ready),
            running.eq(self.open & ~(command.near & all_taken)),
        ]
        with m.If(self.i.valid & ((takes_mask & masks.counted) | dense_word)):
            m.d.sync += [blocks.eq(blocks + 1), all_taken.eq((blocks + 1)[:-1] == command.blocks)]
        with m.If(load):
            m.d.sync += [blocks.eq(0), all_taken.eq(command.blocks == 0)]

        # A register behind the ring, and one behind each level of the network.
        first = Spread(ring, beat.mask, beat.used, beat.middle)
        if has_palette:
            self._spread_codes(m, first, dense)
        else:
            self._spread_names(m, first, dense)
        return ResetInserter(self.start)(m)

    def _count(self, m: Module, masks: Masks, step: Value, load: Value, next_mask: Signal) -> _Beat:
        """Return the beat of the masks, its names counted in the same clock."""
        used, (lower, upper) = self._slots_used(), self._counts(m, masks.mask)
        middle, after = Signal(len(used) + 1), Signal(len(used) + 1)
        m.d.comb += [next_mask.eq(step), middle.eq(used + lower), after.eq(middle + upper)]
        with m.If(step):
            m.d.sync += used.eq(after)
        with m.If(load):
            m.d.sync += used.eq(self.lanes - 1)
        return _Beat(
            mask=masks.mask,
            valid=masks.valid,
            used=used,
            middle=middle,
            needs_unit=after[-1],
            wanted=masks.wanted,
        )

    def _count_ahead(
        self, m: Module, masks: Masks, step: Value, load: Value, next_mask: Signal
    ) -> _Beat:
        """Return the beat of masks that came two beats before: one to count its names, and one to
        find out the slots.
        """
        used, (lower, upper) = self._slots_used(), self._counts(m, masks.mask)
        total = lower + upper
        counted, begins = Signal(), Signal()
        mask = Signal.like(masks.mask, name="counted_mask", reset_less=True)
        low = Signal.like(lower, name="lower", reset_less=True)
        every = Signal.like(total, name="total", reset_less=True)
        valid, free, moves = Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq(~valid | step),
            moves.eq(~counted | free),
            next_mask.eq(masks.valid & moves),
        ]
        with m.If(moves):
            m.d.sync += [
                Cat(counted, begins).eq(Cat(masks.valid, masks.valid & masks.begins)),
                Cat(mask, low, every).eq(Cat(masks.mask, lower, total)),
            ]
        beat = _Beat(
            mask=Signal.like(mask, name="mask", reset_less=True),
            valid=valid,
            used=Signal.like(used, name="used_before", reset_less=True),
            middle=Signal(len(used) + 1, name="middle", reset_less=True),
            needs_unit=Signal(name="needs_unit"),
            wanted=masks.wanted & ~begins,
        )
        after = Signal(len(used) + 1)
        m.d.comb += after.eq(used + every)
        with m.If(free):
            m.d.sync += [
                valid.eq(counted),
                beat.mask.eq(mask),
                beat.used.eq(used),
                beat.middle.eq(used + low),
                beat.needs_unit.eq(after[-1] & counted),
            ]
            with m.If(counted):
                m.d.sync += used.eq(after)
        with m.If(load):
            m.d.sync += used.eq(self.lanes - 1)
        return beat

    def _slots_used(self) -> Signal:
        """Return a register of the slots used so far less one, so that a carry says that they ran
        out.
        """
        return Signal((self.lanes - 1).bit_length(), name="used")

    def _counts(self, m: Module, mask: Value) -> tuple[Value, Value]:
        """Return the ones of the lower half of a mask, and of the upper."""
        half = self.lanes // 2
        return ones(m, mask[:half]) if half else Const(0, 1), ones(m, mask[half:])

    def _word(self, m: Module, dense: Sequence[Value], clocks: int) -> Signal:
        """Return the word of so many clocks ago, 0 where it was not of a dense layer."""
        before = delayed(m, self.i.payload, clocks - 1, "dense_word")
        word = Signal(4 * self.lanes, name="dense_word", reset_less=True)
        m.d.sync += word.eq(before)
        with m.If(~dense[clocks - 1]):
            m.d.sync += word.eq(0)
        return word

    def _spread_codes(self, m: Module, at: Spread, works_dense: Value) -> None:
        """Codes to ``o``. In a dense layer the network has but to pass on what joins it."""
        last = levels(self.lanes)
        dense = _history(m, works_dense, last)
        for s in range(last, -1, -1):
            values = list(at.values) if s == last else level(m, s, at)
            if s == 0:
                values = [
                    code & bit.replicate(4) for code, bit in zip(values, at.mask, strict=True)
                ]
            if self.dense and s == 1:
                values = self._join(m, values, dense)
            after = later(m, "code", s, 4, self.lanes)
            m.d.sync += self._moves(after, at, values)
            if self.dense and s == 2:
                with m.If(dense[last - s]):
                    m.d.sync += [value.eq(0) for value in after.values]
            if self.dense and s == 1:
                with m.If(dense[last - s]):
                    m.d.sync += [
                        after.mask.eq(-1),
                        after.first.eq(0),
                        after.middle.eq(self.lanes // 2),
                    ]
            at = after
        m.d.comb += self.o.as_value().eq(Cat(at.values))

    def _join(self, m: Module, values: list[Value], dense: Sequence[Value]) -> list[Value]:
        """Return codes with the words of dense layers joined; of more than two lanes, the codes
        are 0 in such a layer.
        """
        if self.lanes <= 2:
            word: Value = self.i.payload
            return [Mux(dense[0], word.word_select(n, 4), code) for n, code in enumerate(values)]
        word = self._word(m, dense, levels(self.lanes) - 1)
        return [word.word_select(n, 4) | code for n, code in enumerate(values)]

    def _spread_names(self, m: Module, at: Spread, works_dense: Value) -> None:
        """Names to masks in ``o``: name ``n`` is mask ``n``."""
        last = levels(self.lanes)
        dense = _history(m, works_dense, last + 1)
        for s in range(last, -1, -1):
            values = list(at.values) if s == last else level(m, s, at)
            after = later(m, "name", s, self.name_width, self.lanes)
            m.d.sync += self._moves(after, at, values)
            at = after
            if s == last:
                # Bits that the layer's names do not have.
                for bit in range(self.name_width):
                    with m.If(self.command.payload.width <= bit):
                        m.d.sync += [value[bit].eq(0) for value in after.values]
        word: Value = Const(0, 4 * self.lanes)
        if self.dense:
            word = self._word(m, dense, last + 1)
            with m.If(dense[last]):
                m.d.sync += at.mask.eq(0)
        for lane in range(self.lanes):
            named = [at.mask[lane] & (at.values[lane] == n) for n in range(1 << self.name_width)]
            m.d.sync += self.o[lane].eq(Cat(named) | word.word_select(lane, 4))

    def _moves(self, after: Spread, at: Spread, values: list[Value]) -> list[Any]:
        moves = [new.eq(old) for new, old in zip(after.values, values, strict=True)]
        moves += [after.mask.eq(at.mask), after.first.eq(at.first), after.middle.eq(at.middle)]
        return moves


def _history(m: Module, bit: Value, clocks: int) -> list[Value]:
    """Return ``bit``, as it was one clock ago, and so on up to so many clocks."""
    found = [bit]
    for clock in range(clocks):
        found.append(delayed(m, found[-1], 1, f"dense_{clock}", flags=1))
    return found
