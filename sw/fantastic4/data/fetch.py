# SPDX-License-Identifier: Apache-2.0
"""Where the files of a data set come from: a folder, the cache, or a download with a checksum."""

import gzip
import hashlib
import os
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
import platformdirs

from fantastic4.errors import DataError

ENVIRONMENT = "FANTASTIC4_DATA"
TIMEOUT = 20
"""Seconds without a byte before a mirror is given up."""

Progress = Callable[[str, int, int | None], None]
Arrays = Mapping[str, np.ndarray]
Download = Callable[[Progress | None], dict[str, np.ndarray]]


def cache_dir() -> Path:
    """Return the folder where downloads are kept."""
    return Path(platformdirs.user_cache_dir("fantastic4"))


@dataclass(frozen=True)
class Files:
    """The places a data set's files are looked for, in order.

    Parameters
    ----------
    folder : Path or None
        Given by the user.
    origin : str
        Who gave ``folder``, for messages.
    cache : Path
        Where downloads are kept.
    progress : callable, optional
        Told about downloads.
    """

    folder: Path | None
    origin: str
    cache: Path
    progress: Progress | None = None

    @classmethod
    def find(cls, data_dir: str | Path | None, progress: Progress | None = None) -> "Files":
        """Return the places for ``--data-dir``, else for the environment variable."""
        if data_dir is not None:
            return cls(Path(data_dir), "--data-dir", cache_dir(), progress)
        if given := os.environ.get(ENVIRONMENT):
            return cls(Path(given), ENVIRONMENT, cache_dir(), progress)
        return cls(None, f"no --data-dir, {ENVIRONMENT} not set", cache_dir(), progress)

    def made(self, path: str, keys: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
        """Return arrays that ``make`` computes, from the cache's ``path`` if they are there."""
        if (self.cache / path).is_file():
            return read_npz(self.cache / path, keys)
        arrays = make()
        _keep(self.cache / path, arrays)
        return arrays

    def arrays(
        self, path: str, keys: Sequence[str], download: Download | None = None, hint: str = ""
    ) -> Arrays:
        """Return arrays of the ``.npz`` file ``path``, relative to any of the places.

        Without the file, ``download`` makes the arrays and they are kept in the cache. ``hint``
        says what else can be done where all fails.

        Raises
        ------
        DataError
            If the file is nowhere and cannot be downloaded (the message names each place), or is
            damaged.
        """
        tried = []
        if self.folder is None:
            tried.append(self.origin)
        else:
            if (self.folder / path).is_file():
                return read_npz(self.folder / path, keys)
            tried.append(f"not in {self.folder} ({self.origin})")
        if (self.cache / path).is_file():
            return read_npz(self.cache / path, keys)
        tried.append(f"not in the cache {self.cache}")
        if download is None:
            tried.append("there is no download for it")
        else:
            try:
                arrays = download(self.progress)
            except DataError as error:
                tried.append(str(error))
            else:
                _keep(self.cache / path, arrays)
                return arrays
        advice = "put the file into a folder and give that folder as --data-dir"
        if download is not None:
            advice = f"connect to the internet once, or {advice}"
        if hint:
            advice = f"{advice}, {hint}"
        raise DataError(f"cannot find {path}: {'; '.join(tried)}. To go on, {advice}.")


_DAMAGED = (
    *(ValueError, KeyError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What numpy raises on other zip archives and on cut ones."""


def read_npz(path: Path, keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays ``keys`` of the file ``path``, all if none are named.

    Raises
    ------
    DataError
        If the file is not there, is empty or damaged, or lacks one of ``keys``.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                what = "not an npz file, or cut short" if path.stat().st_size else "empty"
                raise DataError(f"{path} cannot be read, delete or replace it: it is {what}")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            return {key: archive[key] for key in (archive.files if keys is None else keys)}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read, delete or replace it: {error}") from error


def _keep(path: Path, arrays: Arrays) -> None:
    """Write ``arrays`` to ``path`` in one step; a cache that cannot be written is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def download_idx(
    name: str, md5: str, mirrors: Sequence[str], progress: Progress | None = None
) -> np.ndarray:
    """Return the array of ``name.gz``, an idx file of bytes, from the first mirror that has it.

    Parameters
    ----------
    md5 : str
        Digest of the uncompressed file, in hexadecimal.
    mirrors : sequence of str
        Addresses that end in a slash.

    Raises
    ------
    DataError
        If every mirror fails; the message says how each did.
    """
    failures = []
    for mirror in mirrors:
        address = f"{mirror}{name}.gz"
        try:
            raw = gzip.decompress(_download(address, name, progress))
        except (OSError, HTTPException, EOFError, ValueError, zlib.error) as error:
            failures.append(f"{address}: {error}")
            continue
        digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        if digest != md5:
            failures.append(f"{address}: md5 is {digest}, must be {md5}")
            continue
        return parse_idx(raw, name)
    raise DataError(f"download failed ({'; '.join(failures)})")


def _download(address: str, name: str, progress: Progress | None) -> bytes:
    body = bytearray()
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
        length = response.headers.get("Content-Length")
        total = int(length) if length else None
        while block := response.read(1 << 16):
            body += block
            if progress:
                progress(name, len(body), total)
    return bytes(body)


def parse_idx(raw: bytes, name: str) -> np.ndarray:
    """Return the uint8 array of an idx file: 0, 0, 8, axes, each size as 32 bits, the bytes."""
    axes = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    if not axes or len(raw) < 4 + 4 * axes:
        raise DataError(f"{name} is not an idx file of bytes")
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", axes, 4))
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
    if values.size != np.prod(shape, dtype=np.int64):
        raise DataError(f"{name} must hold {shape} bytes, not {values.size}")
    return values.reshape(shape)
