# SPDX-License-Identifier: Apache-2.0
"""What a word of an image may be: flags by which the loader decides, and the sizes of sections."""

from typing import NamedTuple

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from fantastic4.config import CoreConfig
from fantastic4.image import banks_of, geometry_of
from fantastic4.layout import (
    BASIS_WORDS,
    GEOMETRY,
    HEADER_WORDS,
    LAYER_WORDS,
    MAGIC,
    NEEDS,
    SECTION,
    VERSION,
    Section,
)
from fantastic4_hw.compare import is_above
from fantastic4_hw.shapes import struct_of

FLAGS = data.StructLayout(
    {
        **dict.fromkeys(("magic", "version", "geometry", "roomy", "length_word", "last_word"), 1),
        **dict.fromkeys(("right", "end", "meta", "none", "fits", "uneven", "last_index"), 1),
        **dict.fromkeys(("weights", "behind"), 1),
        **dict.fromkeys(("checksum", "length"), 1),
    }
)
"""What is known of the latest word: as part of the header, right where it is not that part; as a
section, behind all records or not; as the checksum."""


class SectionSizes(NamedTuple):
    """Sizes of the sections of one kind.

    Parameters
    ----------
    parts : Signal
        32-bit words of a record.
    depth : Signal
        Records there is room for.
    last_index : Signal
        Number of the last section of this kind.
    """

    parts: Signal
    depth: Signal
    last_index: Signal


def section_sizes(m: Module, cfg: CoreConfig, kind: Signal) -> SectionSizes:
    """Return the sizes of sections of this ``kind``."""
    sizes = {
        Section.LAYERS: (LAYER_WORDS, cfg.max_layers, 1),
        Section.BASIS: (BASIS_WORDS, cfg.basis_depth, cfg.cores),
        Section.BIAS: (1, cfg.row_depth, cfg.cores),
        Section.WEIGHTS: (1, cfg.weight_depth, max(1, banks_of(geometry_of(cfg)))),
    }
    parts, depth, last_index = Signal(8), Signal(25), Signal(12)
    with m.Switch(kind):
        for section, (words, records, sections) in sizes.items():
            with m.Case(section):
                m.d.comb += [parts.eq(words), depth.eq(records), last_index.eq(sections - 1)]
    return SectionSizes(parts, depth, last_index)


def set_flags(
    m: Module,
    flags: data.View,
    cfg: CoreConfig,
    word: Signal,
    *,
    header: Signal,
    kind: Signal,
    index: Signal,
    words: Signal,
    sizes: SectionSizes,
) -> None:
    """Set the ``flags`` of ``word``, but for those of the checksum.

    Parameters
    ----------
    flags : View of FLAGS
    word : Signal
        The latest word, 32 bits.
    header : Signal
        Its number in the header.
    kind, index : Signal
        The section that is due, and which of that kind.
    words : Signal
        Records of the section before.
    sizes : SectionSizes
        Of the section that is due.
    """
    section = data.View(struct_of(SECTION), word)
    needs = data.View(struct_of(NEEDS), word)
    m.d.sync += [
        flags.magic.eq((word == MAGIC) | (header != 0)),
        flags.version.eq((word == VERSION) | (header != 1)),
        flags.geometry.eq((word == GEOMETRY.pack(**geometry_of(cfg))) | (header != 2)),
        flags.length_word.eq(header == 3),
        flags.roomy.eq(
            ((needs.input_chunks <= cfg.input_chunks) & (needs.hidden_chunks <= cfg.hidden_chunks))
            | (header != 4)
        ),
        flags.last_word.eq(header == HEADER_WORDS - 1),
        flags.right.eq((section.kind == kind) & (section.index == index)),
        flags.end.eq(section.kind == Section.END),
        flags.meta.eq(section.kind == Section.META),
        flags.none.eq(section.count == 0),
        flags.fits.eq(~is_above(section.count, sizes.depth)),
        # Banks in lock step go through as many words.
        flags.uneven.eq(
            (kind == Section.WEIGHTS) & (index != 0) & (section.count != words)
            if cfg.lock_step
            else 0
        ),
        flags.last_index.eq(index == sizes.last_index),
        flags.weights.eq(kind == Section.WEIGHTS),
        flags.behind.eq(kind > Section.WEIGHTS),
    ]
