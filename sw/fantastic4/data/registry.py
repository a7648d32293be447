# SPDX-License-Identifier: Apache-2.0
"""The table of data sets that can be loaded by name."""

from collections.abc import Callable
from pathlib import Path

from fantastic4.data import userfile
from fantastic4.data.fetch import Files, Progress
from fantastic4.data.task import DataSet
from fantastic4.errors import DataError

Loader = Callable[[Files, int], DataSet]

_LOADERS: dict[str, Loader] = {}


def dataset(name: str) -> Callable[[Loader], Loader]:
    """Register the decorated ``loader(files, seed)`` as the data set ``name``."""

    def register(loader: Loader) -> Loader:
        _LOADERS[name] = loader
        return loader

    return register


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(_LOADERS)


def load(
    name: str,
    data_dir: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    label: str | None = None,
) -> DataSet:
    """Return the data set called ``name``, or that of the ``.npz`` or ``.csv`` file ``name``.

    Parameters
    ----------
    data_dir : path, optional
        Folder searched first; without it, the environment variable ``FANTASTIC4_DATA``. Then comes
        the user's cache, then the network.
    seed : int
        Draws the split of a data set that has none of its own.
    progress : callable, optional
        Told ``(file, bytes done, bytes in all or None)`` during a download, and likewise of
        features that are computed.
    label : str, optional
        Heading of the column of labels in a ``.csv`` file.

    Raises
    ------
    DataError
        If there is no such data set, or its files cannot be had or are damaged.
    """
    if userfile.is_file_name(name):
        return userfile.load_file(Path(name), label, seed)
    if label is not None:
        raise DataError(f"only a csv file has a column of labels to name; {name!r} is a data set")
    if name not in _LOADERS:
        raise DataError(
            f"there is no data set {name!r}; choose one of {', '.join(_LOADERS)}, or a file of "
            "your own that ends in .npz or .csv"
        )
    return _LOADERS[name](Files.find(data_dir, progress), seed)
