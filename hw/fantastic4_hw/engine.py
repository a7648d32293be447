# SPDX-License-Identifier: Apache-2.0
"""One engine: a masked adder tree and an accumulator a mask, one row at a time."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.devices import masked_sum
from fantastic4_hw.shapes import activations, beat_layout, sums_layout
from fantastic4_hw.tree import MaskedTree


class Engine(wiring.Component):
    """Sums of one row over a tile, one per mask.

    Cannot stall; takes a chunk and a beat a clock. The array owns the timing: it says when a
    total leaves the trees (``add``) and whether it is a tile's first (``clear``).

    Members
    -------
    acts, codes : ``In``
        A chunk and the beat of codes that belongs to it.
    add, clear : ``In(1)``
        ``tree_latency`` clocks after a chunk: accumulate its total; forget what was there before.
    sums : ``Out(sums_layout(cfg))``
        The accumulators, one clock after ``add``; those of masks the core does not have are 0.
    """

    acts: data.View
    codes: data.View
    add: Signal
    clear: Signal
    sums: data.View

    latency = 1
    """Clocks from ``add`` to ``sums``."""

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        self.tree_latency = cfg.tree_levels
        super().__init__(
            {
                "acts": In(activations(cfg.lanes)),
                "codes": In(beat_layout(cfg)),
                "add": In(1),
                "clear": In(1),
                "sums": Out(sums_layout(cfg)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        for i in range(self.cfg.masks):
            tree = MaskedTree(self.cfg)
            m.submodules[f"tree_{i}"] = tree
            m.d.comb += [
                tree.acts.eq(self.acts),
                tree.mask.eq(Cat(self.codes[lane][i] for lane in range(self.cfg.lanes))),
            ]
            held = Signal(self.cfg.sum_width, name=f"sum_{i}", reset_less=True)
            total = Cat(tree.total, Const(0, len(held) - len(tree.total)))
            with m.If(self.add):
                m.d.sync += held.eq(masked_sum(m, total, Const(1), held, ~self.clear, platform))
            m.d.comb += self.sums[i].eq(held)
        return m
