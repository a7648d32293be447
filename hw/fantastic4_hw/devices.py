# SPDX-License-Identifier: Apache-2.0
"""Cells of FPGA families that logic synthesis does not infer, behind functions with a fallback.

What `elaborate` gets as its platform decides: an Amaranth platform of such a family, or a `Family`.
With any other, None included, everything is plain logic, which every tool takes and which computes
the same: tests prove that.
"""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed

from fantastic4_hw import ice40
from fantastic4_hw.delay import delayed


@dataclass(frozen=True)
class Family:
    """A platform that is nothing but its family: one of `FAMILIES`, or ``"generic"``."""

    family: str = "generic"


def family_of(platform: object) -> str:
    """Return the family of FPGAs that ``platform`` is of, lower case; empty if it does not say."""
    return str(getattr(platform, "family", "")).lower()


def mask_bit(mask: Value, bit: int) -> Value:
    """Return the bit of a mask of `masked_sum` that is for ``bit``."""
    return mask if len(mask) == 1 else mask[bit]


def masked_sum(
    m: Module, x: Value, mask_x: Value, y: Value, mask_y: Value, platform: object
) -> Value:
    """Return ``(x & mask_x) + (y & mask_y)``, one bit wider than ``x`` and ``y``; no clock passes.

    A mask is a bit for all, or as wide as what it masks; on iCE40 ``mask_x`` is a bit.

    A carry cell of ECP5, and one of 7-series with the LUT before it, take both masks for nothing.
    Synthesis does not find that: it spends LUTs on the masks first.
    """
    cells = FAMILIES.get(family_of(platform))
    if cells is None:
        left, right = (v & ice40.whole_mask(mask, len(v)) for v, mask in ((x, mask_x), (y, mask_y)))
        return left + right
    return cells(m, x, mask_x, y, mask_y)


def operand_stages(platform: object) -> int:
    """Return how many registers `registered_product` wants in front of it, 1 or 0."""
    return 0 if family_of(platform) == "ice40" else 1


def product_latency(platform: object) -> int:
    """Return of how many clocks ago the product of `registered_product` is, 1 or 2."""
    return 2 if family_of(platform) in ("ecp5", "ice40") else 1


def registered_product(m: Module, a: Value, b: Value, platform: object) -> Signal:
    """Return ``a * b``, ``a`` unsigned, at most 512 * 255, ``b`` signed; both come of registers.

    The product is that of `product_latency` clocks ago.

    On ECP5 a MULT18X18D with its own registers, which synthesis leaves unused: neither the way into
    the multiplier nor the one out of it shares a clock with the product. On iCE40 an SB_MAC16 with
    its registers.
    """
    product = Signal(signed(len(a) + len(b)))
    if family_of(platform) == "ice40":
        m.d.comb += product.eq(ice40.product(m, a, b))
    elif family_of(platform) == "ecp5" and len(a) <= 17 and len(b) <= 18:
        m.d.comb += product.eq(_mult18x18d(m, a, b))
    else:
        waits = product_latency(platform) - 1
        a, b = (delayed(m, x, waits, name) for x, name in ((a, "factor_a"), (b, "factor_b")))
        m.d.sync += product.eq(a.as_unsigned() * b.as_signed())
    return product


def _mult18x18d(m: Module, a: Value, b: Value) -> Value:
    low, high = (Signal(signed(18), name=name) for name in ("factor_a", "factor_b"))
    m.d.comb += [low.eq(a.as_unsigned()), high.eq(b.as_signed())]
    product = Signal(signed(36))
    ports: dict[str, object] = {f"i_A{bit}": low[bit] for bit in range(18)}
    ports |= {f"i_B{bit}": high[bit] for bit in range(18)}
    ports |= {f"i_C{bit}": Const(0, 1) for bit in range(18)}
    ports |= {f"o_P{bit}": product[bit] for bit in range(36)}
    ports |= {f"i_{pin}": Const(1, 1) for pin in ("SIGNEDA", "SIGNEDB", "CE0")}
    ports |= {f"i_{pin}": Const(0, 1) for pin in ("SOURCEA", "SOURCEB", "RST0")}
    registers = {f"p_REG_{name}_CLK": "CLK0" for name in ("INPUTA", "INPUTB", "OUTPUT")}
    m.submodules += Instance("MULT18X18D", **registers, i_CLK0=ClockSignal(), **ports)
    return product


def _ecp5(m: Module, x: Value, mask_x: Value, y: Value, mask_y: Value) -> Value:
    """Two bits a CCU2C; the first half gives a carry of 0, the last one takes the carry's bit.

    Its LUT4 gives ``(x & m) ^ (y & n)``, and of the same table, with C and D low, ``x & m``: the
    carry where the former is 0, as then both masked bits are equal. The carry of 0 could come in
    as a constant, but place and route brings that in through a CCU2C of its own.
    """
    table = 0x7888
    total = Signal((len(x) + 3) // 2 * 2)
    carry: Value = Const(0, 1)  # whatever it is: the table of the first half is 0
    for low in range(0, len(total), 2):
        ports: dict[str, object] = {}
        for i, bit in enumerate((low - 1, low)):
            inside = 0 <= bit < len(x)
            inputs: tuple[Value, ...] = (Const(0, 1),) * 4
            if inside:
                inputs = (x[bit], mask_bit(mask_x, bit), y[bit], mask_bit(mask_y, bit))
            ports |= {f"i_{pin}{i}": value for pin, value in zip("ABCD", inputs, strict=True)}
            ports |= {f"p_INIT{i}": table if bit >= 0 else 0, f"p_INJECT1_{i}": "NO"}
            ports |= {f"o_S{i}": total[low + i]}
        above = Signal()
        m.submodules += Instance("CCU2C", i_CIN=carry, o_COUT=above, **ports)
        carry = above
    return total[1 : len(x) + 2]


def _xc7(m: Module, x: Value, mask_x: Value, y: Value, mask_y: Value) -> Value:
    """A LUT6_2 a bit, whose O6 is ``(x & m) ^ (y & n)`` and O5 ``x & m``, and a CARRY4 for four."""
    table = 0x78887888_88888888
    length = -(-len(x) // 4) * 4
    select, data, total, carries = (Signal(length, name=n) for n in ("s", "di", "o", "co"))
    for bit in range(len(x)):
        m.submodules += Instance(
            "LUT6_2",
            p_INIT=Const(table, 64),
            i_I0=x[bit],
            i_I1=mask_bit(mask_x, bit),
            i_I2=y[bit],
            i_I3=mask_bit(mask_y, bit),
            i_I4=Const(0, 1),
            i_I5=Const(1, 1),
            o_O5=data[bit],
            o_O6=select[bit],
        )
    for low in range(0, length, 4):
        m.submodules += Instance(
            "CARRY4",
            i_CI=carries[low - 1] if low else Const(0, 1),
            i_CYINIT=Const(0, 1),
            i_S=select[low : low + 4],
            i_DI=data[low : low + 4],
            o_O=total[low : low + 4],
            o_CO=carries[low : low + 4],
        )
    if length > len(x):
        return total[: len(x) + 1]
    return Cat(total, carries[-1])


FAMILIES: dict[str, Callable[[Module, Value, Value, Value, Value], Value]] = {
    "ecp5": _ecp5,
    "ice40": ice40.masked_sum,
    "xc7": _xc7,
}
"""What makes the first level of an adder tree, by family."""
