# SPDX-License-Identifier: Apache-2.0
"""train and run on files of the user's own: raw inputs, and what is wrong with them in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fantastic4 import golden, modelfile
from fantastic4.cli import app
from fantastic4.data.fetch import read_npz

QUICK = ("--hidden", "6", "--epochs", 2, "--float-epochs", 2)


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


def refused(*args: Any) -> str:
    """Return the one line that a command ends with, exit code 1."""
    out, err = call(*args, code=1)
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("error: ")
    return err


def blobs(rng, count=1200):
    """Return raw features of very different scales and offsets, and three classes."""
    y = np.arange(count) % 3
    x = rng.normal(size=(count, 4)) + np.eye(3, 4)[y] * 4
    return (x * [1, 1000, 1e-3, 5] + [0, -7000, 3, 1e4]).astype(np.float32), y


@pytest.fixture
def npz(rng, tmp_path):
    x, y = blobs(rng)
    path = tmp_path / "blobs.npz"
    np.savez(path, x_train=x[:960], y_train=y[:960], x_test=x[960:], y_test=y[960:])
    return path


@pytest.fixture
def table(rng, tmp_path):
    x, y = blobs(rng)
    kinds = ("oak", "elm", "fir")
    lines = [f"{kinds[label]},{','.join(map(str, row))}" for row, label in zip(x, y, strict=True)]
    path = tmp_path / "trees.csv"
    path.write_text("\n".join(["kind,a,b,c,d", *lines]))
    return path


def test_train_and_run_on_an_npz(npz, tmp_path):
    epochs = ("--hidden", "16", "--epochs", 12, "--float-epochs", 8)
    out, _ = call("train", "--data", npz, *epochs, "-o", tmp_path / "m", "--json")
    assert json.loads(out)["dataset"] == "blobs.npz"
    model, image = tmp_path / "m" / "model.safetensors", tmp_path / "m.f4"
    call("pack", model, "--config", "tiny", "-o", image)
    out, _ = call("run", image, "--data", npz, "--json")
    record = json.loads(out)
    assert (record["dataset"], record["inputs"]) == ("blobs.npz", 240)
    assert record["accuracy"]["golden"] > 0.8

    network = modelfile.load(model)
    raw = read_npz(npz)
    best = golden.predict(network, network.quant(raw["x_test"])).best
    assert record["accuracy"]["golden"] == (best == raw["y_test"]).mean()
    assert "m.f4 was trained on blobs.npz: give that file as --data" in refused("run", image)


def test_train_and_run_on_a_csv(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("train", "--data", "trees.csv", "--label", "kind", *QUICK)
    model = Path("build/trees/model.safetensors")
    assert modelfile.load(model).classes == ("elm", "fir", "oak")
    call("pack", model, "--config", "tiny", "-o", "trees.f4")
    out, _ = call("run", "trees.f4", "--data", "trees.csv", "--label", "kind", "--json")
    assert json.loads(out)["inputs"] == 240

    table.write_text(table.read_text().replace("oak", "ash"))
    err = refused("run", "trees.f4", "--data", "trees.csv", "--label", "kind")
    assert "has the classes ash, elm, fir, trees.f4 tells apart elm, fir, oak" in err


def test_demo_on_a_csv(table, tmp_path):
    args = ("--data", table, "--label", "kind", *QUICK, "--config", "tiny", "--limit", 2)
    out, _ = call("demo", *args, "--engine", "amaranth", "-o", tmp_path / "demo", "--json")
    record = json.loads(out)
    assert (record["dataset"], record["mismatches"]) == ("trees.csv", 0)


def test_the_test_split_decides_nothing_in_the_model(npz, tmp_path):
    arrays = read_npz(npz)
    other = arrays | {"x_test": 3 * arrays["x_test"][::-1] + 50, "y_test": arrays["y_test"][::-1]}
    shifted = arrays | {"x_train": arrays["x_train"] + 1}
    models = []
    for name, content in (("one", arrays), ("two", other), ("three", shifted)):
        path = tmp_path / name / "blobs.npz"
        path.parent.mkdir()
        np.savez(path, allow_pickle=False, **content)
        call("train", "--data", path, *QUICK, "-o", path.parent)
        models.append(modelfile.load(path.parent / "model.safetensors"))
    one, two, three = models
    assert np.array_equal(one.quant.gain, two.quant.gain)
    assert np.array_equal(one.quant.offset, two.quant.offset)
    assert not np.array_equal(one.quant.offset, three.quant.offset)
    for layer, again in zip(one.layers, two.layers, strict=True):
        assert np.array_equal(layer.codes, again.codes)
        assert np.array_equal(layer.bias, again.bias)
    assert one.metadata["accuracy"]["quantised"] != two.metadata["accuracy"]["quantised"]


FAULTS = {
    "x_train must be finite, not nan in row 3, column 1": {"x_train": (3, 1, np.nan)},
    "class 'c' has no example in the training split": {"y_train": (slice(2, None, 3), 0)},
    "y_train must be labels 0..2, not 3 (row 4)": {"y_train": (4, 3)},
    "y_test must be labels 0..2, not -1 (row 0)": {"y_test": (0, -1)},
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_is_wrong_with_an_npz_is_one_line(npz, message):
    arrays = read_npz(npz)
    for key, (*where, value) in FAULTS[message].items():
        arrays[key][tuple(where)] = value
    np.savez(npz, allow_pickle=False, **arrays, classes=np.array(["a", "b", "c"]))
    err = refused("train", "--data", npz)
    assert f"'blobs.npz': {message}" in err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.npz", b"", "e.npz cannot be read, delete or replace it: it is empty"),
        ("e.csv", b"", "e.csv is empty"),
        ("e.csv", b"1,2,a\n1,b\n", "e.csv, line 2: 2 columns, must be 3"),
        ("e.csv", b"1,2,a\n1,nan,b\n", "e.csv, line 2, column 2: must be a finite number"),
        ("e.npz", b"PK junk", "e.npz cannot be read, delete or replace it: it is not an npz file"),
        ("e.csv", b"\xff\x00\xfe", "e.csv is not a csv file"),
        ("e.csv", None, "e.csv cannot be read: No such file or directory"),
        ("e.txt", b"1,2,a\n", "a file of your own that ends in .npz or .csv"),
    ],
)
def test_a_file_that_is_no_data_set_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert message in refused("train", "--data", path)
    assert message in refused("demo", "--data", path)


def test_run_refuses_other_columns(npz, table, tmp_path):
    call("train", "--data", npz, *QUICK, "-o", tmp_path)
    image = tmp_path / "m.f4"
    call("pack", tmp_path / "model.safetensors", "--config", "tiny", "-o", image)
    lines = [line + ",1" for line in table.read_text().splitlines()]
    table.write_text("\n".join(lines).replace("c,d,1", "c,d,e"))
    err = refused("run", image, "--data", table, "--label", "kind")
    assert "trees.csv has 5 features" in err
    assert "takes 4 inputs" in err


@pytest.mark.parametrize("args", [["train"], ["train", "digits", "--data", "x.csv"]])
def test_one_data_set_is_named(args):
    _, err = call(*args, code=2)
    assert "give the name of a data set, or a file of your own" in " ".join(
        err.replace("│", " ").split()
    )
