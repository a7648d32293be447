# SPDX-License-Identifier: Apache-2.0
"""How a block RAM of ECP5, DP16KD, is used for a memory: the gateware and the estimate ask here."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Shape:
    """A way to use a DP16KD: bits of a row, the data bits among them, and address bits."""

    row: int
    data: int
    address: int


SHAPES = (Shape(36, 32, 9), Shape(18, 16, 10), Shape(9, 8, 11), Shape(4, 4, 12), Shape(2, 2, 13))
"""Shapes of a DP16KD; of each 9 bits 8 are used, so that they can have a write enable."""

LUT_RAM_DEPTH = 32
"""Memories no deeper than this are left to synthesis, which puts them into LUTs."""


@cache
def choose_shape(depth: int, width: int, granularity: int, *, quick: bool = False) -> Shape:
    """Return the shape that takes fewest cells; of equals the one that is deepest.

    A row of 36 bits leaves through both ports, and the output register of one of them belongs to
    the port that writes. So it is not for memories of lanes, which are wide and have to be fast,
    nor for others that have to be.

    Parameters
    ----------
    depth, width : int
        Rows of the memory, and bits of a row.
    granularity : int
        Bits that share a write enable.
    quick : bool
        The output registers are needed.
    """
    able = [
        s
        for s in SHAPES
        if (granularity == width and not (quick and s.row == 36))
        or s.data <= 4
        or (granularity % 8 == 0 and s.row < 36)
    ]
    return min(able, key=lambda s: (blocks_of(depth, s) * -(-width // s.data), blocks_of(depth, s)))


def blocks_of(depth: int, shape: Shape) -> int:
    """Return how many cells of ``shape`` stand one behind the other for ``depth`` rows."""
    return -(-depth >> shape.address) if depth > 1 << shape.address else 1
