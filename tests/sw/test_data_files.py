# SPDX-License-Identifier: Apache-2.0
"""The user's own .npz and .csv files."""

import numpy as np
import pytest

from fantastic4 import data
from fantastic4.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="my.csv"):
        path = tmp_path / name
        if isinstance(content, dict):
            with path.open("wb") as file:
                np.savez(file, **content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return str(path)

    return write_file


def rows(loaded):
    """Return the examples of both splits with their class names, sorted."""
    x = np.concatenate([loaded.x_train, loaded.x_test])
    y = np.concatenate([loaded.y_train, loaded.y_test])
    return sorted(
        (*map(float, row), loaded.classes[label]) for row, label in zip(x, y, strict=True)
    )


TABLE = [(i, i / 4, "ab"[i % 2]) for i in range(20)]


def text(table, delimiter=","):
    return "".join(delimiter.join(map(str, row)) + "\n" for row in table)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " , "])
@pytest.mark.parametrize("headings", [[], [("height", "width", "kind")]])
def test_csv_with_and_without_headings(write, delimiter, headings):
    loaded = data.load(write(text(headings + TABLE, delimiter)))
    assert rows(loaded) == TABLE
    assert loaded.name == "my.csv"
    assert loaded.x_train.dtype == np.float32
    assert loaded.classes == ("a", "b")
    assert loaded.normalise == "feature"
    assert np.bincount(loaded.y_train).tolist() == [8, 8]
    assert np.bincount(loaded.y_test).tolist() == [2, 2]


def test_csv_names_the_column_of_labels(write):
    turned = [("kind", "height", "width"), *((kind, a, b) for a, b, kind in TABLE)]
    path = write("\ufeff" + text(turned) + "\n\n")
    assert rows(data.load(path, label="kind")) == TABLE
    with pytest.raises(DataError, match=r"no column 'sort'; its columns are kind, height, width"):
        data.load(path, label="sort")


def test_headings_that_are_numbers(write):
    table = [(0, 1, "kind"), *((a, b, 5 + (kind == "b")) for a, b, kind in TABLE)]
    loaded = data.load(write(text(table)))
    assert loaded.classes == ("5", "6")
    assert len(rows(loaded)) == 20


def test_quoted_fields(write):
    loaded = data.load(write('"h, 1", w, kind\n1, 2, "a, b"\n3, 4, "a, b"\n'), label="kind")
    assert loaded.classes == ("a, b",)


