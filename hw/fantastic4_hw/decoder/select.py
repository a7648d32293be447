# SPDX-License-Identifier: Apache-2.0
"""The decoders a configuration lists, as one."""

from amaranth.hdl import Cat, Const, Module, Value

from fantastic4.config import CoreConfig
from fantastic4.formats.beats import beats_a_word
from fantastic4.layout import Format
from fantastic4.pace import counts_ahead, decode_latency, joins
from fantastic4.selection import NAMED, formats_of
from fantastic4_hw.decoder.bitmask import BitmaskDecoder
from fantastic4_hw.decoder.bitmask2 import Bitmask2Decoder
from fantastic4_hw.decoder.csr import CsrDecoder
from fantastic4_hw.decoder.dense import DenseDecoder
from fantastic4_hw.decoder.masked import MaskedDecoder
from fantastic4_hw.decoder.signature import BEATS_WIDTH, Decoder
from fantastic4_hw.decoder.ternary import TernaryDecoder
from fantastic4_hw.decoder.ternary5 import Ternary5Decoder
from fantastic4_hw.delay import delayed

DECODERS: dict[Format, type[Decoder]] = {
    Format.DENSE: DenseDecoder,
    Format.TERNARY: TernaryDecoder,
    Format.TERNARY5: Ternary5Decoder,
    Format.BITMASK: BitmaskDecoder,
    Format.CSR: CsrDecoder,
    Format.BITMASK2: Bitmask2Decoder,
}

PALETTE_FORMATS = (Format.TERNARY, Format.BITMASK, Format.CSR, Format.BITMASK2)
"""Formats whose decoders may read the palette."""


def brings_words(cfg: CoreConfig) -> bool:
    """Return whether decoders bring their first word themselves (`MaskedDecoder`), out of a
    flip-flop that is then all there is in front of their memory's clock enables.
    """
    return counts_ahead(Format.BITMASK, cfg) and {"bitmask"} == {*cfg.formats} - {"dense"}


def palette_formats(cfg: CoreConfig) -> tuple[Format, ...]:
    """Return the formats whose decoders do in cores of configuration ``cfg``."""
    without = NAMED if cfg.name_width < 4 else ()
    return tuple(kind for kind in PALETTE_FORMATS if kind not in without)


def count_width(cfg: CoreConfig, kind: Format) -> int:
    """Return the bits that count the beats of a layer: a full bank has at most so many."""
    if cfg.external_weights or kind == Format.CSR:
        return BEATS_WIDTH
    beats = 1 if kind == Format.DENSE else beats_a_word(kind, cfg.bank_lanes)
    return (beats * cfg.weight_depth).bit_length()


def beats_width(cfg: CoreConfig) -> int:
    """Return the bits that count the beats of a layer, whatever its format."""
    return max(count_width(cfg, kind) for kind in formats_of(cfg))


def make_decoder(cfg: CoreConfig, kind: Format) -> Decoder:
    """Return the decoder of a format, which may be that of *dense*, too."""
    decoder, width = DECODERS[kind], count_width(cfg, kind)
    if not issubclass(decoder, MaskedDecoder):
        return decoder(cfg.bank_lanes, width)
    own = not cfg.external_weights
    return decoder(cfg.bank_lanes, width, cfg.name_width, dense=joins(cfg) == kind, at_hand=own)


class SelectDecoder(Decoder):
    """One decoder a format of the configuration; the command names the one that works.

    Same signature and rules as each of them; takes the next command when all are idle. *dense* has
    no decoder of its own beside one of masks. Beats of all take as long as those of the slowest.
    """

    @property
    def latency(self) -> int:
        """See `Decoder`."""
        return decode_latency(self.cfg)

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(cfg.bank_lanes)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        idle, faults = [], []
        host = joins(self.cfg)
        kinds = [kind for kind in formats_of(self.cfg) if host is None or kind != Format.DENSE]
        for kind in kinds:
            decoder = make_decoder(self.cfg, kind)
            m.submodules[kind.name.lower()] = decoder
            alone = len(kinds) == 1  # then it works whatever the command says, and costs no gates
            takes = (kind, Format.DENSE) if kind == host else (kind,)
            command = self.command.payload
            chosen: Value = Const(1) if alone else Cat(command.format == one for one in takes).any()
            m.d.comb += [
                decoder.start.eq(self.start),
                decoder.command.payload.eq(self.command.payload),
                decoder.command.valid.eq(self.command.valid & chosen),
                decoder.entry.eq(self.entry),
                decoder.open.eq(self.open & chosen),
                decoder.i.payload.eq(self.i.payload),
                decoder.step.eq(self.step & chosen),
            ]
            at_hand = isinstance(decoder, MaskedDecoder) and decoder.at_hand
            m.d.comb += decoder.i.valid.eq(self.i.valid & (at_hand | chosen))
            with m.If(chosen):
                m.d.comb += [
                    self.i.ready.eq(decoder.i.ready),
                    self.can.eq(decoder.can),
                ]
            # The next command may come before the last beats are out.
            name, late = kind.name.lower(), self.latency - decoder.latency
            beat = delayed(m, decoder.o.as_value(), late, f"{name}_beat")
            shown: Value = chosen
            if not alone:
                shown = delayed(m, chosen, self.latency, f"{name}_chosen")
            with m.If(shown):
                m.d.comb += self.o.as_value().eq(beat)
            idle.append(decoder.command.ready)
            faults.append(decoder.fault)
        m.d.comb += [self.command.ready.eq(Cat(idle).all()), self.fault.eq(Cat(faults).any())]
        return m
