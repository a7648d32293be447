# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 train``: its options, its report, stopped and resumed."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from fantastic4 import modelfile
from fantastic4.cli import app
from fantastic4.cli.train import MethodName
from fantastic4.methods import METHODS
from fantastic4.train import loop

SHORT = ("train", "digits", "--hidden", "16", "--float-epochs", "2", "--epochs", "3")


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


def test_the_command_knows_every_method():
    assert {name.value for name in MethodName} == set(METHODS)


def test_report(tmp_path):
    out, err = call(*SHORT, "--method", "ec2t", "-o", tmp_path, "--json")
    record = json.loads(out)
    network = modelfile.load(tmp_path / "model.safetensors")
    assert record["weights"] == network.weights == 64 * 16 + 16 * 10
    assert record["training"]["method"] == "ec2t"
    assert "by ec2t on 1,437 examples of digits" in err
    zeros = sum(int((layer.codes == 0).sum()) for layer in network.layers)
    assert record["sparsity"] == zeros / network.weights
    assert [row["layer"] for row in record["layers"]] == ["64-16", "16-10"]
    assert all(row["values"] <= 2 for row in record["layers"])
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "train.json"}


def test_table_has_a_row_a_layer(tmp_path):
    out, _ = call(*SHORT, "-o", tmp_path)
    assert "64-16" in out
    assert "16-10" in out


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    whole, _ = call(*SHORT, "-o", tmp_path / "whole", "--json")
    evaluate, left = loop._Run._evaluate, [4]

    def stop(run, x, labels):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return evaluate(run, x, labels)

    monkeypatch.setattr(loop._Run, "_evaluate", stop)
    folder = tmp_path / "stopped"
    call(*SHORT, "-o", folder, code=130)
    assert (folder / "checkpoint.pt").exists()
    monkeypatch.undo()
    _, err = call(*SHORT, "--gamma", "0.7", "-o", folder, "--resume", code=1)
    assert "is of another run (gamma 0.2, not 0.7)" in err
    resumed, err = call(*SHORT, "-o", folder, "--resume", "--json")
    assert f"continuing from {folder}/checkpoint.pt" in err
    a, b = json.loads(whole), json.loads(resumed)
    assert a.pop("model") != b.pop("model")
    assert a == b
    models = [tmp_path / name / "model.safetensors" for name in ("whole", "stopped")]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert not (folder / "checkpoint.pt").exists()


def test_a_stopped_run_is_replaced_with_a_note(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"old")
    _, err = call(*SHORT, "-o", tmp_path)
    assert "checkpoint.pt, a stopped run, is replaced; --resume would continue it" in err
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("option", [("--method", "int8"), ("--distill", "2"), ("--gamma", "-1")])
def test_out_of_range(option):
    _, err = call("train", "digits", *option, code=2)
    assert option[0] in err
