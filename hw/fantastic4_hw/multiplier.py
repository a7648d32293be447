# SPDX-License-Identifier: Apache-2.0
"""One multiplier: a sum of activations times a basis coefficient."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.devices import family_of


class Multiplier(wiring.Component):
    """``product = total * coefficient``, ``latency`` clocks later.

    Operands and product are registered. Cannot stall; takes a pair a clock.

    Members
    -------
    total : ``In(sum_width)``
        Unsigned, at most 512 times 255.
    coefficient : ``In(signed(basis_width))``
    product : ``Out(signed(...))``
    """

    total: Signal
    coefficient: Signal
    product: Signal

    latency = 2

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "total": In(cfg.sum_width),
                "coefficient": In(signed(cfg.basis_width)),
                "product": Out(signed(cfg.sum_width + 1 + cfg.basis_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        if family_of(platform) == "ice40":
            self._ice40(m)
            return m
        if family_of(platform) == "ecp5":
            self._ecp5(m)
            return m
        total, coefficient = Signal.like(self.total), Signal.like(self.coefficient)
        m.d.sync += [
            total.eq(self.total),
            coefficient.eq(self.coefficient),
            self.product.eq(total * coefficient),
        ]
        return m

    def _ice40(self, m: Module) -> None:
        """One SB_MAC16, whose multiplier takes 16 bits, with all registers inside.

        It multiplies the upper 16 of the sum's 17 bits, and its adder adds half the coefficient
        where the lowest is set. So ``2 * (total >> 1) * c + total[0] * c`` is exact but for the
        lowest bit, which is ``total[0] & c[0]``, and a total of at most 512 * 255 leaves no carry.
        """
        assert self.cfg.basis_width == 16
        assert self.cfg.sum_width <= 17
        total = Signal(17)
        added = Signal(32)
        low = [Signal(name=f"low_{clock}") for clock in range(3)]
        m.d.comb += [
            total.eq(self.total),
            added.eq((self.coefficient >> 1) & total[0].replicate(32)),
            low[0].eq(total[0] & self.coefficient[0]),
        ]
        m.d.sync += [low[1].eq(low[0]), low[2].eq(low[1])]
        upper = Signal(32)
        registers = {f"p_{pin}_REG": Const(1, 1) for pin in "ABCD"}
        off = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT")
        off += ("OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT")
        off += ("CI", "ACCUMCI", "SIGNEXTIN")
        m.submodules += Instance(
            "SB_MAC16",
            **registers,
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
            i_A=total[1:],
            i_B=self.coefficient,
            i_C=added[16:],
            i_D=added[:16],
            **{f"i_{pin}": Const(0, 1) for pin in off},
            o_O=upper,
        )
        m.d.comb += self.product.eq(Cat(low[2], upper).as_signed())

    def _ecp5(self, m: Module) -> None:
        """One MULT18X18D, with the registers of operands and product inside."""
        assert self.cfg.basis_width <= 18
        assert self.cfg.sum_width <= 17
        total, coefficient = (Signal(signed(18), name=name) for name in ("a", "b"))
        product = Signal(signed(36))
        m.d.comb += [
            total.eq(self.total),
            coefficient.eq(self.coefficient),
            self.product.eq(product),
        ]
        ports: dict[str, object] = {f"i_A{bit}": total[bit] for bit in range(18)}
        ports |= {f"i_B{bit}": coefficient[bit] for bit in range(18)}
        ports |= {f"i_C{bit}": Const(0, 1) for bit in range(18)}
        ports |= {f"o_P{bit}": product[bit] for bit in range(36)}
        ports |= {f"i_{pin}": Const(1, 1) for pin in ("SIGNEDA", "SIGNEDB", "CE0")}
        ports |= {f"i_{pin}": Const(0, 1) for pin in ("SOURCEA", "SOURCEB", "RST0")}
        registers = {f"p_REG_{name}_CLK": "CLK0" for name in ("INPUTA", "INPUTB", "OUTPUT")}
        m.submodules += Instance("MULT18X18D", i_CLK0=ClockSignal(), **registers, **ports)
