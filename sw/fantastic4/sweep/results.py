# SPDX-License-Identifier: Apache-2.0
"""``docs/results.json`` and the tables made of it."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from fantastic4.errors import FantasticError
from fantastic4.sweep import preset
from fantastic4.sweep.front import front, means
from fantastic4.sweep.plot import FLOAT
from fantastic4.sweep.preset import Goal, Task

NONE = "–"
NOT_RUN = "not run"

MARGIN = 0.1
"""How much larger an int4 network may be to count as of equal size."""


def earlier(path: Path) -> dict[str, Any]:
    """Return the networks of an earlier ``results.json``, by data set; none if there is no file."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text())["networks"])
    except (ValueError, KeyError, TypeError):
        raise FantasticError(f"{path} is not a results.json: delete it to begin anew") from None


def summary(
    task: Task, records: Sequence[Mapping[str, Any]], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what ``results.json`` has on a task: means over seeds, and where they were measured.

    Rows that it had ``before`` are kept where none of the same method was measured now.

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
    rows = means(records)
    machines = {json.dumps(record["platform"], sort_keys=True) for record in records}
    if before:
        renewed = {row["series"] for row in rows}
        rows = [row for row in before["rows"] if row["series"] not in renewed] + rows
        machines |= {json.dumps(known, sort_keys=True) for known in before["platforms"]}
    (features, *_, classes) = rows[0]["network"]
    shape = [features, *task.hidden, classes]
    return {
        "network": shape,
        "weights": sum(n * m for n, m in pairwise(shape)),
        "config": task.core,
        "rows": with_fronts(rows),
        "seconds": round(sum(row["seconds"]["mean"] * len(row["seeds"]) for row in rows), 1),
        "platforms": [json.loads(text) for text in sorted(machines)],
    }


def with_fronts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one task with ``on_front`` by all that is stored, whatever the shape."""
    best: set[int] = set()
    for series in dict.fromkeys(row["series"] for row in rows):
        curve = [i for i, row in enumerate(rows) if row["series"] == series]
        sizes = [kilobits(rows[i]) for i in curve]
        found = front(sizes, [rows[i]["golden"]["mean"] for i in curve])
        best |= {curve[i] for i in found}
    return [{**row, "on_front": i in best} for i, row in enumerate(rows)]


def kilobits(row: Mapping[str, Any]) -> float:
    """Return what a network stores in all, kbit."""
    return row["bits_per_weight"]["mean"] * row["weights"] / 1000


def tables(networks: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of ``results.md`` by name: lists of rows with the same keys."""
    found = [(task, networks[task.dataset]) for task in preset.RESULTS if task.dataset in networks]
    return {
        "goals": [
            goal_row(task, networks.get(task.dataset), goal)
            for task in preset.RESULTS
            for goal in task.goals
        ],
        "equal-size": [
            equal_size_row(task, network, goal) for task, network in found for goal in task.goals
        ],
        "same-shape": [same_shape_row(task.dataset, network) for task, network in found],
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
    best = best_within(of_shape(network), "ec4t", goal.bits)
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


def equal_size_row(task: Task, network: Mapping[str, Any], goal: Goal) -> dict[str, Any]:
    """Return the EC4T network of a goal, and beside it int4 of as many stored bits in all.

    That is the one that validates best among those that are not smaller, and by at most `MARGIN`
    larger: in doubt int4 has the benefit.
    """
    row: dict[str, Any] = {"network": task.dataset} | dict.fromkeys(
        ("EC4T %", "EC4T kbit", "int4 %", "int4 kbit", "int4 layers", "gain, points"), NONE
    )
    ours = best_within(of_shape(network), "ec4t", goal.bits)
    if ours is None:
        return row
    reached, size = 100 * ours["golden"]["mean"], kilobits(ours)
    row |= {"EC4T %": reached, "EC4T kbit": size}
    rivals = [
        other
        for other in network["rows"]
        if other["series"] == "int4" and size <= kilobits(other) <= (1 + MARGIN) * size
    ]
    if not rivals:
        return row
    rival = best_of(rivals)
    theirs = 100 * rival["golden"]["mean"]
    return row | {
        "int4 %": theirs,
        "int4 kbit": kilobits(rival),
        "int4 layers": "-".join(map(str, rival["network"])),
        "gain, points": reached - theirs,
    }


def same_shape_row(dataset: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best EC4T network that takes no more bits than int4 of its shape, beside it."""
    row: dict[str, Any] = {"network": dataset} | dict.fromkeys(
        ("int4 %", "int4 bits", "EC4T %", "EC4T bits", "gain, points"), NONE
    )
    uniform = best_within(of_shape(network), "int4", float("inf"))
    if uniform is None:
        return row
    bits = uniform["bits_per_weight"]["mean"]
    row |= {"int4 %": 100 * uniform["golden"]["mean"], "int4 bits": bits}
    ours = best_within(of_shape(network), "ec4t", bits)
    if ours is None:
        return row
    reached = 100 * ours["golden"]["mean"]
    row |= {"EC4T %": reached, "EC4T bits": ours["bits_per_weight"]["mean"]}
    return row | {"gain, points": reached - row["int4 %"]}


def of_shape(network: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows whose layers are the task's, not narrower."""
    return [row for row in network["rows"] if row["network"] == network["network"]]


def best_within(
    rows: Sequence[Mapping[str, Any]], series: str, bits: float
) -> Mapping[str, Any] | None:
    """Return the row of ``series`` that validates best with at most ``bits`` a weight."""
    fitting = [
        row for row in rows if row["series"] == series and row["bits_per_weight"]["mean"] <= bits
    ]
    return best_of(fitting) if fitting else None


def best_of(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the row that validates best, of equals the largest.

    Few validation examples make rows equal that are not, and the bits are there to be used.
    """
    return max(rows, key=lambda row: (round(row["validation"]["mean"], 9), kilobits(row)))


def float_accuracy(network: Mapping[str, Any]) -> float:
    """Return the mean accuracy of the baseline in float, percent."""
    (row,) = [row for row in network["rows"] if row["series"] == FLOAT]
    return 100 * row["float"]["mean"]


def curve_row(dataset: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table of all networks."""
    golden = row["golden"]
    return {
        "network": dataset,
        "hidden": "-".join(map(str, row["network"][1:-1])),
        "method": row["series"],
        "γ": row["gamma"],
        "values": row["values"],
        "seeds": " ".join(map(str, row["seeds"])),
        "golden %": 100 * golden["mean"],
        "least–greatest": f"{100 * golden['low']:.2f}–{100 * golden['high']:.2f}",
        "agreement %": 100 * row["agreement"]["mean"],
        "bits a weight": row["bits_per_weight"]["mean"],
        "kbit": kilobits(row),
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
