# SPDX-License-Identifier: Apache-2.0
"""The files of a whole sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fantastic4.sweep import plot, store, table
from fantastic4.sweep.front import means


def write(folder: Path, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write JSON, CSV and plot of a sweep, the plot last; return what the JSON holds."""
    report = {
        "folder": str(folder),
        "failed": sum("error" in record for record in records),
        "means": means(records),
        "points": records,
    }
    store.write_json(folder / "sweep.json", report)
    store.write_text(folder / "sweep.csv", table.csv_text(records))
    plot.plot(report["means"], folder / "sweep.png")
    return report
