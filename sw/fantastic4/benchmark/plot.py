# SPDX-License-Identifier: Apache-2.0
"""The benchmark drawn: latency of networks on cores, and what a lane costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fantastic4.benchmark.tables import LANE, title
from fantastic4.figure import new_figure


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw a report into ``path``; cycles stand in for latency where no core was routed.

    Raises
    ------
    FantasticError
        If matplotlib is not installed.
    """
    figure = new_figure(13, 5)
    left, right = figure.subplots(1, 2)
    _runs(left, report)
    _lanes(right, report)
    figure.savefig(path, dpi=110)


def _runs(panel: Any, report: Mapping[str, Any]) -> None:
    names = [network["name"] for network in report["networks"]]
    every = [run for entry in report["cores"] for run in entry["runs"] if run["fits"]]
    timed = any(run["latency_us"] is not None for run in every)
    key = "latency_us" if timed else "latency_cycles"
    for number, entry in enumerate(report["cores"]):
        points = [
            (names.index(run["network"]), run[key])
            for run in entry["runs"]
            if run["fits"] and run[key] is not None
        ]
        if points:
            panel.plot(*zip(*points, strict=True), "o", color=f"C{number}", label=title(entry))
    published = [
        (names.index(peer["network"]), peer["latency_us"])
        for peer in report["peers"]
        if peer["network"] in names and "latency_us" in peer
    ]
    if timed and published:
        panel.plot(*zip(*published, strict=True), "kx", label="published by others")
    panel.set(
        yscale="log",
        xlim=(-0.5, len(names) - 0.5),
        title="from the first input transfer to the last result",
        ylabel="µs" if timed else "clocks",
    )
    panel.set_xticks(range(len(names)), names)
    panel.grid(axis="y", alpha=0.3)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize="small")


def _lanes(panel: Any, report: Mapping[str, Any]) -> None:
    entries = [entry for entry in report["cores"] if all(entry[x] for x in LANE)]
    bars = {
        "engine": [entry["engine"]["luts_per_lane"] for entry in entries],
        "MAC array": [entry["mac"]["luts_per_lane"] for entry in entries],
        "MAC array in plain logic": [entry["mac_plain"]["luts_per_lane"] for entry in entries],
    }
    for number, (name, heights) in enumerate(bars.items()):
        places = [at + 0.25 * (number - 1) for at in range(len(entries))]
        panel.bar(places, heights, 0.25, label=name)
    panel.set(title="LUTs a lane, without memories and decoders")
    labels = [f"{title(entry)}\n{entry['engine_lanes']} lanes" for entry in entries]
    panel.set_xticks(range(len(entries)), labels, rotation=30, fontsize="small")
    panel.grid(axis="y", alpha=0.3)
    if entries:
        panel.legend(fontsize="small")
