# SPDX-License-Identifier: Apache-2.0
"""A network that spreads packed codes over the lanes of a mask."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux, Signal, Value

from fantastic4_hw.popcount import ones


def levels(lanes: int) -> int:
    """Return the registered levels of a network."""
    return max(1, lanes.bit_length() - 1)


@dataclass(frozen=True)
class Spread:
    """What is in the network between two levels.

    Parameters
    ----------
    values : sequence of Value
        One a lane; at first the ring.
    mask : Value
        A bit a lane.
    first, middle : Value
        Places in the ring of lane 0's value and of the middle lane's, as if all lanes from there
        on had one: ``middle`` is ``first`` and the number of mask bits below the middle. As many
        bits of them as the next level looks at.
    """

    values: Sequence[Value]
    mask: Value
    first: Value
    middle: Value


def level(m: Module, s: int, at: Spread) -> list[Value]:
    """Return what leaves the switches of level ``s``; levels go from ``levels(lanes) - 1`` to 0.

    Behind the last one lane ``j`` of the mask has ``ring[(first + number of mask bits below j) %
    lanes]``. This is a butterfly: packing the lanes of a mask into consecutive places, at whatever
    rotation, sends each lane's value to its place bit by bit, lowest first, and no two values ever
    want the same way. Run backwards, with the same switches, it expands.

    At the level that decides bit ``s``, a block of ``2**(s + 1)`` lanes has one switch for each
    value ``x`` of the lower bits. All follow from ``b``, the place of the first value of the
    block's upper half: the first value from there on with lower bits ``x`` belongs to the upper
    half, and its bit ``s`` is ``b[s] ^ (x < b mod 2**s)``. Where that is 0 the two change places.
    (If the upper half has no such value, the one before it is the last of the lower half's, or
    neither matters.)
    """
    lanes, half = len(at.values), 1 << s
    moved = list(at.values)
    if lanes == 1:
        return moved
    for block in range(0, lanes, 2 * half):
        begins = block + half
        base, place = (lanes // 2, at.middle) if begins >= lanes // 2 else (0, at.first)
        bound = Signal(s + 1, name=f"bound_{s}_{block}")
        below = ones(m, at.mask[base:begins]) if begins > base else Const(0, 1)
        m.d.comb += bound.eq(place[: s + 1] + below)
        for x in range(half):
            swap = Signal(name=f"swap_{s}_{block + x}")
            low = bound[:s] if s else Const(0, 1)
            m.d.comb += swap.eq(~(bound[s] ^ (x < low)))
            a, b = block + x, block + half + x
            moved[a] = Mux(swap, at.values[b], at.values[a])
            moved[b] = Mux(swap, at.values[a], at.values[b])
    return moved


def later(m: Module, name: str, s: int, width: int, lanes: int) -> Spread:
    """Return registers for what has passed level ``s``, or all of ``levels(lanes)``, the ring."""
    return Spread(
        values=[Signal(width, name=f"{name}_{s}_{lane}", reset_less=True) for lane in range(lanes)],
        mask=Signal(lanes, name=f"{name}_{s}_mask", reset_less=True),
        first=Signal(max(1, s), name=f"{name}_{s}_first", reset_less=True),
        middle=Signal(max(1, s), name=f"{name}_{s}_middle", reset_less=True),
    )
