# SPDX-License-Identifier: Apache-2.0
"""Cells of iCE40 and iCE40 UltraPlus that logic synthesis does not infer as they are used here."""

from amaranth.hdl import (
    Array,
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    Signal,
    Value,
    signed,
)

SPRAM_BITS = 14
"""Address bits of an SPRAM, of 16 data bits."""

LARGE = 4096
"""Rows from which on a memory goes into SPRAM; block RAM would hold it by the dozen only."""


def whole_mask(mask: Value, bits: int) -> Value:
    """Return a mask of so many bits, if it is one bit for all of them."""
    return mask.replicate(bits) if len(mask) == 1 else mask


def masked_sum(m: Module, x: Value, mask_x: Value, y: Value, mask_y: Value) -> Value:
    """A LUT for the second mask and a LUT with its carry for the sum, a bit.

    The carry is that of ``x + (y & n)``, and the LUT leaves both out where ``m`` is 0.
    """
    table = 0
    for index in range(16):
        mask, left, right, carry_in = (index >> pin & 1 for pin in range(4))
        table |= (right ^ (mask & (left ^ carry_in))) << index
    total = Signal(len(x) + 1)
    masked = Signal(len(y), name="masked")
    m.d.comb += masked.eq(y & whole_mask(mask_y, len(y)))
    carry: Value = Const(0, 1)
    for bit in range(len(x)):
        m.submodules += Instance(
            "SB_LUT4",
            p_LUT_INIT=Const(table, 16),
            i_I0=mask_x,
            i_I1=x[bit],
            i_I2=masked[bit],
            i_I3=carry,
            o_O=total[bit],
        )
        above = Signal()
        m.submodules += Instance("SB_CARRY", i_I0=x[bit], i_I1=masked[bit], i_CI=carry, o_CO=above)
        carry = above
    m.d.comb += total[-1].eq(carry & mask_x)
    return total


def product(m: Module, a: Value, b: Value) -> Value:
    """Return ``a * b`` of two clocks before, of one SB_MAC16, whose multiplier takes 16 bits.

    ``a`` is unsigned, of 17 bits and at most 512 * 255, and ``b`` signed, of 16. The cell
    multiplies the upper 16 bits of ``a``, and its adder adds half of ``b`` where the lowest is set.
    So ``2 * (a >> 1) * b + a[0] * b`` is exact but for the lowest bit, which is ``a[0] & b[0]``,
    and the bound of ``a`` leaves no carry.
    """
    if len(a) > 17 or len(b) > 16:
        raise ValueError(f"factors must have at most 17 and 16 bits, not {len(a)} and {len(b)}")
    wide, factor, added = Signal(17), Signal(signed(16)), Signal(32)
    low = [Signal(name=f"low_{clock}") for clock in range(3)]
    m.d.comb += [
        wide.eq(a.as_unsigned()),
        factor.eq(b.as_signed()),
        added.eq((factor >> 1) & wide[0].replicate(32)),
        low[0].eq(wide[0] & factor[0]),
    ]
    m.d.sync += [low[1].eq(low[0]), low[2].eq(low[1])]
    upper = Signal(32)
    off = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT")
    off += ("OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT")
    off += ("CI", "ACCUMCI", "SIGNEXTIN")
    m.submodules += Instance(
        "SB_MAC16",
        **{f"p_{pin}_REG": Const(1, 1) for pin in "ABCD"},
        p_A_SIGNED=Const(0, 1),
        p_B_SIGNED=Const(1, 1),
        # Both halves: the registered sum of the product and of C and D; the carry goes up.
        p_TOPOUTPUT_SELECT=Const(1, 2),
        p_TOPADDSUB_LOWERINPUT=Const(2, 2),
        p_TOPADDSUB_UPPERINPUT=Const(1, 1),
        p_TOPADDSUB_CARRYSELECT=Const(3, 2),
        p_BOTOUTPUT_SELECT=Const(1, 2),
        p_BOTADDSUB_LOWERINPUT=Const(2, 2),
        p_BOTADDSUB_UPPERINPUT=Const(1, 1),
        p_BOTADDSUB_CARRYSELECT=Const(0, 2),
        i_CLK=ClockSignal(),
        i_CE=Const(1, 1),
        i_A=wide[1:],
        i_B=factor,
        i_C=added[16:],
        i_D=added[:16],
        **{f"i_{pin}": Const(0, 1) for pin in off},
        o_O=upper,
    )
    return Cat(low[2], upper).as_signed()


def spram(
    m: Module, write_addr: Value, data: Value, write_en: Value, read_addr: Value, fetch: Value
) -> Value:
    """Return the row read in the clock before, of SPRAM: side by side for the width, one behind
    the other for the depth.

    SPRAM has one port: in a clock with ``write_en`` nothing is read.
    """
    addr = Signal(max(len(read_addr), SPRAM_BITS))
    m.d.comb += addr.eq(Mux(write_en, write_addr, read_addr))
    blocks = 1 << max(0, len(read_addr) - SPRAM_BITS)
    block = Signal(range(blocks))
    with m.If(fetch):
        m.d.sync += block.eq(read_addr[SPRAM_BITS:])
    rows: list[Value] = []
    for index in range(blocks):
        here = Const(1) if blocks == 1 else addr[SPRAM_BITS:] == index
        row = []
        for low in range(0, len(data), 16):
            found, written = Signal(16), Signal(16)
            m.d.comb += written.eq(data[low : low + 16])
            m.submodules += Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=addr[:SPRAM_BITS],
                i_DATAIN=written,
                i_MASKWREN=Const(0b1111, 4),
                i_WREN=write_en,
                i_CHIPSELECT=(write_en | fetch) & here,
                i_CLOCK=ClockSignal(),
                i_STANDBY=Const(0, 1),
                i_SLEEP=Const(0, 1),
                i_POWEROFF=Const(1, 1),
                o_DATAOUT=found,
            )
            row.append(found)
        rows.append(Cat(row)[: len(data)])
    return Array(rows)[block]
