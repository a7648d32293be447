# SPDX-License-Identifier: Apache-2.0
"""A cocotb bench on generated Verilog, as an ordinary pytest test."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from cocotb_tools import config as cocotb_config
from cocotb_tools.runner import get_runner

from fantastic4.errors import SimulationError
from fantastic4.golden import Result
from fantastic4_sim.toolchain import compile_model

CONTROL_FILE = '`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n'
"""Makes the ports of the top module visible, and nothing below it: the model is several times
faster than with every signal public."""


def run_cocotb(
    source: Any,
    name: str,
    bench: str,
    build_dir: Path,
    *,
    simulator: str = "verilator",
    env: Mapping[str, str] | None = None,
    test: str | None = None,
) -> None:
    """Simulate a design under a cocotb bench; return if all its tests pass.

    Parameters
    ----------
    source : amaranth Component or pathlib.Path
        What to simulate; a path is that of Verilog.
    name : str
        Top module.
    bench : str
        Module with the cocotb tests, such as ``"fantastic4_sim.benches.core"``.
    build_dir : pathlib.Path
        For Verilog, model, log and results; nothing else may use it at the same time.
    simulator : str
        ``"verilator"`` or ``"icarus"``.
    env : mapping of str to str, optional
        What the bench finds in its environment. ``COCOTB_RANDOM_SEED`` is 1 unless given here.
    test : str, optional
        Run only this test of the bench.

    Raises
    ------
    AssertionError
        If a test fails or none ran; names the tests and what they said.
    SimulationError
        If the model cannot be built or the simulator dies.
    """
    build_dir.mkdir(parents=True, exist_ok=True)
    verilog = source if isinstance(source, Path) else _write(source, name, build_dir)
    if simulator == "verilator":
        _verilate(verilog, name, build_dir)
    elif simulator == "icarus":
        _compile_icarus(verilog, name, build_dir)
    else:
        raise SimulationError(f"simulator must be verilator or icarus, not {simulator!r}")

    log, results = build_dir / "bench.log", build_dir / "results.xml"
    results.unlink(missing_ok=True)
    try:
        get_runner(simulator).test(
            test_module=bench,
            hdl_toplevel=name,
            hdl_toplevel_lang="verilog",
            testcase=test,
            build_dir=build_dir,
            test_dir=build_dir,
            results_xml=str(results.resolve()),
            log_file=log,
            extra_env={"COCOTB_RANDOM_SEED": "1", **(env or {})},
        )
    except (SystemExit, RuntimeError) as error:
        if not results.is_file():
            tail = "\n".join(log.read_text().splitlines()[-20:]) if log.is_file() else str(error)
            raise SimulationError(f"{bench} on {name}: the simulator died:\n{tail}") from None
    judge(results, f"{bench} on {name}", log)


def core_job(
    folder: Path, image: bytes, inputs: np.ndarray, expected: Result, pause: float = 0.0
) -> dict[str, str]:
    """Write what ``benches.core`` reads into ``folder``; return the environment it needs.

    Parameters
    ----------
    folder : pathlib.Path
    image : bytes
    inputs : numpy.ndarray
        uint8 ``(n, in_features)``.
    expected : fantastic4.golden.Result
    pause : float
        Probability with which each stream pauses, each clock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image").write_bytes(image)
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "outputs.npy", expected.outputs)
    np.save(folder / "best.npy", expected.best)
    return {"F4_JOB": str(folder.resolve()), "F4_PAUSE": str(pause)}


def judge(results: Path, what: str, log: Path) -> None:
    """Raise ``AssertionError`` unless the results are of at least one test and all passed."""
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failures = [
        f"{case.get('name')}: {item.text or item.get('message')}".strip()
        for case in cases
        for item in case
        if item.tag in ("failure", "error")
    ]
    ran = [case for case in cases if case.find("skipped") is None]
    assert ran, f"{what}: no test ran (log: {log})"
    assert not failures, "\n".join([f"{what} (log: {log})", *failures])


def _write(component: Any, name: str, folder: Path) -> Path:
    from fantastic4_hw.verilog import convert

    path = folder / f"{name}.v"
    path.write_text(convert(component, name))
    return path


def _verilate(verilog: Path, top: str, folder: Path) -> None:
    """Compile to the executable that cocotb's runner expects in its build folder."""
    control = folder / "ports.vlt"
    control.write_text(CONTROL_FILE.format(top=top))
    share, libraries = cocotb_config.share_dir, cocotb_config.libs_dir
    model = compile_model(
        [control, verilog, share / "lib" / "verilator" / "verilator.cpp"],
        top,
        folder / "verilated",
        options=[
            *("--vpi", "--no-timing", "--timescale", "1ns/1ps"),
            *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        ],
        make_options=["OPT_FAST=-O1", "OPT_GLOBAL=-O0"],
    )
    model.replace(folder / top)


def _compile_icarus(verilog: Path, top: str, folder: Path) -> None:
    if shutil.which("iverilog") is None:
        raise SimulationError("icarus is not installed (iverilog not found)")
    get_runner("icarus").build(
        sources=[verilog],
        hdl_toplevel=top,
        build_dir=folder,
        always=True,
        timescale=("1ns", "1ps"),
        log_file=os.fspath(folder / "build.log"),
    )
