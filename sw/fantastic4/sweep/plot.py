# SPDX-License-Identifier: Apache-2.0
"""Accuracy over stored bits, drawn: a panel a network or a data set, a colour a series."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fantastic4.figure import new_figure

FLOAT = "float"
"""Series of the baseline in float, drawn as a line: its bits mean nothing."""


def plot(rows: Sequence[Mapping[str, Any]], path: Path, by_data: bool = False) -> None:
    """Draw ``rows``, as `fantastic4.sweep.front.means` gives them, into ``path``.

    A panel has the networks of one shape, over stored bits a weight; or ``by_data`` all that were
    trained on the same data, over stored kilobits in all.

    Points are means over seeds and bars reach from the least to the greatest; the Pareto front of
    each series is a line. The accuracy in float is dashed: that of the baseline, or else the mean
    of what the networks had before they were quantised.

    Raises
    ------
    FantasticError
        If matplotlib is not installed.
    """
    title = _data if by_data else _title
    label = "stored kilobits" if by_data else "stored bits a weight"
    networks = list(dict.fromkeys(map(title, rows)))
    series = list(dict.fromkeys(row["series"] for row in rows if row["series"] != FLOAT))
    columns = min(len(networks), 2) or 1
    lines = -(-len(networks) // columns) or 1
    figure = new_figure(6 * columns, 4.5 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, network in zip(panels, networks, strict=False):
        of_network = [row for row in rows if title(row) == network]
        for number, name in enumerate(series):
            curve = [row for row in of_network if row["series"] == name]
            if curve:
                _draw(panel, curve, name, f"C{number}", by_data)
        panel.axhline(_float(of_network), color="k", ls="--", lw=1, label="float")
        panel.set(title=network, xlabel=label, ylabel="golden accuracy, %")
        panel.grid(alpha=0.3)
        panel.legend(loc="lower right")
    for panel in panels[len(networks) :]:
        panel.set_axis_off()
    figure.savefig(path, dpi=110)


def _title(row: Mapping[str, Any]) -> str:
    """Return the name of a row's network."""
    return f"{row['dataset']} {'-'.join(map(str, row['network']))}"


def _data(row: Mapping[str, Any]) -> str:
    """Return the name of a row's data set."""
    return str(row["dataset"])


def _float(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the accuracy in float, percent."""
    found = [row for row in rows if row["series"] == FLOAT] or rows
    return 100 * sum(row["float"]["mean"] for row in found) / len(found)


def _draw(
    panel: Any, curve: Sequence[Mapping[str, Any]], name: str, colour: str, in_all: bool
) -> None:
    """Draw one series into ``panel``, over bits a weight or kilobits ``in_all``."""
    bits = [_scaled(row, row["weights"] / 1000 if in_all else 1) for row in curve]
    shares = [row["golden"] for row in curve]
    panel.errorbar(
        [x["mean"] for x in bits],
        [100 * y["mean"] for y in shares],
        xerr=_reach(bits, 1),
        yerr=_reach(shares, 100),
        fmt="o",
        ms=4,
        lw=1,
        color=colour,
        label=name,
    )
    best = sorted(
        (x["mean"], 100 * y["mean"])
        for row, x, y in zip(curve, bits, shares, strict=True)
        if row["on_front"]
    )
    panel.plot([x for x, _ in best], [y for _, y in best], color=colour, lw=1.5)


def _scaled(row: Mapping[str, Any], factor: float) -> dict[str, float]:
    """Return bits a weight times ``factor``."""
    return {key: factor * value for key, value in row["bits_per_weight"].items()}


def _reach(figures: Sequence[Mapping[str, float]], factor: float) -> list[list[float]]:
    """Return how far bars reach down and up."""
    down = [factor * (x["mean"] - x["low"]) for x in figures]
    up = [factor * (x["high"] - x["mean"]) for x in figures]
    return [[max(0.0, x) for x in side] for side in (down, up)]
