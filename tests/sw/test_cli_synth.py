# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 synth``: what it prints, writes and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fantastic4.cli import app
from fantastic4.cli.synth import TARGET_NAMES
from fantastic4_hw.flow.targets import TARGETS
from fantastic4_hw.flow.tools import has_tool


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["synth", *(str(x) for x in args)], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    if not has_tool("yosys") or not has_tool("nextpnr-ecp5"):
        pytest.skip("no yosys and nextpnr-ecp5 here")
    return tmp_path_factory.mktemp("synth")


ENGINE = ("--config", "tiny", "--target", "ecp5-25k", "--top", "engine")


@pytest.mark.synth
def test_routes_and_writes_the_record(folder):
    out, err = call(*ENGINE, "--seeds", "3", "--freq", 90, "-o", folder, "--json")
    record = json.loads(out)
    path = folder / "tiny-engine-ecp5-25k.json"
    assert json.loads(path.read_text()) == record
    assert record["config"] == "tiny"
    assert record["parameters"]["lanes"] == record["lanes"] == 4
    assert record["fmax_mhz"]["asked"] == 90
    assert record["fmax_mhz"]["seeds"].keys() == {"3"}
    lines = err.splitlines()
    assert lines[0] == "synthesis: elaborating"
    assert [x.partition(" after")[0] for x in lines if "done" in x] == [
        "synthesis: done",
        "seed 3: done",
    ]
    assert {"synthesis: packing", "seed 3: placing", "seed 3: routing"} <= set(lines)
    assert lines[-1] == f"wrote {path}"

    out, _ = call(*ENGINE, "--seeds", "3", "--freq", 90, "-o", folder)
    assert "tiny, engine, on ecp5-25k" in out
    assert "Of the chip" in out
    assert "tree_3" in out


@pytest.mark.synth
def test_settings_and_the_budget(folder, tmp_path):
    (tmp_path / "budget.toml").write_text(
        '[[promise]]\nconfig = "tiny"\ntarget = "ecp5-25k"\ntop = "engine"\nluts = 9\nffs = 180\n'
    )
    check = ("--no-route", "-o", folder, "--check", "--budget", tmp_path / "budget.toml")
    out, err = call(*ENGINE, *check, "--json", code=1)
    luts = json.loads(out)["luts"]
    line = f"error: tiny, engine, on ecp5-25k: luts must be at most 9, not {luts}"
    assert err.splitlines()[-1] == line
    text = (tmp_path / "budget.toml").read_text().replace("luts = 9", f"luts = {luts}")
    (tmp_path / "budget.toml").write_text(text)
    _, err = call(*ENGINE, *check)
    assert err.splitlines()[-1] == "the budget is kept"
    _, err = call(*ENGINE, *check, "--set", "lanes=8", code=1)
    assert "no promise for tiny,lanes=8, engine, on ecp5-25k" in err
    out, _ = call(
        *ENGINE,
        "--no-route",
        "-o",
        folder,
        "--set",
        "lanes=2",
        "--set",
        "bank_lanes=2",
        "--set",
        "formats=dense",
        "--json",
    )
    record = json.loads(out)
    assert record["lanes"] == 2
    assert record["ffs"] < 180
    assert record["fmax_mhz"] is None


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--target", "ecp6"], 1, "there is no target 'ecp6'; choose one of ecp5-25k"),
        (["--config", "huge"], 1, "there is no configuration 'huge'"),
        (["--config", "huge.json"], 1, "huge.json: there is no such file"),
        (
            ["--top", "lane"],
            1,
            "--top must be one of core, bytes, engine, decoders, mac, not 'lane'",
        ),
        (["--set", "lanes=65"], 1, "config base with lanes=65: lanes must be a multiple"),
        (["--seeds", "1,1"], 2, "must be different numbers and commas"),
        (["--seeds", "one"], 2, "must be different numbers and commas"),
        (["--check", "--budget", "none.toml"], 1, "none.toml: there is no such file"),
    ],
)
def test_errors_are_one_line(args, code, message):
    _, err = call(*args, code=code)
    assert message in err
    if code == 1:
        assert len(err.splitlines()) == 1


def test_help_names_every_target():
    assert ", ".join(TARGETS) == TARGET_NAMES
