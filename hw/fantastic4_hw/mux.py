# SPDX-License-Identifier: Apache-2.0
"""A multiplexer of four that takes two LUTs where a family has a multiplexer behind them."""

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value

from fantastic4_hw.devices import family_of

PAIR = 0xCACA
"""Table of a LUT4: B where C is set, otherwise A."""


def of_four(m: Module, select: Value, values: list[Value], platform: object) -> Value:
    """Return the one of four ``values``, all of one width, that the two bits of ``select`` name.

    On ECP5 that is two LUT4 a bit and the PFUMX behind them, which synthesis does not find: it
    has one only for functions of five inputs, and takes three LUTs. ``platform`` is what
    ``elaborate`` gets (`fantastic4_hw.devices`); any other has plain logic.
    """
    if family_of(platform) != "ecp5":
        low, high = (Mux(select[0], b, a) for a, b in (values[:2], values[2:]))
        return Mux(select[1], high, low)
    return Cat(_bit(m, select, [value[bit] for value in values]) for bit in range(len(values[0])))


def _bit(m: Module, select: Value, values: list[Value]) -> Signal:
    halves = Signal(2, name="halves")
    for half in range(2):
        m.submodules += Instance(
            "LUT4",
            p_INIT=Const(PAIR, 16),
            i_A=values[2 * half],
            i_B=values[2 * half + 1],
            i_C=select[0],
            i_D=Const(0, 1),
            o_Z=halves[half],
        )
    found = Signal(name="of_four")
    # Z is ALUT where C0 is set.
    m.submodules += Instance("PFUMX", i_ALUT=halves[1], i_BLUT=halves[0], i_C0=select[1], o_Z=found)
    return found
