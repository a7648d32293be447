# SPDX-License-Identifier: Apache-2.0
"""Coefficients of the area model from measured cores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fantastic4.area.model import decoder_size
from fantastic4.area.structure import (
    CARRIES,
    FF_FEATURES,
    LUT_FEATURES,
    features_of,
    group_of,
)
from fantastic4.config import CoreConfig


@dataclass(frozen=True)
class Measured:
    """A core as its record of ``fantastic4 synth`` has it.

    Parameters
    ----------
    cfg : CoreConfig
    luts, ffs, block_rams : int
    components : Mapping
        ``luts`` and ``ffs`` of each component.
    """

    cfg: CoreConfig
    luts: int
    ffs: int
    block_rams: int
    components: Mapping[str, Mapping[str, int]]

    def parts(self, what: str) -> dict[str, float]:
        """Return ``luts`` or ``ffs`` of each part of the model; they add up to the whole."""
        names = LUT_FEATURES if what == "luts" else FF_FEATURES
        found = dict.fromkeys(names, 0.0)
        for name, counts in self.components.items():
            found[group_of(name)] += counts[what]
        rest = CARRIES if what == "luts" else "rest"
        found[rest] += getattr(self, what) - sum(found.values())
        return found


def fit(cores: Sequence[Measured], decoders: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coefficients of a technology; ``decoders`` are those of one bank, measured."""
    found: dict[str, Any] = {"decoders": decoders}
    for which, (what, features) in enumerate((("luts", LUT_FEATURES), ("ffs", FF_FEATURES))):
        rows = [features_of(x.cfg, decoder_size(x.cfg, decoders, which)) for x in cores]
        parts = [x.parts(what) for x in cores]
        found[what] = {
            part: solve(names, rows, [x[part] for x in parts]) for part, names in features.items()
        }
    return found


def solve(
    names: Iterable[str], rows: Sequence[Mapping[str, float]], wanted: Sequence[float]
) -> dict[str, float]:
    """Return the coefficients, none negative, with which ``rows`` come nearest to ``wanted``.

    Squares of relative errors of columns of one size are least; a feature that would be
    subtracted is left out.
    """
    used = list(names)
    target = np.array(wanted, float)
    while True:
        table = np.array([[row[name] for name in used] for row in rows], float)
        scale = np.maximum(np.abs(table).max(axis=0), 1e-9)
        solved = np.linalg.lstsq(table / scale, target, rcond=1e-6)[0] / scale
        if len(used) == 1 or solved.min() >= 0:
            return {n: round(max(0.0, float(x)), 5) for n, x in zip(used, solved, strict=True)}
        used.pop(int(np.argmin(solved * scale)))
