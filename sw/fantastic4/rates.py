# SPDX-License-Identifier: Apache-2.0
"""Clocks a beat of the formats whose decoders may be late, over density."""

from typing import Any

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.curves import DENSITIES, draw_codes
from fantastic4.formats import FORMATS
from fantastic4.formats.beats import to_beats
from fantastic4.layout import Format
from fantastic4.pace import make_pace, stalls
from fantastic4.selection import formats_of

LATE = ((Format.BITMASK, 15), (Format.BITMASK2, 15), (Format.CSR, 2), (Format.CSR, 15))
"""Formats with a rate that depends on the codes, and numbers of non-zero values."""


def clocks_a_beat(beats: np.ndarray, kind: Format, cfg: CoreConfig) -> float:
    """Return the clocks a beat of a layer takes when the array takes each at once.

    Takes uint8 ``(banks, count, lanes)``; all banks wait for the latest.
    """
    pace = make_pace(kind, FORMATS[kind].choose(beats), cfg, beats)
    count = beats.shape[1]
    return 1 + stalls(pace, count) / count


def rates(
    cfg: CoreConfig, densities: tuple[float, ...] = DENSITIES, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the clocks a beat of a 512 x 512 layer, for each density."""
    rng = np.random.default_rng(seed)
    late = [(kind, names) for kind, names in LATE if kind in formats_of(cfg)]
    rows = []
    for density in densities:
        row: dict[str, Any] = {"density": density}
        for kind, names in late:
            beats = to_beats(draw_codes(rng, (1, 512, 512), density, names), cfg)
            row[f"{kind.name.lower()}, {names} values"] = clocks_a_beat(beats, kind, cfg)
        rows.append(row)
    return rows
