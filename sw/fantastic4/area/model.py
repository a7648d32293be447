# SPDX-License-Identifier: Apache-2.0
"""The area of a core: block RAMs and multipliers counted, LUTs and flip-flops from coefficients.

The coefficients are in ``area.json``, which ``benchmarks/calibrate_area.py`` writes from syntheses
of small configurations. The file has these, and others by which the estimate was checked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fantastic4.area.memories import block_rams
from fantastic4.area.structure import FF_FEATURES, LUT_FEATURES, features_of
from fantastic4.config import BASIS_COUNT, CoreConfig
from fantastic4.errors import FantasticError
from fantastic4.pace import joins
from fantastic4.selection import NAMED, formats_of

CALIBRATION = Path(__file__).with_name("area.json")
"""The coefficients."""

SCHEMA = 1
"""Version of that file."""

FULL_BANK = 8
"""Lanes of the banks whose decoders are in the calibration."""

Coefficients = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Area:
    """What a core takes, as records of ``fantastic4 synth`` count it.

    Parameters
    ----------
    luts, ffs : int
        Estimated.
    block_rams, multipliers : int
        Exact.
    parts : Mapping
        LUTs of the parts of the core; they add up to ``luts`` but for rounding.
    """

    luts: int
    ffs: int
    block_rams: int
    multipliers: int
    parts: Mapping[str, int]


@cache
def calibration() -> Mapping[str, Any]:
    """Return the content of the file of coefficients."""
    found = json.loads(CALIBRATION.read_text())
    if found["schema"] != SCHEMA:
        raise FantasticError(f"{CALIBRATION}: schema must be {SCHEMA}, not {found['schema']!r}")
    return found


def technologies() -> tuple[str, ...]:
    """Return the technologies that there are coefficients for."""
    return tuple(calibration()["technologies"])


def estimate(cfg: CoreConfig, technology: str = "ecp5") -> Area:
    """Return what a core takes on chips of a technology.

    Raises
    ------
    FantasticError
        If there are no coefficients for the technology, or there are several cores.
    """
    if technology not in technologies():
        raise FantasticError(
            f"there is no calibration for {technology}; choose one of {', '.join(technologies())}"
        )
    return predict(cfg, calibration()["technologies"][technology])


def predict(cfg: CoreConfig, found: Mapping[str, Any]) -> Area:
    """Return what a core takes by the coefficients ``found`` of a technology; see ``estimate``."""
    if cfg.cores > 1:
        raise FantasticError(
            f"config {cfg.name} has {cfg.cores} cores; the area of a single one can be estimated"
        )
    luts = _parts(cfg, LUT_FEATURES, found["luts"], decoder_size(cfg, found["decoders"], 0))
    ffs = _parts(cfg, FF_FEATURES, found["ffs"], decoder_size(cfg, found["decoders"], 1))
    return Area(
        luts=round(sum(luts.values())),
        ffs=round(sum(ffs.values())),
        block_rams=block_rams(cfg),
        multipliers=BASIS_COUNT,
        parts={name: round(count) for name, count in luts.items()},
    )


def _parts(
    cfg: CoreConfig,
    names: Mapping[str, tuple[str, ...]],
    coefficients: Coefficients,
    decoder: float,
) -> dict[str, float]:
    features = features_of(cfg, decoder)
    return {
        part: sum(coefficients[part].get(name, 0.0) * features[name] for name in used)
        for part, used in names.items()
    }


def decoder_parts(cfg: CoreConfig) -> list[str]:
    """Return the decoders of a bank, as the calibration calls them.

    *dense* beside a decoder of masks is part of that; those of names are told apart by the width
    that names may have.
    """
    host = joins(cfg)
    found = []
    for kind in formats_of(cfg):
        name = kind.name.lower()
        if name == "dense" and host is not None:
            continue
        joined = f"dense+{name}" if kind == host else name
        found.append(f"{joined}/{cfg.name_width}" if kind in NAMED else joined)
    return found


def decoder_size(cfg: CoreConfig, decoders: Mapping[str, Any], which: int) -> float:
    """Return what the decoders of one bank take: LUTs (``which`` 0) or flip-flops (1).

    Banks of fewer lanes take less by a share that was measured at half of them.
    """
    parts = decoder_parts(cfg)
    alone = sum(decoders["alone"][part][which] for part in parts)
    together = alone + decoders["each_further"][which] * (len(parts) - 1)
    half = decoders["half_bank"][which]
    share = 1 - 2 * (1 - half) * (1 - cfg.bank_lanes / FULL_BANK)
    return max(0.0, together * share)
