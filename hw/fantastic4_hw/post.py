# SPDX-License-Identifier: Apache-2.0
"""Post-processing: rounding shift and clamp."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.compare import is_above
from fantastic4_hw.delay import delayed
from fantastic4_hw.shapes import finished_layout


class Post(wiring.Component):
    """``y = clamp(floor(z / 2**shift + 1/2), low, high)``, and the same before the clamp.

    Shifts ``2 * z`` right in two steps and then adds the half: no constant has to be made, and
    a shift of 0 passes ``z`` as it is. Cannot stall; takes a row a clock. The parameters hold
    still from a layer's first row to its last.

    Members
    -------
    shift, low, high : ``In``
        Parameters of the layer.
    z : ``In(stream(signed(acc_width)), always_ready)``
    o : ``Out(stream(finished_layout(cfg)), always_ready)``
    """

    shift: Signal
    low: Signal
    high: Signal
    z: stream.Interface
    o: stream.Interface

    latency = 5

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "shift": In(6),
                "low": In(8),
                "high": In(8),
                "z": In(stream.Signature(signed(cfg.acc_width), always_ready=True)),
                "o": Out(stream.Signature(finished_layout(cfg), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        width = self.cfg.acc_width
        coarse, fine = (
            Signal(signed(width + 1), name=name, reset_less=True) for name in ("coarse", "fine")
        )
        rounded = Signal(signed(width), reset_less=True)
        m.d.sync += [
            coarse.eq((self.z.payload << 1) >> (self.shift & 0b111000)),
            fine.eq(coarse >> self.shift[:3]),
            rounded.eq((fine + 1) >> 1),
        ]

        kept = Signal.like(rounded)
        negative, large, lower, higher = (
            Signal(name=name, reset_less=True) for name in ("negative", "large", "lower", "higher")
        )
        m.d.sync += [
            kept.eq(rounded),
            negative.eq(rounded < 0),
            large.eq(rounded[8:-1].any()),
            lower.eq(is_above(self.low, rounded[:8])),
            higher.eq(is_above(rounded[:8], self.high)),
        ]
        below, above = negative | (~large & lower), large | higher
        finished = Signal(finished_layout(self.cfg), reset_less=True)
        m.d.sync += [
            finished.rounded.eq(kept),
            finished.y.eq(Mux(below, self.low, Mux(above, self.high, kept[:8]))),
        ]
        m.d.comb += [
            self.o.payload.eq(finished),
            self.o.valid.eq(delayed(m, self.z.valid, self.latency, "valid", flags=1)),
        ]
        return m
