# SPDX-License-Identifier: Apache-2.0
"""The points of a sweep as rows of a table: a line each in CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

ACCURACIES = ("float", "quantised", "golden", "validation")
MEASURED = (
    *("agreement", "weights", "bits_per_weight", "entropy", "density", "cycles", "utilisation"),
    *("model", "model_bytes", "seconds"),
)
COLUMNS = (
    *("key", "series", "dataset", "network", "config", "gamma", "values", "seed"),
    *(f"accuracy_{name}" for name in ACCURACIES),
    *MEASURED,
    *("formats", "error"),
)
"""Columns of the CSV; those that a failed point has nothing for are empty."""


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as one row; lists are joined by hyphens (network) or spaces (formats)."""
    row: dict[str, Any] = {key: record[key] for key in ("key", "series", "dataset", "config")}
    row |= {key: record["training"][key] for key in ("gamma", "values", "seed")}
    if "error" in record:
        return row | {"error": record["error"]}
    row["network"] = "-".join(map(str, record["network"]))
    row |= {f"accuracy_{name}": record["accuracy"][name] for name in ACCURACIES}
    row |= {key: record[key] for key in MEASURED}
    row["formats"] = " ".join(layer["format"] for layer in record["layers"])
    return row


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the records as CSV with a line of `COLUMNS`."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat(record) for record in records)
    return file.getvalue()
