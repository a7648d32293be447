# SPDX-License-Identifier: Apache-2.0
"""A network that spreads packed codes over the lanes of a mask."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def ones(m: Module, bits: Value) -> Value:
    """Return how many of ``bits`` are set."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    total = Signal(range(len(bits) + 1), name="ones")
    m.d.comb += total.eq(ones(m, bits[:half]) + ones(m, bits[half:]))
    return total


def expand(m: Module, ring: Sequence[Value], mask: Value, offset: Value, advance: Value) -> Value:
    """Give each lane of ``mask`` the next code of ``ring``, from ``offset`` on; the others 0.

    Lane ``j`` gets ``ring[(offset + number of mask bits below j) % lanes]``. This is a butterfly:
    packing the lanes of a mask into consecutive places, at whatever rotation, sends each lane's
    value to its place bit by bit, lowest first, and no two values ever want the same way. Run
    backwards, with the same switches, it expands.

    At the level that decides bit ``s``, a block of ``2**(s + 1)`` lanes has one switch for each
    value ``x`` of the lower bits. Let ``a`` be the place of the block's first value and ``low`` its
    lower ``s`` bits. The first value with lower bits ``x`` has bit ``s`` equal to ``a[s] ^ (x <
    low)``; it comes from the lower half if that half has more than ``(x - low) mod 2**s`` values.

    A register follows each of the ``log2(lanes)`` levels, so that a switch is one LUT a bit.

    Parameters
    ----------
    m : Module
    ring : list of Value
        ``lanes`` codes, ``lanes`` a power of two.
    mask, offset : Value
        ``lanes`` and ``log2(lanes)`` bits.
    advance : Value
        Clock enable of the registers.

    Returns
    -------
    Value
        The codes of all lanes side by side, ``levels(lanes)`` advances later.
    """
    lanes = len(ring)
    values: Sequence[Value] = ring
    for s in reversed(range(levels(lanes))):
        switched = _level(m, s, values, mask, offset)
        if s == 0:
            switched = [code & mask[lane].replicate(4) for lane, code in enumerate(switched)]
        later_mask = Signal(lanes, name=f"mask_{s}", reset_less=True)
        later_offset = Signal(max(1, s), name=f"offset_{s}", reset_less=True)
        later = [Signal(4, name=f"level_{s}_{lane}", reset_less=True) for lane in range(lanes)]
        with m.If(advance):
            m.d.sync += [later_mask.eq(mask), later_offset.eq(offset)]
            m.d.sync += [a.eq(b) for a, b in zip(later, switched, strict=True)]
        values, mask, offset = later, later_mask, later_offset
    return Cat(values)


def levels(lanes: int) -> int:
    """Return the registered levels of a network."""
    return max(1, lanes.bit_length() - 1)


def _level(m: Module, s: int, values: Sequence[Value], mask: Value, offset: Value) -> list[Value]:
    """Return what leaves the switches that decide bit ``s``."""
    lanes, half = len(values), 1 << s
    if lanes == 1:
        return list(values)
    moved = list(values)
    for block in range(0, lanes, 2 * half):
        place = Signal(s + 1, name=f"place_{s}_{block}")
        below = ones(m, mask[:block]) if block else Const(0, 1)
        m.d.comb += place.eq(offset[: s + 1] + below)
        count = ones(m, mask[block : block + half])
        for x in range(half):
            swap = Signal(name=f"swap_{s}_{block + x}")
            low = place[:s] if s else Const(0, 1)
            distance = (Const(x, s) - low)[:s] if s else Const(0, 1)
            m.d.comb += swap.eq(place[s] ^ (x < low) ^ ~(distance < count))
            a, b = block + x, block + half + x
            moved[a] = Mux(swap, values[b], values[a])
            moved[b] = Mux(swap, values[a], values[b])
    return moved
