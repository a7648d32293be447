# SPDX-License-Identifier: Apache-2.0
"""The core behind ports of a byte each way, for chips with few pins."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.errors import FantasticError
from fantastic4_hw.core import Core

RESULT_BYTES = 4
"""Bytes of an output, the lowest first."""


def check(cfg: CoreConfig) -> None:
    """Raise ``FantasticError`` unless a core of configuration ``cfg`` can have byte ports."""
    if cfg.input_width != 1 or cfg.external_weights:
        raise FantasticError(
            f"config {cfg.name}: byte ports need input_width 1 and weights inside, not "
            f"input_width {cfg.input_width}, external_weights {cfg.external_weights}"
        )


class ByteCore(wiring.Component):
    """A core that takes images and inputs, and gives results, byte by byte.

    A byte moves in a clock in which its ``valid`` and ``ready`` are set, at most every other clock;
    all outputs are registers, and inputs go to registers. An image comes as its bytes lie in the
    file, and one that ends within a word is refused; of an input each byte is an activation. Of a
    result each output is four bytes, the lowest first, two's complement; behind the last one come
    two bytes more, the index of the largest output.

    Parameters
    ----------
    cfg : CoreConfig
        ``input_width`` must be 1, and weights inside.

    Members
    -------
    i_data, i_image, i_last, i_valid, i_ready
        Bytes in: of an image if ``i_image`` is set, otherwise of an input; ``i_last`` on the last.
    o_data, o_last, o_valid, o_ready
        Bytes out; ``o_last`` on the last of a result.
    loaded, busy, error : ``Out``
        Status of the core.

    Raises
    ------
    FantasticError
        If the configuration takes several activations at a time, or weights from outside.
    """

    i_data: Signal
    i_image: Signal
    i_last: Signal
    i_valid: Signal
    i_ready: Signal
    o_data: Signal
    o_last: Signal
    o_valid: Signal
    o_ready: Signal
    loaded: Signal
    busy: Signal
    error: Signal

    def __init__(self, cfg: CoreConfig):
        check(cfg)
        self.cfg = cfg
        super().__init__(
            {
                "i_data": In(8),
                "i_image": In(1),
                "i_last": In(1),
                "i_valid": In(1),
                "i_ready": Out(1),
                "o_data": Out(8),
                "o_last": Out(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "loaded": Out(1),
                "busy": Out(1),
                "error": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.core = core = Core(self.cfg)
        m.d.comb += [
            self.loaded.eq(core.status.loaded),
            self.busy.eq(core.status.busy),
            self.error.eq(core.status.error),
        ]

        # In: bytes gather in a word, and wait there until the core takes them.
        word, image, last, full = Signal(32), Signal(), Signal(), Signal()
        part = Signal(2)
        m.d.comb += [
            self.i_ready.eq(~full),
            core.load.payload.data.eq(word),
            core.load.payload.last.eq(last),
            core.load.valid.eq(full & image),
            core.input.payload.data[0].eq(word[-8:]),
            core.input.payload.last.eq(last),
            core.input.valid.eq(full & ~image),
        ]
        with m.If(full):
            with m.If(Mux(image, core.load.ready, core.input.ready)):
                m.d.sync += full.eq(0)
        with m.Elif(self.i_valid):
            ends = (part == 3) | self.i_last | ~self.i_image
            m.d.sync += [
                word.eq(Cat(word[8:], self.i_data)),
                image.eq(self.i_image),
                last.eq(self.i_last),
                part.eq(Mux(ends, 0, part + 1)),
                full.eq(ends),
            ]

        # Out: a result is taken with its last byte.
        place, ends = Signal(3), Signal()
        result = core.result.payload
        shown = Cat(result.value, result.best)
        m.d.comb += [
            ends.eq(place == Mux(result.last, RESULT_BYTES + 1, RESULT_BYTES - 1)),
            core.result.ready.eq(~self.o_valid & ends),
        ]
        with m.If(self.o_valid):
            with m.If(self.o_ready):
                m.d.sync += self.o_valid.eq(0)
        with m.Elif(core.result.valid):
            m.d.sync += [
                self.o_valid.eq(1),
                self.o_data.eq(shown.word_select(place, 8)),
                self.o_last.eq(result.last & ends),
                place.eq(Mux(ends, 0, place + 1)),
            ]
        return m
