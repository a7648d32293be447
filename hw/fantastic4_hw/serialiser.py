# SPDX-License-Identifier: Apache-2.0
"""Results of several cores, one after the other."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.compare import is_above
from fantastic4_hw.shapes import INDEX_WIDTH, RESULT_LAYOUT


def wide_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of the results that leave the cores in one clock.

    ``last`` marks the last ones of an inference, of which only the first ``rows + 1`` count; of all
    others every one does.
    """
    return data.StructLayout(
        {
            "values": data.ArrayLayout(signed(cfg.logit_width), cfg.cores),
            "rows": max(1, (cfg.cores - 1).bit_length()),
            "last": 1,
        }
    )


class Serialiser(wiring.Component):
    """Gives a result a clock, with the arg-max at the last.

    Two stages: the value that is next, and the result, whose arg-max is decided on the way. Both
    hold while the result stalls.

    Members
    -------
    i : ``In(stream(wide_layout(cfg)))``
        Taken with the last of its values.
    o : ``Out(stream(RESULT_LAYOUT))``
    """

    i: stream.Interface
    o: stream.Interface

    latency = 2

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "i": In(stream.Signature(wide_layout(cfg))),
                "o": Out(stream.Signature(RESULT_LAYOUT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        wide, result = self.i.payload, self.o.payload
        move_out, move_in = Signal(), Signal()
        at, ends, final = Signal(range(self.cfg.cores)), Signal(), Signal()
        value, last, valid = Signal(signed(32)), Signal(), Signal()
        index = Signal(INDEX_WIDTH)
        m.d.comb += [
            move_out.eq(~self.o.valid | self.o.ready),
            move_in.eq(~valid | move_out),
            ends.eq(at == Mux(wide.last, wide.rows, self.cfg.cores - 1)),
            final.eq(ends & wide.last),
            self.i.ready.eq(move_in & ends),
        ]
        with m.If(move_in):
            m.d.sync += [
                valid.eq(self.i.valid),
                value.eq(Array(wide.values[core] for core in range(self.cfg.cores))[at]),
                last.eq(final),
            ]
            with m.If(self.i.valid):
                m.d.sync += at.eq(Mux(ends, 0, at + 1))

        greatest, greatest_index = Signal(signed(32)), Signal(INDEX_WIDTH)
        wins = (index == 0) | is_above(value, greatest)
        with m.If(move_out):
            m.d.sync += [
                self.o.valid.eq(valid),
                Cat(result.value, result.last).eq(Cat(value, last)),
                result.best.eq(Mux(wins, index, greatest_index)),
            ]
            with m.If(valid):
                m.d.sync += index.eq(Mux(last, 0, index + 1))
                with m.If(wins):
                    m.d.sync += [greatest.eq(value), greatest_index.eq(index)]
        return m
