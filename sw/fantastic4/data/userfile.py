# SPDX-License-Identifier: Apache-2.0
"""Data sets of the user's own: one ``.npz`` or ``.csv`` file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fantastic4.data.csvfile import read_csv
from fantastic4.data.fetch import read_npz
from fantastic4.data.split import stratified_split
from fantastic4.data.task import DataSet
from fantastic4.errors import DataError

SUFFIXES = (".npz", ".csv")
SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
WHOLE_KEYS = ("x", "y")
TEST_SHARE = 0.2
"""What is set aside as the test split of a file that has none."""

Splits = Sequence[tuple[np.ndarray, np.ndarray]]


def is_file_name(name: str) -> bool:
    """Return whether ``name`` is that of a file, not of a data set in the registry."""
    return name.lower().endswith(SUFFIXES)


def load_file(path: Path, label: str | None, seed: int) -> DataSet:
    """Return the data set in the file ``path``.

    An ``.npz`` file has ``x_train``, ``y_train``, ``x_test`` and ``y_test``, or ``x`` and ``y``, of
    which a fifth of each class, drawn with ``seed``, is the test split; ``classes``, the names of
    labels 0, 1, …, is optional. A ``.csv`` file has an example a line, and ``label`` names the
    column of labels, which is otherwise the last. Inputs of bytes share one gain; other features
    are standardised each.

    Raises
    ------
    DataError
        If the file cannot be read, or does not have this form.
    """
    if path.suffix.lower() == ".csv":
        x, y = read_csv(path, label)
        arrays: Mapping[str, np.ndarray] = {"x": x, "y": y}
    elif label is not None:
        raise DataError(f"{path}: only a csv file has a column of labels to name, not {label!r}")
    else:
        arrays = read_npz(path)
    splits = _splits(path, arrays, seed)
    names, labels = _labels(path, [y for _, y in splits], arrays.get("classes"))
    (x_train, y_train), (x_test, y_test) = zip(
        (_inputs(path, x) for x, _ in splits), labels, strict=True
    )
    normalise = "global" if x_train.dtype == np.uint8 else "feature"
    return DataSet(path.name, x_train, y_train, x_test, y_test, names, normalise)


def _splits(path: Path, arrays: Mapping[str, np.ndarray], seed: int) -> Splits:
    """Return inputs and labels of the training and of the test split."""
    if all(key in arrays for key in SPLIT_KEYS):
        pairs = [(arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])]
    elif all(key in arrays for key in WHOLE_KEYS):
        pairs = [(arrays["x"], arrays["y"])]
    else:
        raise DataError(
            f"{path} must have {', '.join(SPLIT_KEYS)}, or x and y, not "
            f"{', '.join(arrays) or 'nothing'}"
        )
    for x, y in pairs:
        if x.ndim < 2 or 0 in x.shape:
            raise DataError(f"{path}: inputs must be (n, features) and some, not {x.shape}")
        if y.shape not in ((len(x),), (len(x), 1)):
            raise DataError(f"{path}: labels must be ({len(x)},) as the inputs are, not {y.shape}")
    flat = [(x.reshape(len(x), -1), y.ravel()) for x, y in pairs]
    if len(flat) == 2:
        return flat
    x, y = flat[0]
    train, test = stratified_split(y, TEST_SHARE, seed)
    return [(x[train], y[train]), (x[test], y[test])]


def _inputs(path: Path, x: np.ndarray) -> np.ndarray:
    """Return ``x`` as uint8 or float32."""
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind not in "biuf":
        raise DataError(f"{path}: inputs must be numbers, not {x.dtype}")
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


def _labels(
    path: Path, given: Sequence[np.ndarray], classes: np.ndarray | None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Return the names of the classes, and the labels as int64.

    Without names, the classes are the different labels, in order.
    """
    for y in given:
        if y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.floor(y))).all():
            bad = y[~(np.isfinite(y) & (y == np.floor(y)))][0]
            raise DataError(f"{path}: labels must be whole numbers or texts, not {bad}")
        if y.dtype.kind not in "biufUS":
            raise DataError(f"{path}: labels must be whole numbers or texts, not {y.dtype}")
    if len({y.dtype.kind in "US" for y in given}) > 1:
        raise DataError(f"{path}: labels must be texts in both splits or in none")
    texts = given[0].dtype.kind in "US"
    if classes is not None and not texts:
        return tuple(str(name) for name in classes.ravel()), [y.astype(np.int64) for y in given]
    values = np.unique(np.concatenate(list(given)))
    if classes is not None:
        names = [str(name) for name in classes.ravel()]
        strange = next((str(value) for value in values if str(value) not in names), None)
        if strange is not None:
            raise DataError(f"{path}: label {strange!r} is not among the classes {names}")
        order = {name: number for number, name in enumerate(names)}
        return tuple(names), [np.array([order[str(v)] for v in y], np.int64) for y in given]
    names = [str(value) if texts else str(int(value)) for value in values]
    return tuple(names), [np.searchsorted(values, y).astype(np.int64) for y in given]
