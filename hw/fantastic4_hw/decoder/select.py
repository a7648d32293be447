# SPDX-License-Identifier: Apache-2.0
"""The decoders a configuration lists, as one."""

from amaranth.hdl import Cat, Const, Module

from fantastic4.config import CoreConfig
from fantastic4.formats.beats import beats_a_word
from fantastic4.layout import Format
from fantastic4.selection import formats_of
from fantastic4_hw.decoder.bitmask import BitmaskDecoder
from fantastic4_hw.decoder.bitmask2 import Bitmask2Decoder
from fantastic4_hw.decoder.csr import CsrDecoder
from fantastic4_hw.decoder.dense import DenseDecoder
from fantastic4_hw.decoder.signature import BEATS_WIDTH, Decoder
from fantastic4_hw.decoder.ternary import TernaryDecoder
from fantastic4_hw.decoder.ternary5 import Ternary5Decoder

DECODERS: dict[Format, type[Decoder]] = {
    Format.DENSE: DenseDecoder,
    Format.TERNARY: TernaryDecoder,
    Format.TERNARY5: Ternary5Decoder,
    Format.BITMASK: BitmaskDecoder,
    Format.CSR: CsrDecoder,
    Format.BITMASK2: Bitmask2Decoder,
}

PALETTE_FORMATS = (Format.TERNARY, Format.BITMASK, Format.CSR, Format.BITMASK2)
"""Formats whose decoders read the palette."""


def count_width(cfg: CoreConfig, kind: Format) -> int:
    """Return the bits that count the beats of a layer: a full bank has at most so many."""
    if cfg.external_weights or kind == Format.CSR:
        return BEATS_WIDTH
    beats = 1 if kind == Format.DENSE else beats_a_word(kind, cfg.bank_lanes)
    return (beats * cfg.weight_depth).bit_length()


def beats_width(cfg: CoreConfig) -> int:
    """Return the bits that count the beats of a layer, whatever its format."""
    return max(count_width(cfg, kind) for kind in formats_of(cfg))


class SelectDecoder(Decoder):
    """One decoder a format of the configuration; the command names the one that works.

    Same signature and rules as each of them; takes the next command when all are idle.
    """

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(cfg.bank_lanes)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        idle, faults = [], []
        kinds = formats_of(self.cfg)
        for kind in kinds:
            decoder = DECODERS[kind](self.lanes, count_width(self.cfg, kind))
            m.submodules[kind.name.lower()] = decoder
            alone = len(kinds) == 1  # then it works whatever the command says, and costs no gates
            chosen = Const(1) if alone else self.command.payload.format == kind
            m.d.comb += [
                decoder.start.eq(self.start),
                decoder.command.payload.eq(self.command.payload),
                decoder.command.valid.eq(self.command.valid & chosen),
                decoder.entry.eq(self.entry),
                decoder.open.eq(self.open & chosen),
                decoder.i.payload.eq(self.i.payload),
            ]
            with m.If(chosen):
                m.d.comb += [
                    decoder.i.valid.eq(self.i.valid),
                    self.i.ready.eq(decoder.i.ready),
                    self.o.payload.eq(decoder.o.payload),
                    self.o.valid.eq(decoder.o.valid),
                    decoder.o.ready.eq(self.o.ready),
                ]
            idle.append(decoder.command.ready)
            faults.append(decoder.fault)
        m.d.comb += [self.command.ready.eq(Cat(idle).all()), self.fault.eq(Cat(faults).any())]
        return m
