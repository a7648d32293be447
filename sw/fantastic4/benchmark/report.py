# SPDX-License-Identifier: Apache-2.0
"""``benchmark.json``: networks, cores with their runs, and what others published; plain JSON."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from fantastic4.benchmark.runs import rates
from fantastic4.config import CONFIGS
from fantastic4.configfile import dump_config
from fantastic4.errors import FantasticError
from fantastic4.version import __version__

SCHEMA = 1
"""Version of the JSON."""

KEPT = (
    *("target", "technology", "family", "device", "speed", "lanes", "luts", "luts_per_lane"),
    *("carries", "ffs", "multipliers", "block_rams", "lut_rams", "wide_rams", "cells"),
    *("utilisation", "fits", "fmax_mhz", "asic", "tools"),
)
"""What is kept of a record of the flow."""


def slim(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of the flow without what it has for looking closer."""
    return {name: record[name] for name in KEPT}


def clock(record: Mapping[str, Any] | None) -> float | None:
    """Return the median clock of a record in MHz, or None if it was not routed."""
    return record["fmax_mhz"]["median"] if record and record["fmax_mhz"] else None


def core_entry(
    said: Mapping[str, Any],
    runs: Sequence[dict[str, Any]],
    records: Mapping[str, Mapping[str, Any] | None],
) -> dict[str, Any]:
    """Return the entry of a core.

    Parameters
    ----------
    said : Mapping
        ``config``, ``target``, ``parameters``, ``lanes`` (in all), ``engine_lanes``, ``why``: why
        there is no clock, or None.
    runs : sequence of dict
        As `fantastic4.benchmark.runs.run_record` gives them.
    records : Mapping
        ``core``, ``engine``, ``mac``, ``mac_plain``; with a liberty file ``asic_engine`` and
        ``asic_mac``. Records of the flow, or None.
    """
    slimmed = {name: record and slim(record) for name, record in records.items()}
    core = slimmed["core"]
    mhz, luts = clock(core), core["luts"] if core else None
    return {**said, **slimmed, "runs": [run | rates(run, mhz, luts) for run in runs]}


def peers() -> list[dict[str, Any]]:
    """Return what others published, and what was measured of their work: ``peers.json``."""
    text = files("fantastic4.benchmark").joinpath("peers.json").read_text("utf-8")
    return json.loads(text)["peers"]


def earlier(path: Path) -> dict[str, Any]:
    """Return an earlier ``benchmark.json``; an empty one if there is none.

    Raises
    ------
    FantasticError
        If the file is something else.
    """
    empty: dict[str, Any] = {"schema": SCHEMA, "networks": [], "cores": []}
    if not path.is_file():
        return empty
    try:
        found = json.loads(path.read_text())
        if found["schema"] == SCHEMA:
            return {name: found[name] for name in empty}
    except (ValueError, KeyError, TypeError):
        pass
    raise FantasticError(f"{path} is not a benchmark.json of today: delete it to begin anew")


def report(
    before: Mapping[str, Any],
    networks: Sequence[dict[str, Any]],
    cores: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return the report: new entries, and those ``before`` has of other cores and networks.

    An entry of a named core whose configuration is another today is dropped. Named cores come in
    their order, others behind them.
    """

    def name_of(entry: Mapping[str, Any]) -> tuple[str, str]:
        return entry["config"], entry["target"]

    kept = {name_of(x): x for x in before["cores"] if _of_today(x)} | {name_of(x): x for x in cores}
    order = list(CONFIGS)
    entries = sorted(
        kept.values(),
        key=lambda x: order.index(x["config"]) if x["config"] in order else len(order),
    )
    used = {run["network"] for entry in entries for run in entry["runs"]}
    known = {x["name"]: x for x in before["networks"]} | {x["name"]: x for x in networks}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "networks": [x for name, x in known.items() if name in used],
        "cores": entries,
        "peers": peers(),
    }


def _of_today(entry: Mapping[str, Any]) -> bool:
    cfg = CONFIGS.get(entry["config"])
    return cfg is None or dump_config(cfg) == entry["parameters"]
