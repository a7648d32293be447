# SPDX-License-Identifier: Apache-2.0
"""The clock a core may run at: guessed from cores that were placed and routed."""

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

from fantastic4.area.model import calibration
from fantastic4.config import CoreConfig
from fantastic4.errors import FantasticError

A_DOUBLING = 0.92
"""What is left of the clock with twice the lanes, beyond the largest core that was routed."""

OTHER_FORMATS = 0.9
"""The same for a core with decoders that no routed one has together."""


def clock_of(cfg: CoreConfig, technology: str) -> tuple[float, str]:
    """Return a clock in MHz, and what it was taken from.

    A cautious guess. A routed core says what one of at most its lanes, with no decoders but its
    own, can do, and what is left of that with more lanes; the best of these counts. Where none has
    all decoders, the worst of all, less a tenth.

    Raises
    ------
    FantasticError
        If no core was routed on the technology.
    """
    rows: Sequence[Mapping[str, Any]] = calibration()["clocks"]
    known = [row for row in rows if row["technology"] == technology]
    if not known:
        raise FantasticError(f"there is no clock of a routed core on {technology}: give one, --mhz")
    wanted = set(cfg.formats)
    holding = [row for row in known if wanted <= set(row["formats"])]
    guesses = []
    for row in holding or known:
        beyond = max(0.0, log2(cfg.lanes * cfg.engines / row["lanes"]))
        mhz = row["mhz"] * A_DOUBLING**beyond * (1 if holding else OTHER_FORMATS)
        guesses.append((round(mhz, 1), row["source"]))
    return max(guesses) if holding else min(guesses)
