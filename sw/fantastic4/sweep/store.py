# SPDX-License-Identifier: Apache-2.0
"""The records of a sweep on disk: a file a point, there in full or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fantastic4.files import replace_file


class Store:
    """The folder of a sweep.

    ``points/KEY.json`` is the record of a point and ``points/KEY.safetensors`` its model;
    ``float/KEY.pt`` the end of a float phase.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points = folder / "points"
        self.points.mkdir(parents=True, exist_ok=True)

    def record_path(self, key: str) -> Path:
        """Return where the record of a point is."""
        return self.points / f"{key}.json"

    def model_path(self, key: str) -> Path:
        """Return where the model of a point is."""
        return self.points / f"{key}.safetensors"

    def float_path(self, key: str) -> Path:
        """Return where the end of a float phase is."""
        return self.folder / "float" / f"{key}.pt"

    def finished(self, key: str) -> dict[str, Any] | None:
        """Return the record of a point that was measured; None if it failed or is damaged."""
        try:
            record = json.loads(self.record_path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        whole = isinstance(record, dict) and record.get("key") == key and "error" not in record
        return record if whole and self.model_path(key).is_file() else None

    def keep(self, record: Mapping[str, Any]) -> None:
        """Write the record of a point."""
        write_json(self.record_path(record["key"]), record)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``record`` in one step: a reader sees the old file or the new one."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
