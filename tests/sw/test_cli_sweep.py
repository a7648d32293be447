# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 sweep``: its files, interruption and resumption, what it refuses."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fantastic4.cli import app
from fantastic4.sweep import preset
from fantastic4.sweep.preset import Curve, Goal, Task
from fantastic4.sweep.store import Store
from fantastic4.sweep.table import COLUMNS
from fantastic4.train.defaults import DEFAULTS

QUICK = ("--hidden", "8", "--epochs", "2", "--float-epochs", "1")
ENTRY = Path(sys.executable).with_name("fantastic4")


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["sweep", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@contextmanager
def begun(*args: Any) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process group of its own, as a terminal does; none of it is left."""
    with subprocess.Popen(
        [ENTRY, "sweep", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def one_finished(folder: Path) -> list[Path]:
    """Return the records in ``folder`` as soon as there is one."""
    while not (found := list(folder.glob("points/*.json"))):
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Path, dict[str, Any], str]:
    """Return folder, JSON on stdout and words on stderr of a sweep in which a point failed."""
    folder = tmp_path_factory.mktemp("sweep")
    grid = ("--hidden", "200", "--gamma", "0.1,0.4", "--seeds", "0,1", "--config", "tiny")
    # 200 hidden outputs are more than the core holds
    out, err = call("digits", *QUICK, *grid, "--jobs", 2, "-o", folder, "--json", code=1)
    return folder, json.loads(out), err


def test_json_is_what_was_measured(swept):
    folder, report, err = swept
    assert json.loads((folder / "sweep.json").read_text()) == report
    assert (len(report["points"]), report["failed"], len(report["means"])) == (8, 4, 2)
    assert "error: 4 of 8 points failed" in err
    assert err.count("failed: config tiny holds 32 hidden chunks") == 4
    assert all(f" {done}/8  digits" in err for done in range(1, 9))
    store = Store(folder)
    for point in report["points"]:
        kept = json.loads(store.record_path(point["key"]).read_text())
        assert kept == {k: v for k, v in point.items() if k != "series"}
        assert "error" in point or (folder / point["model"]).stat().st_size == point["model_bytes"]
    first = report["means"][0]
    golden = [p["accuracy"]["golden"] for p in report["points"][:2]]
    assert first["golden"]["mean"] == pytest.approx(sum(golden) / 2)
    assert first["seeds"] == [0, 1]


def test_csv_and_json_agree(swept):
    folder, report, _ = swept
    with (folder / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row, point in zip(rows, report["points"], strict=True):
        assert (row["key"], row["series"]) == (point["key"], "ec4t")
        assert float(row["gamma"]) == point["training"]["gamma"]
        assert int(row["seed"]) == point["training"]["seed"]
        assert row["error"] == point.get("error", "")
        if "error" in point:
            assert row["bits_per_weight"] == row["accuracy_golden"] == ""
            continue
        assert row["network"] == "64-8-10"
        for name, value in point["accuracy"].items():
            assert float(row[f"accuracy_{name}"]) == value
        for name in ("bits_per_weight", "entropy", "density", "cycles", "utilisation", "seconds"):
            assert float(row[name]) == point[name]
        assert row["formats"].split() == [layer["format"] for layer in point["layers"]]


def test_the_plot_is_a_picture(swept):
    folder, _, _ = swept
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_json_and_csv_are_written(swept, monkeypatch):
    folder, report, _ = swept
    (folder / "sweep.png").unlink()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    grid = ("--gamma", "0.1", "--seeds", "0,1", "--config", "tiny")
    _, err = call("digits", *QUICK, *grid, "-o", folder, code=1)
    assert "  2 of 2 points were there already" in err
    assert err.endswith("error: plots need matplotlib: pip install 'fantastic4[plot]'\n")
    assert json.loads((folder / "sweep.json").read_text())["points"] == report["points"][:2]
    assert len((folder / "sweep.csv").read_text().splitlines()) == 3
    assert not (folder / "sweep.png").exists()


def test_objectives_are_compared_and_layers_kept_wide(tmp_path):
    varied = ("--objective", "entropy,stored", "--wide-layers", "2", "--gamma", "0.3")
    out, _ = call("digits", *QUICK, *varied, "--seeds", 0, "-o", tmp_path, "--json")
    report = json.loads(out)
    assert [row["series"] for row in report["means"]] == ["ec4t", "ec4t stored"]
    assert [p["training"]["wide_layers"] for p in report["points"]] == [[2], [2]]
    assert all(p["layers"][1]["entropy"] > 4 for p in report["points"])
    assert len(list((tmp_path / "float").iterdir())) == 1


def test_a_killed_sweep_loses_only_what_was_under_way(tmp_path):
    args = ("digits", *QUICK[:2], "--epochs", 12, "--float-epochs", 1, "--gamma", "0.1,0.2,0.3,0.4")
    args = (*args, "--seeds", "0", "--jobs", 1, "-o", tmp_path, "--json")
    with begun(*args) as process:
        one_finished(tmp_path)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    before = {x: (x.stat().st_mtime_ns, x.read_bytes()) for x in tmp_path.glob("points/*.json")}
    assert 1 <= len(before) < 4
    assert not (tmp_path / "sweep.json").exists()

    out, err = call(*args)
    assert f"  {len(before)} of 4 points were there already" in err
    assert len(list(tmp_path.glob("points/*.json"))) == 4
    assert {x: (x.stat().st_mtime_ns, x.read_bytes()) for x in before} == before
    again, _ = call(*args)
    assert again == out
    assert [p["training"]["gamma"] for p in json.loads(out)["points"]] == [0.1, 0.2, 0.3, 0.4]


def test_an_interrupt_ends_a_sweep_with_130(tmp_path):
    args = ("digits", *QUICK[:2], "--epochs", 100000, "--gamma", 0.1, "--jobs", 1)
    args = (*args, "-o", tmp_path, "--json")
    with begun(*args) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "3 points" in process.stderr.readline()
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "interrupted\n"
        assert process.stdout.read() == ""
    assert list(tmp_path.glob("points/*")) == []


@pytest.fixture
def small_preset(monkeypatch) -> None:
    """Make the preset one tiny network."""
    goals = (Goal(99.0, below_float=100.0), Goal(0.01, accuracy=50.0))
    curves = (Curve("ec4t", (0.1, 0.3)), Curve("int4"), Curve("int4", hidden=((4,),)))
    task = Task("digits", (8,), "tiny", goals, curves, seeds=(0,))
    monkeypatch.setattr(preset, "RESULTS", (task,))
    monkeypatch.setitem(DEFAULTS, "digits", {"epochs": 2, "float_epochs": 1})


@pytest.mark.usefixtures("small_preset")
def test_the_preset_renews_the_documents(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "results.md").write_text("a\n<!-- table: goals -->\nstale\n<!-- end -->\nb\n")
    old = {"network": [1, 2], "rows": []}
    (docs / "results.json").write_text(json.dumps({"networks": {"mine": old}}))
    args = ("--preset", "results", "--only", "digits", "--docs", docs, "-o", tmp_path / "x")
    args = (*args, "--jobs", 1)
    report = json.loads(call(*args, "--json")[0])
    assert {p["config"] for p in report["points"]} == {"tiny"}
    baseline = report["points"][0]
    assert baseline["series"] == "float"
    assert (baseline["training"]["float_epochs"], baseline["training"]["epochs"]) == (3, 1)
    networks = json.loads((docs / "results.json").read_text())["networks"]
    assert networks["mine"] == old
    assert networks["digits"]["network"] == [64, 8, 10]
    rows = [row | {"on_front": True} for row in networks["digits"]["rows"]]
    assert rows == [row | {"on_front": True} for row in report["means"]]
    assert networks["digits"]["platforms"] == [baseline["platform"]]
    text = (docs / "results.md").read_text()
    assert "stale" not in text
    assert "| digits | 99.000 |" in text
    assert text.count(" yes |") == 1
    assert text.count(" no |") == 1
    assert (docs / "results.png").read_bytes().startswith(b"\x89PNG")

    before = {x: x.read_bytes() for x in docs.glob("results.[jm]*")}
    out, err = call(*args)
    assert "points were there already" in err
    assert "Means over seeds" in out
    assert {x: x.read_bytes() for x in before} == before
    report = json.loads(call(*args, "--method", "int4", "--json")[0])
    assert [row["network"] for row in report["means"]] == [[64, 8, 10], [64, 4, 10]]
    assert {x: x.read_bytes() for x in before} == before


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "name either a data set or a --preset"),
        (["digits", "--preset", "results"], "name either a data set or a --preset"),
        (["--preset", "paper"], "'paper' is not"),
        (["--preset", "results", "--gamma", "0.1"], "--gamma does not go with a --preset"),
        (["--preset", "results", "--float-epochs", "1"], "--float-epochs does not go with"),
        (["digits", "--only", "digits"], "--only does not go with a data set"),
        (["digits", "--docs", "docs"], "--docs does not go with a data set"),
        (["digits", "--gamma", "0.1,2"], "--gamma must be numbers 0..1 and commas, not '0.1,2'"),
        (["digits", "--gamma", "nan"], "--gamma must be numbers 0..1"),
        (["digits", "--gamma", ""], "--gamma must be numbers 0..1"),
        (["digits", "--values", "0"], "--values must be numbers 1..15"),
        (["digits", "--values", "2.5"], "--values must be numbers 1..15"),
        (["digits", "--seeds", "-1"], "--seeds must be numbers 0..2147483648"),
        (["digits", "--hidden", "8", "--hidden", "5000"], "widths must be numbers 1..4096"),
        (["digits", "--jobs", "0"], "--jobs"),
        (["digits", "--epochs", "0"], "--epochs"),
    ],
)
def test_wrong_use(args, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = call(*args, code=2)
    assert out == ""
    assert text in " ".join(err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["digits", "--config", "huge"], "there is no configuration 'huge'"),
        (
            ["digits", "--method", "ec4t,ec5t"],
            "method must be one of ec4t, ec2t, ecqx, int4, not 'ec5t'",
        ),
        (["nonsense"], "there is no data set 'nonsense'"),
        (["--preset", "results", "--only", "mnist,moons"], "the preset has no data set 'moons'"),
    ],
)
def test_what_does_not_exist_is_one_message(args, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = call(*args, code=1)
    assert out == ""
    assert err.startswith(f"error: {text}")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
