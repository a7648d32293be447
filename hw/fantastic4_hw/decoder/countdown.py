# SPDX-License-Identifier: Apache-2.0
"""What remains of a layer, counted without a multiplexer in front of the counter."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Countdown(wiring.Component):
    """Counts the steps of a layer.

    What remains, less one, is kept signed and is -1 while nothing does. Loading *adds* the count
    to it: the second summand is a register that is -1 except in the clock behind ``load``, which
    costs the synchronous set of a flip-flop, whereas loading the counter would cost a LUT a bit.

    Parameters
    ----------
    width : int
        Bits of the count.

    Members
    -------
    load : ``In(1)``, count : ``In(width)``
        Begin with so many steps; only while idle.
    step : ``In(1)``
        One of them is done; only while running.
    clear : ``In(1)``
        Nothing remains.
    running : ``Out(1)``
        Steps remain. Two clocks behind ``load`` for the first time.
    idle : ``Out(1)``
        No steps remain, and none are being loaded.
    """

    load: Signal
    count: Signal
    step: Signal
    clear: Signal
    running: Signal
    idle: Signal

    def __init__(self, width: int):
        self.width = width
        super().__init__(
            {
                "load": In(1),
                "count": In(width),
                "step": In(1),
                "clear": In(1),
                "running": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        left = Signal(self.width + 1, init=-1)
        change = Signal(self.width + 1, init=-1)
        loading = Signal()
        m.d.comb += [self.running.eq(~left[-1]), self.idle.eq(left[-1] & ~loading)]
        m.d.sync += [change.eq(-1), loading.eq(self.load)]
        with m.If(self.load):
            m.d.sync += change.eq(self.count)
        with m.If(self.step | loading):
            m.d.sync += left.eq(left + change)
        with m.If(self.clear):
            m.d.sync += [left.eq(-1), loading.eq(0)]
        return m
