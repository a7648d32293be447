# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 train``: its options, its report, stopped and resumed."""

import io
import json
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from fantastic4 import modelfile
from fantastic4.cli import app
from fantastic4.cli.common import Output
from fantastic4.cli.train import MethodName, Objective
from fantastic4.cli.trainbars import Several, TrainingBars, shown_training
from fantastic4.methods import METHODS, OBJECTIVES
from fantastic4.train import TrainConfig, loop

SHORT = ("train", "digits", "--hidden", "16", "--float-epochs", "2", "--epochs", "3")


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


def test_the_command_knows_every_method():
    assert {name.value for name in MethodName} == set(METHODS)
    assert {name.value for name in Objective} == set(OBJECTIVES)


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


def test_wide_layers_and_their_bits(tmp_path):
    options = ("--wide-layers", "2", "--objective", "stored", "--json")
    out, err = call(*SHORT, *options, "-o", tmp_path)
    record = json.loads(out)
    network = modelfile.load(tmp_path / "model.safetensors")
    assert [layer.planes for layer in network.layers] == [1, 2]
    assert record["training"]["objective"] == "stored"
    assert record["training"]["wide_layers"] == [2]
    assert [row["bits"] for row in record["layers"]] == [4, 8]
    steps = network.layers[1].codes[0] + 16 * network.layers[1].codes[1]
    assert record["layers"][1]["zeros"] == (steps == 0).mean()
    assert record["layers"][1]["values"] == len(np.unique(steps[steps > 0])) > 50
    sizes = json.loads((tmp_path / "train.json").read_text())["history"][-1]
    shown = " ".join(f"{layer['bits']:.2f}" for layer in sizes["layers"])
    assert f"size {sizes['bits']:.2f} bits ({shown})" in err


@pytest.mark.parametrize("given", ["3", "x", "1,,2"])
def test_layers_that_are_not_there(given, tmp_path):
    layers = given == "3"
    _, err = call(*SHORT, "--wide-layers", given, "-o", tmp_path, code=1 if layers else 2)
    assert ("or layers of 1..2, not (3,)" if layers else "numbers of layers such as 1,3") in err


def test_logs_are_what_tensorboard_reads(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    call(*SHORT, "--tensorboard", "-o", tmp_path)
    history = json.loads((tmp_path / "train.json").read_text())["history"]
    read = EventAccumulator(str(tmp_path / "logs"))
    read.Reload()
    for name in ("loss", "validation_loss", "accuracy"):
        scalars = read.Scalars(name)
        assert [scalar.step for scalar in scalars] == [1, 2, 3, 4, 5]
        expected = [epoch[name] for epoch in history]
        assert [scalar.value for scalar in scalars] == pytest.approx(expected)
    for name in ("entropy", "sparsity", "bits"):
        scalars = read.Scalars(f"fc2/{name}")
        assert [scalar.step for scalar in scalars] == [3, 4, 5]
        expected = [epoch["layers"][1][name] for epoch in history[2:]]
        assert [scalar.value for scalar in scalars] == pytest.approx(expected)


def test_logs_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    _, err = call(*SHORT, "--tensorboard", "-o", tmp_path, code=1)
    assert "need TensorBoard: pip install 'fantastic4[tensorboard]'" in err
    assert not (tmp_path / "model.safetensors").exists()


def test_layers_are_shown_on_a_terminal():
    out = Output(as_json=False)
    out.err = Console(file=io.StringIO(), force_terminal=True, width=120)
    config = TrainConfig(hidden=(8,), epochs=2, float_epochs=1)
    layer = {"entropy": 1.234, "sparsity": 0.5, "bits": 1.75}
    with shown_training(out, config, None) as progress:
        assert isinstance(progress, Several)
        (bars,) = progress.told
        assert isinstance(bars, TrainingBars)
        progress.batch("entropy", 1, 2, 3, 10)
        metrics = {"loss": 1.0, "accuracy": 0.9, **layer, "layers": [layer, layer]}
        progress.epoch("entropy", 1, 2, metrics)
        assert bars.bar.tasks[0].completed == 3
        text = io.StringIO()
        Console(file=text, width=120).print(bars.live.renderable)
    assert text.getvalue().count("50.00 %") == 3  # the bar's and two layers'
    assert "fc2" in text.getvalue()


def test_table_has_a_row_a_layer(tmp_path):
    out, _ = call(*SHORT, "-o", tmp_path)
    assert "64-16" in out
    assert "16-10" in out


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    whole, _ = call(*SHORT, "-o", tmp_path / "whole", "--json")
    evaluate, left = loop.evaluate, [4]

    def stop(model, x, labels):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return evaluate(model, x, labels)

    monkeypatch.setattr(loop, "evaluate", stop)
    folder = tmp_path / "stopped"
    call(*SHORT, "-o", folder, code=130)
    assert (folder / "checkpoint.pt").exists()
    monkeypatch.undo()
    _, err = call(*SHORT, "--gamma", "0.7", "-o", folder, "--resume", code=1)
    assert "is of another run (gamma 0.35, not 0.7)" in err
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
