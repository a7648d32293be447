# SPDX-License-Identifier: Apache-2.0
"""Adder tree that sums the activations under a mask."""

from amaranth.hdl import Const, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.devices import masked_sum
from fantastic4_hw.shapes import activations


class MaskedTree(wiring.Component):
    """Sum of the activations whose mask bit is set.

    A register follows every adder, so that each level is one carry chain; in the first one a family
    of FPGAs may fold the masks into it (`fantastic4_hw.devices`). Cannot stall; takes a chunk a
    clock.

    Parameters
    ----------
    cfg : CoreConfig
        ``lanes`` is any number from 1 up.

    Members
    -------
    acts : ``In(ArrayLayout(8, lanes))``
    mask : ``In(lanes)``
    total : ``Out(sum of all lanes)``
        ``latency`` clocks after its chunk.
    """

    acts: data.View
    mask: Signal
    total: Signal

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        self.latency = cfg.tree_levels
        super().__init__(
            {
                "acts": In(activations(cfg.lanes)),
                "mask": In(cfg.lanes),
                "total": Out(unsigned(8 + cfg.tree_levels)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        acts = [self.acts[lane] for lane in range(self.cfg.lanes)]
        masks = [self.mask[lane] for lane in range(self.cfg.lanes)]
        if len(acts) % 2:
            acts.append(Const(0, 8))
            masks.append(Const(0, 1))
        level: list[Value] = []
        for j in range(0, len(acts), 2):
            total = Signal(9, name=f"sum_0_{j // 2}", reset_less=True)
            pair = masked_sum(m, acts[j], masks[j], acts[j + 1], masks[j + 1], platform)
            m.d.sync += total.eq(pair)
            level.append(total)
        depth = 1
        while len(level) > 1:
            above: list[Value] = []
            for index in range(0, len(level), 2):
                pair_of = level[index : index + 2]
                total = Signal(9 + depth, name=f"sum_{depth}_{index // 2}", reset_less=True)
                m.d.sync += total.eq(pair_of[0] + pair_of[1] if len(pair_of) == 2 else pair_of[0])
                above.append(total)
            level = above
            depth += 1
        m.d.comb += self.total.eq(level[0])
        return m
