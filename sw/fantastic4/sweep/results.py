# SPDX-License-Identifier: Apache-2.0
"""``docs/results.json`` and the tables made of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fantastic4.errors import FantasticError
from fantastic4.sweep import preset
from fantastic4.sweep.front import means
from fantastic4.sweep.plot import FLOAT
from fantastic4.sweep.preset import Goal, Task

NONE = "–"
NOT_RUN = "not run"


def earlier(path: Path) -> dict[str, Any]:
    """Return the networks of an earlier ``results.json``, by data set; none if there is no file."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text())["networks"])
    except (ValueError, KeyError, TypeError):
        raise FantasticError(f"{path} is not a results.json: delete it to begin anew") from None


def summary(task: Task, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what ``results.json`` has on a task: means over seeds, and where they were measured.

    Raises
    ------
    FantasticError
        If a point failed: half a result is none.
    """
    failed = [record for record in records if "error" in record]
    if failed:
        raise FantasticError(
            f"{len(failed)} of {len(records)} points of {task.dataset} failed, the first: "
            f"{failed[0]['error']}"
        )
    machines = {json.dumps(record["platform"], sort_keys=True) for record in records}
    return {
        "network": records[0]["network"],
        "weights": records[0]["weights"],
        "config": task.core,
        "rows": means(records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "platforms": [json.loads(text) for text in sorted(machines)],
    }


def tables(networks: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of ``results.md`` by name: lists of rows with the same keys."""
    found = [(task, networks[task.dataset]) for task in preset.RESULTS if task.dataset in networks]
    return {
        "goals": [
            goal_row(task, networks.get(task.dataset), goal)
            for task in preset.RESULTS
            for goal in task.goals
        ],
        "equal-size": [equal_size_row(task.dataset, network) for task, network in found],
        "curves": [
            curve_row(task.dataset, row)
            for task, network in found
            for row in network["rows"]
            if row["series"] != FLOAT
        ],
        "machines": [machine_row(task.dataset, network) for task, network in found],
    }


def goal_row(task: Task, network: Mapping[str, Any] | None, goal: Goal) -> dict[str, Any]:
    """Return how EC4T did: its best network within the goal's bits.

    The best is the one with the highest accuracy on the validation examples, so that the test
    split decides nothing.
    """
    row: dict[str, Any] = {"network": task.dataset, "bits at most": goal.bits, "float %": NOT_RUN}
    row |= dict.fromkeys(("to reach %", "golden %", "bits a weight", "γ", "values", "met"), NONE)
    if network is None:
        return row
    in_float = float_accuracy(network)
    least = goal.least(in_float)
    row |= {"float %": in_float, "to reach %": least}
    best = best_within(network["rows"], "ec4t", goal.bits)
    if best is None:
        return row | {"met": "no"}
    reached = 100 * best["golden"]["mean"]
    return row | {
        "golden %": reached,
        "bits a weight": best["bits_per_weight"]["mean"],
        "γ": best["gamma"],
        "values": best["values"],
        "met": "yes" if reached >= least else "no",
    }


def equal_size_row(dataset: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best EC4T network that takes no more bits than uniform int4, beside it."""
    row: dict[str, Any] = {"network": dataset} | dict.fromkeys(
        ("int4 %", "int4 bits", "EC4T %", "EC4T bits", "gain, points"), NONE
    )
    uniform = best_within(network["rows"], "int4", float("inf"))
    if uniform is None:
        return row
    bits = uniform["bits_per_weight"]["mean"]
    row |= {"int4 %": 100 * uniform["golden"]["mean"], "int4 bits": bits}
    ours = best_within(network["rows"], "ec4t", bits)
    if ours is None:
        return row
    reached = 100 * ours["golden"]["mean"]
    row |= {"EC4T %": reached, "EC4T bits": ours["bits_per_weight"]["mean"]}
    return row | {"gain, points": reached - row["int4 %"]}


def best_within(
    rows: Sequence[Mapping[str, Any]], series: str, bits: float
) -> Mapping[str, Any] | None:
    """Return the row of ``series`` that validates best with at most ``bits`` a weight.

    Of equals the largest: few validation examples make them equal that are not, and the bits are
    there to be used.
    """
    fitting = [
        row for row in rows if row["series"] == series and row["bits_per_weight"]["mean"] <= bits
    ]

    def merit(row: Mapping[str, Any]) -> tuple[float, float]:
        return round(row["validation"]["mean"], 9), row["bits_per_weight"]["mean"]

    return max(fitting, key=merit, default=None)


def float_accuracy(network: Mapping[str, Any]) -> float:
    """Return the mean accuracy of the baseline in float, percent."""
    (row,) = [row for row in network["rows"] if row["series"] == FLOAT]
    return 100 * row["float"]["mean"]


def curve_row(dataset: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table of all networks."""
    golden = row["golden"]
    return {
        "network": dataset,
        "method": row["series"],
        "γ": row["gamma"],
        "values": row["values"],
        "golden %": 100 * golden["mean"],
        "least–greatest": f"{100 * golden['low']:.2f}–{100 * golden['high']:.2f}",
        "agreement %": 100 * row["agreement"]["mean"],
        "bits a weight": row["bits_per_weight"]["mean"],
        "entropy": row["entropy"]["mean"],
        "density": row["density"]["mean"],
        "cycles": row["cycles"]["mean"],
        "on front": "yes" if row["on_front"] else "",
    }


def machine_row(dataset: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network was measured on."""

    def every(key: str) -> str:
        return ", ".join(dict.fromkeys(str(machine[key]) for machine in network["platforms"]))

    return {
        "network": dataset,
        "layers": "-".join(map(str, network["network"])),
        "core": network["config"],
        "processor": every("processor"),
        "cores": every("cores"),
        "device": every("device"),
        "torch": every("torch"),
        "minutes of training": network["seconds"] / 60,
    }
