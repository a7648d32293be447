# SPDX-License-Identifier: Apache-2.0
"""Values of some clocks ago, and registers of one value in several places."""

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


COPIES = 4
"""Registers of one value that synthesis keeps apart at most."""


def copies(m: Module, value: Value, count: int, name: str) -> list[Value]:
    """Return ``value`` of the clock before, from up to `COPIES` registers ``name_0``, ``name_1``, …

    Each is for a part of what reads it. Synthesis makes one of registers that are alike, so these
    differ in what they begin with and in whether they are reset: all bits of some of them begin
    with 1, and the value must be one that may be so for a clock.
    """
    found: list[Value] = []
    for copy in range(count):
        ones = (1 << len(value)) - 1 if copy & 1 else 0
        own = Signal(len(value), name=f"{name}_{copy}", init=ones, reset_less=copy & 2 == 0)
        m.d.sync += own.eq(value)
        found.append(own)
    return found
