# SPDX-License-Identifier: Apache-2.0
"""Masks to beats that can be asked for: where in the ring of names each of their lanes looks."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value

from fantastic4_hw.delay import delayed
from fantastic4_hw.popcount import half_and_all, halves


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
    """

    mask: Value
    valid: Value
    wanted: Value
    counted: Value


@dataclass(frozen=True)
class Beat:
    """The next beat.

    Parameters
    ----------
    valid : Value
        There is one.
    needs_unit : Value
        Its names reach into the next unit.
    mask, used, middle : Value
        Lanes that are not zero; the slots that names before it used, less one; that and its names
        of the lower half. As they were when it was asked for, `LATE` clocks later if `count_ahead`.
    """

    valid: Value
    needs_unit: Value
    mask: Value
    used: Value
    middle: Value


LATE = 2
"""Clocks from asking for a beat whose names were counted ahead until its names are looked at: in
the first its word is taken, and in the second it is in a register beside the decoder."""


def count_at_once(m: Module, masks: Masks, step: Value, load: Value, next_mask: Signal) -> Beat:
    """Return the beat of the masks, its names counted in the same clock.

    ``step`` asks for it, ``load`` begins a layer, and ``next_mask`` uses up the mask.
    """
    used, (lower, upper) = _slots_used(masks.mask), halves(m, masks.mask)
    middle, after = Signal(len(used) + 1), Signal(len(used) + 1)
    m.d.comb += [next_mask.eq(step), middle.eq(used + lower), after.eq(middle + upper)]
    _use(m, used, after, step, load)
    return Beat(masks.valid, after[-1], masks.mask, used, middle)


def count_ahead(
    m: Module,
    masks: Masks,
    step: Value,
    load: Value,
    next_mask: Signal,
    start: Value,
    platform: object,
) -> Beat:
    """Return the same of the mask before, whose names were counted when it came.

    ``start`` forgets it.
    """
    used, (lower, total) = _slots_used(masks.mask), half_and_all(m, masks.mask, platform)
    valid, moves = Signal(reset_less=True), Signal()
    mask = Signal.like(masks.mask, name="counted_mask", reset_less=True)
    low = Signal.like(lower, name="lower", reset_less=True)
    every = Signal.like(total, name="every", reset_less=True)
    m.d.comb += [moves.eq(~valid | step), next_mask.eq(masks.valid & moves)]
    with m.If(moves):
        m.d.sync += [
            valid.eq(masks.valid),
            Cat(mask, low, every).eq(Cat(masks.mask, lower, total)),
        ]
    with m.If(start):
        m.d.sync += valid.eq(0)
    after = Signal(len(used) + 1)
    m.d.comb += after.eq(used + every)
    _use(m, used, after, step, load)
    middle = Signal.like(after)
    m.d.comb += middle.eq(used + low)
    late = delayed(m, Cat(mask, used, middle), LATE, "asked")
    return Beat(
        valid=valid,
        needs_unit=after[-1],
        mask=late[: len(mask)],
        used=late[len(mask) : -len(middle)],
        middle=late[-len(middle) :],
    )


def _slots_used(mask: Value) -> Signal:
    """Return a register of the slots used so far less one, so that a carry says that they ran
    out.
    """
    return Signal((len(mask) - 1).bit_length(), name="used", reset_less=True)


def _use(m: Module, used: Signal, after: Value, step: Value, load: Value) -> None:
    """Keep ``used``: ``after`` the beat, and of a layer's first unit none."""
    with m.If(step):
        m.d.sync += used.eq(after)
    with m.If(load):
        m.d.sync += used.eq(-1)
