# SPDX-License-Identifier: Apache-2.0
"""Results kept by the content they were made from."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import platformdirs

from fantastic4.files import replace_file


def default_folder() -> Path:
    """Return where results are kept unless the user says otherwise."""
    return Path(platformdirs.user_cache_dir("fantastic4")) / "synth"


def key_of(*parts: str | bytes) -> str:
    """Return a name for what was made from ``parts``."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()[:20]


class Cache:
    """A folder with a folder a key.

    Files are written whole or not at all, so that an interrupted run resumes with what it had.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def load(self, key: str, name: str) -> Any:
        """Return what was stored as JSON, or None."""
        path = self.folder / key / f"{name}.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def store(self, key: str, name: str, content: Any) -> None:
        """Keep ``content`` as JSON."""
        self._write(key, f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())

    def load_bytes(self, key: str, name: str) -> bytes | None:
        """Return bytes that were stored, or None."""
        path = self.folder / key / f"{name}.gz"
        return gzip.decompress(path.read_bytes()) if path.is_file() else None

    def store_bytes(self, key: str, name: str, content: bytes) -> None:
        """Keep bytes, compressed."""
        self._write(key, f"{name}.gz", gzip.compress(content, 4, mtime=0))

    def _write(self, key: str, name: str, raw: bytes) -> None:
        folder = self.folder / key
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / name, raw)
