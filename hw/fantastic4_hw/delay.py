# SPDX-License-Identifier: Apache-2.0
"""Values of some clocks ago."""

from amaranth.hdl import Cat, Module, Signal, Value


def delayed(m: Module, value: Value, clocks: int, name: str, *, flags: int = 0) -> Value:
    """Return ``value`` of so many clocks ago, from a chain of registers ``name_0``, ``name_1``, …

    The lowest ``flags`` bits, which say that something is there, are 0 behind a reset; the others
    still come: a reset reaches only what has to hear of it.
    """
    for clock in range(clocks):
        flag = Signal(flags, name=f"{name}_{clock}_flags")
        later = Signal(len(value) - flags, name=f"{name}_{clock}", reset_less=True)
        m.d.sync += Cat(flag, later).eq(value)
        value = Cat(flag, later)
    return value
