# SPDX-License-Identifier: Apache-2.0
"""Which format stores a layer in the fewest bits without making the array wait."""

from dataclasses import dataclass

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.errors import PackError
from fantastic4.formats import FORMATS
from fantastic4.formats.names import choose_masks
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4.pace import is_fixed, make_pace, stalls

MAX_STALLS = 0.05
"""Clocks a beat that a format may make the array wait; above that a larger one is taken."""


@dataclass(frozen=True)
class Choice:
    """A format that can store a layer.

    Parameters
    ----------
    format : Format
    params : Params
    words : int
        Weight words of all banks.
    """

    format: Format
    params: Params
    words: int


NAMED = (Format.BITMASK, Format.BITMASK2)
"""Formats for whose names a configuration can have a width."""


def candidates(beats: np.ndarray, formats: tuple[Format, ...], name_width: int = 4) -> list[Choice]:
    """Return those of ``formats`` that can express ``beats``, the one with the fewest words first.

    Takes uint8 ``(banks, count, lanes)``; of equals, the simpler decoder comes first. With a
    ``name_width`` below 4 names stand for masks.
    """
    found = []
    for kind in sorted(formats):
        module = FORMATS[kind]
        if kind in NAMED and name_width < 4:
            params = choose_masks(beats, name_width)
        else:
            params = module.choose(beats)
        if params is not None:
            words = sum(module.word_count(bank, params) for bank in beats)
            found.append(Choice(kind, params, words))
    return sorted(found, key=lambda choice: choice.words)


def select(beats: np.ndarray, cfg: CoreConfig, name: str, forced: Format | None = None) -> Choice:
    """Return how a core of configuration ``cfg`` stores layer ``name``.

    Raises
    ------
    PackError
        If the configuration does not decode the format that is forced, if that format cannot
        express the codes, or if no format of the configuration can.
    """
    offered = formats_of(cfg)
    if forced is not None and forced not in offered:
        raise PackError(
            f"config {cfg.name} does not decode {forced.name.lower()}; it decodes "
            f"{', '.join(cfg.formats)}"
        )
    found = candidates(beats, offered if forced is None else (forced,), cfg.name_width)
    if not found:
        used = ", ".join(str(code) for code in np.unique(beats))
        tried = cfg.formats if forced is None else (forced.name.lower(),)
        limit = f" with names of at most {cfg.name_width} bits" if cfg.name_width < 4 else ""
        raise PackError(
            f"layer {name!r}: {' and '.join(tried)}{limit} cannot express its codes ({used}): take "
            f"a configuration that decodes dense or {'wider names' if limit else 'bitmask'}"
        )
    for choice in found:
        if forced is not None or _keeps_up(choice, beats, cfg):
            return choice
    return found[0]


def _keeps_up(choice: Choice, beats: np.ndarray, cfg: CoreConfig) -> bool:
    """Return whether the decoder hardly ever makes the array wait."""
    if is_fixed(choice.format, choice.params):
        return True
    pace = make_pace(choice.format, choice.params, cfg, beats)
    count = beats.shape[1]
    return pace.steady or stalls(pace, count) <= MAX_STALLS * count


def formats_of(cfg: CoreConfig) -> tuple[Format, ...]:
    """Return the formats that ``cfg`` lists."""
    return tuple(Format[name.upper()] for name in cfg.formats)


def find_format(name: str) -> Format:
    """Return the format called ``name``; raise ``PackError`` if there is none."""
    try:
        return Format[name.upper()]
    except KeyError:
        known = ", ".join(kind.name.lower() for kind in FORMATS)
        raise PackError(f"there is no format {name!r}; choose one of {known}") from None