def test_the_split_follows_the_seed(write):
    path = write(text(TABLE))
    first, again, other = (data.load(path, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b,kind\n", "has headings, but no examples"),
        ("1\n2\n", "must have two columns or more"),
        ("1,2,a\n1,2\n", "line 2: 2 columns, must be 3"),
        ("1,2,a\n\n1,2,3,b\n", "line 3: 4 columns, must be 3"),
        ("1,2,a\n1,x,b\n", "line 2, column 2: must be a finite number, not 'x'"),
        ("h,w,k\n1,2,a\n1,,b\n", "line 3, column w: must be a finite number, not ''"),
        ("1,2,a\n1,nan,b\n", "line 2, column 2: must be a finite number, not 'nan'"),
        ("1,2,a\n1,-inf,b\n", "line 2, column 2: must be a finite number, not '-inf'"),
        ("1,2,a\n1,2,\n", "line 2: the label is missing"),
        ("1,2,0.5\n1,2,1\n", "labels must be whole numbers or texts, not 0.5"),
        ("1,2,nan\n1,2,1\n", "labels must be whole numbers or texts, not nan"),
        ("1e300,2,0\n1,2,1\n1,2,1\n1,2,0\n1,2,0\n", "must be finite, not inf"),
        (b"1,2,\xff\xfe\n", "is not a csv file"),
    ],
)
def test_malformed_csv(write, content, message):
    path = write(content)
    with pytest.raises(DataError, match=f"my.csv.*{message}") as caught:
        data.load(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def arrays(rng):
    return {
        "x_train": rng.normal(size=(12, 2, 3)),
        "y_train": np.arange(12) % 3,
        "x_test": rng.normal(size=(6, 2, 3)),
        "y_test": np.arange(6)[:, None] % 3,
    }


def test_npz_with_splits(write, arrays):
    loaded = data.load(write(arrays, "my.npz"))
    assert np.array_equal(loaded.x_train, arrays["x_train"].reshape(12, 6).astype(np.float32))
    assert np.array_equal(loaded.y_test, np.arange(6) % 3)
    assert loaded.classes == ("0", "1", "2")
    assert (loaded.name, loaded.normalise) == ("my.npz", "feature")


def test_npz_without_splits_and_bytes(write, rng):
    x = rng.integers(0, 200, (50, 4, 4), dtype=np.uint8)
    y = np.repeat(np.array([3, 7]), 25)
    loaded = data.load(write({"x": x, "y": y}, "MY.NPZ"))
    assert (loaded.x_train.dtype, loaded.normalise) == (np.uint8, "global")
    assert loaded.x_train.shape == (40, 16)
    assert loaded.classes == ("3", "7")
    assert np.bincount(loaded.y_test).tolist() == [5, 5]


def test_npz_with_names_of_classes(write, arrays):
    named = arrays | {"classes": np.array(["no", "yes", "what"])}
    assert data.load(write(named, "my.npz")).classes == ("no", "yes", "what")
    texts = {key: np.array(["no", "yes", "what"])[arrays[key]] for key in ("y_train", "y_test")}
    again = data.load(write(named | texts, "my.npz"))
    assert again.classes == ("no", "yes", "what")
    assert np.array_equal(again.y_train, arrays["y_train"])
    assert data.load(write(arrays | texts, "my.npz")).classes == ("no", "what", "yes")


BAD = {
    "x_train, y_train, x_test, y_test, or x and y, not x, z": lambda a: {"x": [1], "z": [1]},
    "labels must be .12,. as the inputs are, not .11,.": lambda a: a | {"y_train": np.arange(11)},
    r"inputs must be .n, features. and some, not .12,.": lambda a: a | {"x_train": np.arange(12)},
    "and some, not .0, 3.": lambda a: a | {"x_test": np.zeros((0, 3)), "y_test": np.zeros(0)},
    "inputs must be numbers, not <U1": lambda a: a | {"x_test": np.full((6, 6), "a")},
    "labels must be whole numbers or texts, not complex": lambda a: a | {"y_test": 1j * np.ones(6)},
    "labels must be texts in both splits": lambda a: a | {"y_test": np.full(6, "a")},
    "y_test must be labels 0..2, not 3 .row 3.": lambda a: (
        a | {"y_test": np.arange(6), "classes": ["a", "b", "c"]}
    ),
    "label 'd' is not among the classes": lambda a: (
        a
        | {"y_test": np.full(6, "d"), "y_train": np.full(12, "a"), "classes": np.array(["a", "b"])}
    ),
    "class '5' has no example in the training": lambda a: a | {"y_test": np.full(6, 5)},
    "same features, not 6 and 5": lambda a: a | {"x_test": np.zeros((6, 5))},
    "x_test must be finite, not nan in row 2, column 4": lambda a: (
        a | {"x_test": np.where(np.arange(36).reshape(6, 6) == 16, np.nan, 0)}
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_malformed_npz(write, arrays, message):
    path = write(BAD[message](arrays), "my.npz")
    with pytest.raises(DataError, match=f"my.npz.*{message}") as caught:
        data.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["my.npz", "my.csv"])
def test_files_that_cannot_be_read(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(DataError, match=f"{name} cannot be read: No such file"):
        data.load(str(path))
    path.mkdir()
    with pytest.raises(DataError, match=f"{name} cannot be read: Is a directory"):
        data.load(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"1,2,3\n", "it is not an npz file"),
        (b"PK\3\4 cut short", "it is not an npz file, or cut short"),
    ],
)
def test_damaged_npz(write, content, message):
    with pytest.raises(DataError, match=f"my.npz cannot be read, delete or replace it: {message}"):
        data.load(write(content, "my.npz"))


def test_only_a_csv_has_a_column_of_labels(write, arrays):
    for name in (write(arrays, "my.npz"), "digits"):
        with pytest.raises(DataError, match="only a csv file has a column of labels"):
            data.load(name, label="kind")
