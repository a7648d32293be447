# SPDX-License-Identifier: Apache-2.0
"""Single LUTs, where synthesis would take several in a row."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from fantastic4_hw.devices import family_of

INPUTS = 4


def lut4(
    m: Module, function: Callable[..., int], inputs: Sequence[Value], name: str = "lut4"
) -> Signal:
    """Return the lowest bit of a ``function`` of up to four bits, from a LUT4 of ECP5."""
    table = 0
    for row in range(1 << INPUTS):
        table |= (function(*(row >> n & 1 for n in range(len(inputs)))) & 1) << row
    pins = {f"i_{pin}": Const(0, 1) for pin in "ABCD"}
    pins |= {f"i_{pin}": bit for pin, bit in zip("ABCD", inputs, strict=False)}
    found = Signal(name=name)
    m.submodules += Instance("LUT4", p_INIT=Const(table, 1 << INPUTS), o_Z=found, **pins)
    return found


def all_of(m: Module, bits: Sequence[Value], name: str, platform: object) -> Value:
    """Return whether all of up to four ``bits`` are set.

    On ECP5 (`fantastic4_hw.devices`) from one LUT4: synthesis shares what some of the bits give
    elsewhere, and then this comes later.
    """
    if len(bits) > INPUTS:
        raise ValueError(f"a LUT4 has {INPUTS} inputs, not {len(bits)}")
    if family_of(platform) != "ecp5":
        return Cat(bits).all()
    return lut4(m, lambda *x: int(all(x)), bits, name)
