# SPDX-License-Identifier: Apache-2.0
"""The project around the code: documents, Makefile, licence lines."""

import os
import re
import shlex
import shutil
import stat
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from fantastic4.cli import COMMANDS, app, subcommand
from fantastic4.config import ALL_FORMATS, CONFIGS
from fantastic4.version import __version__

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
MAKE = shutil.which("make")


def commands_in(text: str) -> list[str]:
    """Return the lines of code blocks that call the command line."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [x for block in blocks for x in block.splitlines() if x.startswith("fantastic4 ")]


def written_commands() -> list[str]:
    found = [x for document in DOCUMENTS for x in commands_in(document.read_text())]
    for name in COMMANDS:
        found += import_module(f"fantastic4.cli.{name}").EXAMPLES
    return sorted(set(found))


@pytest.mark.parametrize("line", written_commands())
def test_written_commands_parse(line):
    _, name, *args = shlex.split(line, comments=True)
    command = subcommand(name)
    context = command.make_context(name, args)
    config = context.params.get("config")
    assert config is None or config in CONFIGS or config.endswith(".json")


def test_documents_name_commands():
    assert app.info.name == "fantastic4"
    assert len([x for x in commands_in((ROOT / "README.md").read_text()) if x]) >= 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [x for x in targets if not x.startswith("http")]
    missing = [x for x in local if not (document.parent / x).exists()]
    assert missing == []


def test_readme_lists_every_core_as_it_is():
    rows = (ROOT / "README.md").read_text().splitlines()
    for cfg in CONFIGS.values():
        (row,) = [x for x in rows if x.startswith(f"| `{cfg.name}` |")]
        cells = [x.strip() for x in row.split("|")]
        cores = f" × {cfg.cores}" if cfg.cores > 1 else ""
        assert cells[2] == f"{cfg.lanes} × {cfg.engines}{cores}"
        sizes = (cfg.dense_weights, cfg.max_inputs, cfg.max_hidden)
        assert cells[3:6] == [f"{size:,}" for size in sizes]
        formats = "all" if cfg.formats == ALL_FORMATS else ", ".join(cfg.formats)
        assert cells[6:8] == [str(cfg.bank_lanes), formats]


def test_changelog_knows_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_source_file_names_its_licence():
    folders = ("sw", "hw", "sim", "tests")
    files = [x for folder in folders for x in (ROOT / folder).rglob("*.py")]
    line = "# SPDX-License-Identifier: Apache-2.0"
    assert [x.name for x in files if not x.read_text().startswith(line)] == []


def test_ci_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make test"
    assert "|| true" not in script.read_text()


def make(*args: str, folder: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    assert MAKE
    ours = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # of the make that runs these tests
    kept = {key: x for key, x in os.environ.items() if key not in ours}
    environment = kept if path is None else {**kept, "PATH": path}
    command = [MAKE, *args]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """Return a folder with the Makefile and nothing that was set up."""
    if MAKE is None:
        pytest.skip("no make")
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def python_that(folder: Path, failing: str) -> str:
    """Return a python3 that fails when its program text contains ``failing``."""
    path = folder / "python3"
    path.write_text(f'#!/bin/sh\ncase "$*" in *{failing}*) exit 1;; -V) echo Python 3.9.9;; esac\n')
    path.chmod(0o755)
    return str(path)


def test_make_run_and_make_test_do_what_they_say(elsewhere):
    run = make("-n", "run", folder=elsewhere).stdout
    assert run.rstrip().endswith(".venv/bin/fantastic4 demo")
    assert run.index("torch==2.13.0") < run.index("--editable '.[train,sim]'")
    test = make("-n", "test", folder=elsewhere).stdout
    for what in ("ruff check", "ruff format --check", "pyright", "pytest -n auto"):
        assert f".venv/bin/{what}" in test.replace("python -m ", "")
    assert test.count("--constraint .venv/torch.txt") == 2


def test_make_verilog_writes_every_core(elsewhere):
    said = make("-n", "verilog", folder=elsewhere).stdout
    assert f"for config in {' '.join(CONFIGS)}; do" in said


def test_make_paper_runs_what_a_usual_run_leaves_out(elsewhere):
    assert make("-n", "paper", folder=elsewhere).stdout.rstrip().endswith("pytest -m paper")
    assert "not paper" in (ROOT / "pyproject.toml").read_text()


def test_make_formats_measures_into_the_documents(elsewhere):
    said = make("-n", "formats", folder=elsewhere).stdout
    assert said.rstrip().endswith("fantastic4 formats --synth -o docs")


def test_make_results_renews_the_documents(elsewhere):
    said = make("-n", "results", folder=elsewhere).stdout.rstrip()
    assert said.endswith("fantastic4 sweep --preset results -o build/results --docs docs")


def test_make_bench_renews_the_documents(elsewhere):
    said = make("-n", "bench", folder=elsewhere).stdout
    assert said.rstrip().endswith("fantastic4 bench --reroute dense -o docs")


def test_make_setup_twice_does_nothing_the_second_time(elsewhere):
    (elsewhere / ".venv").mkdir()
    for stamp in (".python", "torch.txt", ".setup", ".dev"):
        (elsewhere / ".venv" / stamp).touch()
    assert "Nothing to be done" in make("setup", folder=elsewhere).stdout
    (elsewhere / "pyproject.toml").touch()
    again = make("-n", "setup", folder=elsewhere).stdout
    assert "--editable" in again
    assert "install torch" not in again


def test_make_lets_the_user_choose_pytorch(elsewhere):
    said = make("-n", "setup", "TORCH=torch==9.9", folder=elsewhere).stdout
    assert "torch==9.9" in said
    assert "2.13" not in said


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("version_info", "needs Python 3.11 or newer"),
        ("ensurepip", "cannot make virtual environments: sudo apt-get install python3-venv"),
    ],
)
def test_make_says_what_python_lacks(failing, message, elsewhere):
    python = python_that(elsewhere, failing)
    done = make("setup", f"PYTHON={python}", folder=elsewhere)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (elsewhere / ".venv").exists()


def test_make_says_that_there_is_no_python(elsewhere):
    done = make("setup", "PYTHON=no-such-python", folder=elsewhere)
    assert done.returncode == 2
    assert "there is no no-such-python: sudo apt-get install python3" in done.stderr


def test_make_test_names_missing_tools(elsewhere, tmp_path):
    done = make("tools", folder=elsewhere, path=str(tmp_path))
    assert done.returncode == 2
    assert "make test needs g++ make perl: sudo apt-get install g++ make perl" in done.stderr
