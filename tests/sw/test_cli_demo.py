# SPDX-License-Identifier: Apache-2.0
"""demo and run on the simulated core: what they report, leave behind and end with."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fantastic4 import cost, data, golden, modelfile
from fantastic4.cli import app
from fantastic4.config import TINY
from fantastic4.network import InputQuant, Network
from fantastic4.pack import pack, read_image, unpack
from fantastic4.randomnet import random_network
from fantastic4.timing import timing
from fantastic4_sim import device
from fantastic4_sim.toolchain import missing_tools

QUICK = ("--hidden", "12", "--epochs", "2", "--float-epochs", "1", "--config", "tiny")

KEYS = {
    *("accuracy", "inputs", "mismatches", "bits_per_weight", "entropy"),
    *("cycles", "cycles_predicted", "utilisation", "config", "dataset", "engine"),
}


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@pytest.fixture
def network(rng) -> Network:
    """Return a random network that takes the inputs of digits."""
    drawn = random_network(rng, [64, 12, 10])
    quant = InputQuant(gain=np.array([255 / 16]), offset=np.zeros(1))
    return replace(drawn, quant=quant, metadata={"dataset": "digits"})


@pytest.fixture
def image(network, tmp_path) -> Path:
    path = tmp_path / "tiny.f4"
    path.write_bytes(pack(network, TINY))
    return path


def test_demo_reports_what_it_did_and_leaves_it(tmp_path):
    folder = tmp_path / "demo"
    out, err = call("demo", *QUICK, "--limit", 4, "--engine", "amaranth", "-o", folder, "--json")
    record = json.loads(out)
    assert record.keys() >= KEYS
    assert record["accuracy"].keys() == {"float", "golden", "rtl"}
    assert record["accuracy"]["rtl"] == record["accuracy"]["golden"]
    assert (record["inputs"], record["mismatches"]) == (4, 0)
    assert record["engine"] == "amaranth"
    assert "4 inputs on amaranth" in err

    raw = (folder / "model_tiny.f4").read_bytes()
    image = read_image(raw, TINY)
    network = unpack(image)
    digits = data.load("digits")
    expected = golden.predict(network, network.quant(digits.x_test[:4]))
    assert record["accuracy"]["golden"] == (expected.best == digits.y_test[:4]).mean()
    assert record["bits_per_weight"] == cost.bits_per_weight(cost.storage(image))
    assert record["entropy"] == cost.network_entropy(network)
    predicted = timing(image, TINY)
    assert record["cycles"] == record["cycles_predicted"] == predicted.cycles
    assert record["utilisation"] == predicted.utilisation

    assert json.loads((folder / "summary.json").read_text()) == record
    assert all(Path(path).is_file() for path in record["files"].values())
    model = modelfile.load(folder / "model.safetensors")
    assert model.metadata["accuracy"]["float"] == record["accuracy"]["float"]
    trained = json.loads((folder / "train.json").read_text())
    assert trained["accuracy"]["float"] == record["accuracy"]["float"]
    assert len(trained["history"]) == 3
    ports = json.loads((folder / "fantastic4_tiny.json").read_text())
    assert ports["config"] == "tiny"
    assert "endmodule" in (folder / "fantastic4_tiny.v").read_text()


def test_without_a_compiler_the_core_runs_in_python_and_says_so(image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("g++") is None
    out, err = call("run", image, "--on", "rtl", "--limit", 2, "--json")
    record = json.loads(out)
    assert (record["engine"], record["mismatches"]) == ("amaranth", 0)
    assert "g++" in err
    assert "slow" in err


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_tools()), reason="no C++ compiler")
def test_run_on_the_compiled_core(image):
    out, _ = call("run", image, "--on", "rtl", "--engine", "verilator", "--json")
    record = json.loads(out)
    assert record.keys() >= KEYS
    assert (record["inputs"], record["mismatches"]) == (360, 0)
    assert record["cycles"] == record["cycles_predicted"]

    stalled = ["--on", "rtl", "--limit", 30, "--stall", 0.4, "--seed", 3]
    out, _ = call("run", image, *stalled)
    rows = dict(line.rsplit(maxsplit=1) for line in out.splitlines() if "mismatches" in line)
    assert [*rows.values()] == ["0"]


class Faulty:
    """A device of which one logit of one input is wrong, the arg-max right."""

    engine = "amaranth"
    note = "a faulty core"

    def __init__(self, cfg, **settings):
        self.settings = settings

    def predict(self, image, x, progress):
        network = unpack(read_image(image))
        found = golden.predict(network, x)
        outputs = found.outputs.copy()
        outputs[1, outputs[1].argmin()] -= 1
        ones = np.ones(len(x), np.int64)
        return device.DeviceResult(
            outputs, found.best, 10 * ones, 9 * ones, 0 * ones, 99, self.engine
        )


def test_a_mismatch_is_reported_and_ends_with_1(image, monkeypatch, tmp_path):
    monkeypatch.setattr(device, "open_device", Faulty)
    out, err = call("run", image, "--on", "rtl", "--limit", 5, "--json", code=1)
    record = json.loads(out)
    assert record["mismatches"] == 1
    assert record["accuracy"]["rtl"] == record["accuracy"]["golden"]
    assert record["utilisation"] == 0.9
    assert "differs from the golden model on 1 of 5 inputs" in err
    assert "a faulty core" in err

    out, err = call("demo", *QUICK, "--limit", 5, "-o", tmp_path, code=1)
    assert "differs from the golden model on 1 of 5 inputs" in err
    assert json.loads((tmp_path / "summary.json").read_text())["mismatches"] == 1


def test_train_reports_and_writes(tmp_path):
    args = ["train", "digits", "--hidden", "8", "--epochs", 2, "--float-epochs", 1, "--seed", 5]
    out, err = call(*args, "-o", tmp_path / "a", "--json")
    record = json.loads(out)
    assert record["accuracy"].keys() == {"float", "quantised", "validation"}
    assert record["weights"] == 64 * 8 + 8 * 10
    assert record["training"]["seed"] == 5
    assert "training 64-8-10" in err
    model = modelfile.load(tmp_path / "a" / "model.safetensors")
    assert record["entropy"] == cost.network_entropy(model)

    out, _ = call(*args, "-o", tmp_path / "b")
    assert "accuracy, 4-bit" in out
    written = [(tmp_path / x / "model.safetensors").read_bytes() for x in "ab"]
    assert written[0] == written[1]


def test_verilog_writes_core_and_description(tmp_path):
    out, _ = call("verilog", "--config", "tiny", "-o", tmp_path / "v", "--json")
    record = json.loads(out)
    assert record["config"] == "tiny"
    assert Path(record["verilog"]).read_text().count("endmodule") > 1
    assert json.loads(Path(record["description"]).read_text()) == record["core"]
    assert record["core"]["geometry"]["lanes"] == 4
    assert record["family"] == "generic"
    out, _ = call("verilog", "--config", "tiny", "--family", "xc7", "-o", tmp_path / "x", "--json")
    assert "LUT6_2" in Path(json.loads(out)["verilog"]).read_text()
    out, _ = call("verilog", "--config", "tiny", "-o", tmp_path / "v")
    assert "fantastic4_tiny.v" in "".join(out.split())
