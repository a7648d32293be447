# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 plan``: its record, its file, its messages."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fantastic4.cli import app
from fantastic4.cli.plan import CHIP_NAMES, parse_latency
from fantastic4.config import find_config
from fantastic4.plan import CHIPS

MODEL = Path(__file__).parents[1] / "models" / "gsc12.safetensors"


def call(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["plan", *args], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_plan_of_a_speech_model_within_five_seconds(tmp_path):
    """MLP-GSC on ECP5-25; processor time, as a machine may be busy."""
    path = tmp_path / "build" / "plan.json"
    begin = time.process_time()
    code, out, _ = call(str(MODEL), "--target", "ecp5-25k", "-o", str(path), "--json")
    assert time.process_time() - begin < 5
    assert code == 0
    record = json.loads(out)
    assert record["target"] == "ecp5-25k"
    assert record["considered"] > 500
    for name, use in record["resources"].items():
        share = 0.85 if name in ("luts", "ffs") else 1
        assert 0 < use["used"] <= share * use["available"]
    assert record["resources"]["multipliers"]["used"] == 4
    assert record["latency_us"] == pytest.approx(
        record["latency_cycles"] / record["mhz"], abs=0.001
    )
    assert record["limits"]

    # The file is what --config takes, and the core it describes holds the model.
    cfg = find_config(str(path))
    assert (cfg.lanes, cfg.name) == (record["config"]["lanes"], record["config"]["name"])
    image = tmp_path / "x.f4"
    packed = CliRunner().invoke(
        app, ["pack", str(MODEL), "--config", str(path), "-o", str(image), "--json"]
    )
    assert packed.exit_code == 0
    assert json.loads(packed.stdout)["formats"] == record["formats"]


def test_tables_say_what_limits_and_what_is_estimated():
    code, out, _ = call("40-20-4", "--target", "ecp5-25k", "--latency", "100us")
    assert code == 0
    for text in ("limited by", "clock, estimated", "estimated", "exactly", "block rams"):
        assert text in out


def test_what_does_not_fit_is_one_line():
    code, out, err = call("3000-3000-10", "--target", "ecp5-25k", "--values", "15", "--json")
    assert code == 1
    assert err.startswith("error: the network does not fit ecp5-25k: ")
    assert err.count("\n") == 1
    assert json.loads(out) == {"error": err[len("error: ") : -1]}


def test_unknown_target_and_file():
    assert "choose one of ecp5-25k" in call("4-4", "--target", "abacus")[2]
    code, _, err = call("none.safetensors", "--target", "ecp5-25k")
    assert code == 1
    assert "none.safetensors" in err
    assert ", ".join(CHIPS) == CHIP_NAMES


@pytest.mark.parametrize(
    ("text", "microseconds"), [("50us", 50), ("17.5 µs", 17.5), ("0.1ms", 100), ("800ns", 0.8)]
)
def test_latency_has_a_unit(text, microseconds):
    assert parse_latency(text) == pytest.approx(microseconds)


@pytest.mark.parametrize("text", ["50", "us", "0us", "-3us", "50 seconds"])
def test_what_is_no_latency(text):
    code, _, err = call("4-4", "--target", "ecp5-25k", f"--latency={text}")
    assert code == 2
    assert "must be a time with its unit" in err


def test_nothing_of_the_hardware_is_imported():
    """A plan needs neither Amaranth nor a tool of the flow."""
    code = (
        "import sys\n"
        "from fantastic4.cli import app\n"
        "try:\n"
        "    app(['plan', '20-8-4', '--target', 'ecp5-25k', '--json'])\n"
        "finally:\n"
        "    print(sorted({'amaranth', 'fantastic4_hw', 'torch'} & set(sys.modules)), "
        "file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.endswith("[]\n")
