# SPDX-License-Identifier: Apache-2.0
"""Tables of numbers with a column of labels, as text."""

import csv
from collections.abc import Iterator
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import TextIO

import numpy as np

from fantastic4.errors import DataError

DELIMITERS = ",;\t"


def read_csv(path: Path, label: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, float32 (n, features), and the labels, float64 or texts (n,).

    Parameters
    ----------
    label : str or None
        Heading of the column of labels; without it the last column. A first line without
        a number in any other column is headings.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or a line is not like the others; the message has
        the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, _lines(file), label)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a csv file: {error}") from error


def _lines(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of every line that is not blank."""
    first = next((line for line in file if line.strip()), "")
    file.seek(0)
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
    for fields in reader:
        if any(field.strip() for field in fields):
            yield reader.line_num, [field.strip() for field in fields]


def _read(
    path: Path, lines: Iterator[tuple[int, list[str]]], label: str | None
) -> tuple[np.ndarray, np.ndarray]:
    start, first = next(lines, (0, []))
    width = len(first)
    if not first:
        raise DataError(f"{path} is empty")
    if width < 2:
        raise DataError(f"{path} must have two columns or more, inputs and labels, not one")
    headed = label is not None or not any(_is_number(field) for field in first[:-1])
    place = _place(path, first, label)
    names = first if headed else [str(column + 1) for column in range(width)]
    names = names[:place] + names[place + 1 :]
    inputs, labels = [], []
    for line, fields in lines if headed else chain([(start, first)], lines):
        if len(fields) != width:
            raise DataError(f"{path}, line {line}: {len(fields)} columns, must be {width}")
        labels.append(fields.pop(place))
        if not labels[-1]:
            raise DataError(f"{path}, line {line}: the label is missing")
        inputs.append(_inputs(f"{path}, line {line}", names, fields))
    if not headed and not _is_number(labels[0]) and all(map(_is_number, labels[1:])):
        del inputs[0], labels[0]  # headings that are numbers
    if not inputs:
        raise DataError(f"{path} has headings, but no examples")
    return np.stack(inputs), _as_labels(labels)


def _inputs(where: str, names: list[str], fields: list[str]) -> np.ndarray:
    """Return the inputs of one line; ``DataError`` if one is no finite number."""
    values = [float(field) if _is_number(field) else np.nan for field in fields]
    if not all(map(isfinite, values)):
        bad = next(i for i, value in enumerate(values) if not isfinite(value))
        raise DataError(
            f"{where}, column {names[bad]}: must be a finite number, not {fields[bad]!r}"
        )
    with np.errstate(over="ignore"):
        return np.array(values, np.float32)


def _place(path: Path, headings: list[str], label: str | None) -> int:
    """Return the index of the column of labels."""
    if label is None:
        return len(headings) - 1
    if label not in headings:
        raise DataError(f"{path} has no column {label!r}; its columns are {', '.join(headings)}")
    return headings.index(label)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _as_labels(labels: list[str]) -> np.ndarray:
    """Return ``labels`` as numbers if all are, else as texts."""
    if all(_is_number(label) for label in labels):
        return np.array([float(label) for label in labels])
    return np.array(labels)
