# SPDX-License-Identifier: Apache-2.0
"""Means over seeds, and which of them are worth having: small and right."""

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = {
    "float": ("accuracy", "float"),
    "quantised": ("accuracy", "quantised"),
    "golden": ("accuracy", "golden"),
    "validation": ("accuracy", "validation"),
    "agreement": ("agreement",),
    "bits_per_weight": ("bits_per_weight",),
    "entropy": ("entropy",),
    "density": ("density",),
    "cycles": ("cycles",),
    "utilisation": ("utilisation",),
    "model_bytes": ("model_bytes",),
    "seconds": ("seconds",),
}
"""What is averaged, and where a record has it."""


def front(sizes: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Return the indices of the Pareto front, by rising size.

    A point is on it if no other is at most as large and at least as right; of equal points, the
    first one is.
    """
    order = sorted(range(len(sizes)), key=lambda i: (sizes[i], -accuracies[i], i))
    best: list[int] = []
    for index in order:
        if not best or accuracies[index] > accuracies[best[-1]]:
            best.append(index)
    return best


def means(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for all seeds of what is otherwise equal; failed points are left out.

    Each figure is a dict of ``mean``, ``low`` and ``high``. ``on_front`` says whether the row is
    on the Pareto front of mean golden accuracy over mean stored bits, among those of its series
    and network.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if "error" not in record:
            training = {k: v for k, v in record["training"].items() if k != "seed"}
            of = (record["series"], record["dataset"], record["config"], sorted(training.items()))
            groups.setdefault(repr(of), []).append(record)
    rows = [_mean(group) for group in groups.values()]
    curves: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        curve = (row["series"], row["dataset"], *row["network"])
        curves.setdefault(curve, []).append(row)
    for curve in curves.values():
        best = front(
            [row["bits_per_weight"]["mean"] for row in curve],
            [row["golden"]["mean"] for row in curve],
        )
        for index, row in enumerate(curve):
            row["on_front"] = index in best
    return rows


def _mean(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row of records that differ in their seeds."""
    first = group[0]
    row: dict[str, Any] = {key: first[key] for key in ("series", "dataset", "network", "config")}
    row |= {key: first["training"][key] for key in ("gamma", "values")}
    row["weights"] = first["weights"]
    row["seeds"] = [record["training"]["seed"] for record in group]
    for name, path in FIGURES.items():
        found = []
        for record in group:
            value: Any = record
            for key in path:
                value = value[key]
            found.append(value)
        row[name] = {"mean": sum(found) / len(found), "low": min(found), "high": max(found)}
    return row
