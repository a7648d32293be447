# SPDX-License-Identifier: Apache-2.0
"""What named configurations promise to cost, ``constraints/budget.toml``; records held to it."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fantastic4.errors import FantasticError
from fantastic4_hw.flow.record import Record

BUDGET = Path(__file__).parents[3] / "constraints" / "budget.toml"
"""The project's own budget; only a checkout has it."""


@dataclass(frozen=True)
class Promise:
    """What one part of a configuration promises on a target.

    Parameters
    ----------
    config, target, top : str
    luts, luts_per_lane, ffs, block_rams, lut_rams, wide_rams : number or None
        At most so many; None promises nothing.
    multipliers : int or None
        Exactly so many.
    fmax_mhz : float or None
        The median over seeds is at least that.
    """

    config: str
    target: str
    top: str = "core"
    luts: int | None = None
    luts_per_lane: float | None = None
    ffs: int | None = None
    block_rams: int | None = None
    lut_rams: int | None = None
    wide_rams: int | None = None
    multipliers: int | None = None
    fmax_mhz: float | None = None


_MOST = ("luts", "luts_per_lane", "ffs", "block_rams", "lut_rams", "wide_rams")
_TEXTS = ("config", "target", "top")


def read_budget(path: Path = BUDGET) -> list[Promise]:
    """Read promises: the tables ``[[promise]]`` of a TOML file.

    Raises
    ------
    FantasticError
        If there is no such file, or it breaks a rule; it names the promise and the entry.
    """
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise FantasticError(f"{path}: there is no such file; name one with --budget") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FantasticError(f"{path}: not TOML ({error})") from None
    rows = found.get("promise")
    if not isinstance(rows, list) or found.keys() != {"promise"}:
        raise FantasticError(f"{path}: must be tables [[promise]] and nothing else")
    known = {field.name for field in fields(Promise)}
    promises = []
    for number, row in enumerate(rows, 1):
        where = f"{path}: promise {number}"
        for name, value in row.items():
            if name not in known:
                raise FantasticError(f"{where}: there is no {name!r}; choose of {sorted(known)}")
            kinds = (str,) if name in _TEXTS else (int, float)
            if type(value) not in kinds:
                raise FantasticError(f"{where}: {name} must not be {value!r}")
        for name in ("config", "target"):
            if name not in row:
                raise FantasticError(f"{where}: {name} is missing")
        promises.append(Promise(**row))
    return promises


def promise_for(promises: Sequence[Promise], config: str, top: str, target: str) -> Promise:
    """Return the promise of a part on a target; raise ``FantasticError`` if there is not one."""
    names = (config, top, target)
    found = [x for x in promises if (x.config, x.top, x.target) == names]
    if len(found) != 1:
        number = "no promise" if not found else f"{len(found)} promises"
        raise FantasticError(f"the budget has {number} for {config}, {top}, on {target}")
    return found[0]


def broken(record: Record, promise: Promise) -> list[str]:
    """Return a line for each entry of ``promise`` that ``record`` breaks.

    The clock is held to it only where the record has one.
    """
    lines = []

    def held(name: str, rule: str, found: float | None, promised: float | None, kept: bool) -> None:
        if promised is not None and not kept:
            lines.append(
                f"{promise.config}, {promise.top}, on {promise.target}: {name} must be {rule} "
                f"{promised:,}, not {'unknown' if found is None else format(found, ',')}"
            )

    for name in _MOST:
        found, most = getattr(record, name), getattr(promise, name)
        held(name, "at most", found, most, most is None or (found is not None and found <= most))
    exact = promise.multipliers
    held("multipliers", "exactly", record.multipliers, exact, record.multipliers == exact)
    if record.fmax_mhz is not None:
        mhz, least = record.fmax_mhz.median, promise.fmax_mhz
        held("fmax_mhz", "at least", mhz, least, least is None or mhz >= least)
    return lines
