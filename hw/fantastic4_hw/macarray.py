# SPDX-License-Identifier: Apache-2.0
"""A plain int4 × int8 multiply-accumulate array: what an engine is compared with, in no core."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.devices import masked_sum
from fantastic4_hw.shapes import activations
from fantastic4_hw.tree import MaskedTree


class MacArray(wiring.Component):
    """Scalar product of a row of signed 4-bit weights and unsigned activations, over a tile.

    Has the ports of `fantastic4_hw.engine.Engine` and keeps its rules, so that the two can be
    compared: any number of lanes, a chunk a clock, no stall, a register behind every adder, masks
    folded into carry cells where the family has such, no DSP block. A weight is its four bits: the
    products of the lower three are added in each lane, those of the sign bit in a tree of their
    own, which is subtracted once. That is smaller than a whole multiplier in every lane.

    Parameters
    ----------
    cfg : CoreConfig
        Its ``lanes`` and ``tile`` count.

    Members
    -------
    acts, weights : ``In``
        A chunk, and as many weights of -8..7.
    add, clear : ``In(1)``
        ``tree_latency`` clocks after a chunk: accumulate it; forget what was there before.
    total : ``Out(signed)``
        The accumulator, ``latency`` clocks after ``add``.
    """

    acts: data.View
    weights: data.View
    add: Signal
    clear: Signal
    total: Signal

    latency = 1
    """Clocks from ``add`` to ``total``."""

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        self.tree_latency = cfg.tree_levels + 3
        greatest = 8 * 255 * cfg.tile
        super().__init__(
            {
                "acts": In(activations(cfg.lanes)),
                "weights": In(data.ArrayLayout(signed(4), cfg.lanes)),
                "add": In(1),
                "clear": In(1),
                "total": Out(signed(1 + greatest.bit_length())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        lanes = range(self.cfg.lanes)
        bits = [self.weights[lane].as_unsigned() for lane in lanes]
        products = [_product(m, self.acts[j], bits[j], f"{j}", platform) for j in lanes]
        positive = _tree(m, products, self.cfg.tree_levels)

        m.submodules.sign = sign = MaskedTree(self.cfg)
        m.d.comb += [sign.acts.eq(self.acts), sign.mask.eq(Cat(word[3] for word in bits))]
        negative = sign.total
        for stage in range(2):  # as many as a product takes
            late = Signal.like(negative, name=f"negative_{stage}")
            m.d.sync += late.eq(negative)
            negative = late

        chunk = Signal(signed(len(positive) + 1))
        m.d.sync += chunk.eq(Cat(positive[:3], positive[3:] - negative).as_signed())
        more = Signal.like(self.total)
        m.d.comb += more.eq(chunk)
        total = masked_sum(m, more, Const(1), self.total, ~self.clear, platform)
        with m.If(self.add):
            m.d.sync += self.total.eq(total)
        return m


def _product(m: Module, x: Value, word: Value, name: str, platform: object) -> Value:
    """Return ``x`` times the lower three bits of ``word``, 11 bits wide, two clocks later."""
    one = Signal(10, name=f"one_{name}")
    kept = Signal(8, name=f"kept_{name}")
    bit = Signal(name=f"bit_{name}")
    upper = masked_sum(m, Cat(x[1:], Const(0, 1)), word[0], x, word[1], platform)
    m.d.sync += [one.eq(Cat(x[0] & word[0], upper)), kept.eq(x), bit.eq(word[2])]
    both = Signal(11, name=f"both_{name}")
    upper = masked_sum(m, one[2:], Const(1), kept, bit, platform)
    m.d.sync += both.eq(Cat(one[:2], upper))
    return both


def _tree(m: Module, level: list[Value], depth: int) -> Value:
    """Return the sum of ``level``, ``depth`` clocks later."""
    for step in range(depth):
        above: list[Value] = []
        for index in range(0, len(level), 2):
            total = Signal(len(level[0]) + 1, name=f"total_{step}_{index // 2}")
            m.d.sync += total.eq(sum(level[index + 1 : index + 2], level[index]))
            above.append(total)
        level = above
    return level[0]
