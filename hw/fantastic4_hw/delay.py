# SPDX-License-Identifier: Apache-2.0
"""Values of some clocks ago."""

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, value: Value, clocks: int, name: str, *, reset_less: bool = False) -> Value:
    """Return ``value`` of so many clocks ago, from a chain of registers ``name_0``, ``name_1``, …

    With ``reset_less``, what was on its way still comes behind a reset: not for what says that
    something is there.
    """
    for clock in range(clocks):
        later = Signal(len(value), name=f"{name}_{clock}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
