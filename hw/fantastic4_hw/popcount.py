# SPDX-License-Identifier: Apache-2.0
"""How many bits of a mask are set, in few levels of LUTs."""

from amaranth.hdl import Cat, Const, Module, Signal, Value

from fantastic4_hw.devices import family_of
from fantastic4_hw.lut import lut4

WIDE = 8
"""Bits of a mask that is counted by cells of its own."""


def ones(m: Module, bits: Value) -> Value:
    """Return how many of ``bits`` are set."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    total = Signal(range(len(bits) + 1), name="ones")
    m.d.comb += total.eq(ones(m, bits[:half]) + ones(m, bits[half:]))
    return total


def halves(m: Module, bits: Value) -> tuple[Value, Value]:
    """Return the ones of the lower half of ``bits``, and of the upper."""
    half = len(bits) // 2
    return ones(m, bits[:half]) if half else Const(0, 1), ones(m, bits[half:])


def half_and_all(m: Module, bits: Value, platform: object) -> tuple[Value, Value]:
    """Return the ones of the lower half of ``bits``, and of all of them.

    Of 8 bits that is on ECP5 (`fantastic4_hw.devices`) four levels of LUTs less one. Synthesis
    takes six, as it need not be faster than the longest path there is.
    """
    if family_of(platform) != "ecp5" or len(bits) != WIDE:
        lower, upper = halves(m, bits)
        return lower, (lower + upper)[: len(bits).bit_length()]
    low, high = (
        [lut4(m, lambda *x, n=n: sum(x) >> n, half) for n in range(3)]
        for half in (list(bits[:4]), list(bits[4:]))
    )
    pairs = [low[0], high[0], low[1], high[1]]
    carry = lut4(m, lambda a, b, c, d: ((a & b) + c + d) >> 1, pairs)
    every = [
        lut4(m, lambda a, b: a + b, [low[0], high[0]]),
        lut4(m, lambda a, b, c, d: (a & b) + c + d, pairs),
        lut4(m, lambda a, b, c: a + b + c, [low[2], high[2], carry]),
        lut4(m, lambda a, b: a & b, [low[2], high[2]]),
    ]
    return Cat(low), Cat(every)
