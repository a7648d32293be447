# SPDX-License-Identifier: Apache-2.0
"""One value in several registers, each near what reads it."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, Value

from fantastic4_hw.devices import family_of

COPIES = 4
"""Registers of what all banks of an engine are told."""


def copies(m: Module, value: Value, count: int, name: str, platform: object) -> list[Value]:
    """Return ``value`` of the clock before, from registers ``name_0``, ``name_1``, … without reset.

    Each is for a part of what reads it. Synthesis makes one of registers that are alike, and of the
    logic behind them; so on ECP5 (`fantastic4_hw.devices`) they are cells, which it leaves alone.
    """
    found: list[Value] = []
    for copy in range(count):
        own = Signal(len(value), name=f"{name}_{copy}", reset_less=True)
        if count > 1 and family_of(platform) == "ecp5":
            for bit in range(len(value)):
                m.submodules += _register(value[bit], own[bit])
        else:
            m.d.sync += own.eq(value)
        found.append(own)
    return found


def _register(d: Value, q: Value) -> Instance:
    parameters = {"CEMUX": "1", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
    parameters |= {"GSR": "DISABLED"}
    return Instance(
        "TRELLIS_FF",
        **{f"p_{name}": value for name, value in parameters.items()},
        i_CLK=ClockSignal(),
        i_DI=d,
        i_LSR=Const(0, 1),
        o_Q=q,
    )
