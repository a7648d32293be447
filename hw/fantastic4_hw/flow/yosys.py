# SPDX-License-Identifier: Apache-2.0
"""Synthesis with yosys: Verilog to a flat netlist, and the frame around it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fantastic4_hw.flow.harness import TOP, harness, ports_in
from fantastic4_hw.flow.netlist import cut_carries
from fantastic4_hw.flow.targets import PERIOD_PS, SYNTHESIS, Target
from fantastic4_hw.flow.tools import run_tool

MODULE = "top"
"""Name of the module that is synthesised."""

_PASS = re.compile(r"^[\d.]+ Executing (\w+) pass")


def synthesis_script(technology: str) -> str:
    """Return what yosys does with ``top.v``: a flat netlist, for nextpnr and for itself."""
    return "; ".join(
        (
            "read_verilog top.v",
            f"scratchpad -set abc9.D {PERIOD_PS}",
            SYNTHESIS[technology].format(top=MODULE),
            "write_json core.json",
            "write_rtlil core.il",
        )
    )


def frame_script(technology: str) -> str:
    """Return what yosys does to put the netlist, as it is, into the frame of ``harness.v``."""
    command = SYNTHESIS[technology].replace(" -noiopads", "").format(top=TOP)
    return "; ".join(
        (
            "read_verilog harness.v",
            command,
            "read_rtlil -overwrite core.il",
            f"hierarchy -top {TOP}",
            "flatten",
            "opt_clean",
            "write_json framed.json",
        )
    )


def run_synthesis(
    verilog: str, technology: str, folder: Path, told: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Write ``core.json`` and ``core.il`` into ``folder``; return the netlist of the former.

    Raises
    ------
    FantasticError
        If yosys is missing or fails.
    """
    (folder / "top.v").write_text(verilog)
    _yosys(synthesis_script(technology), folder, f"yosys, on {technology},", told)
    netlist = json.loads((folder / "core.json").read_text())
    return _trimmed(netlist, MODULE, technology)


def run_frame(netlist: dict[str, Any], target: Target, folder: Path) -> str:
    """Put the ``core.il`` in ``folder`` into a frame; return that as JSON for nextpnr."""
    (folder / "harness.v").write_text(harness(MODULE, ports_in(netlist, MODULE)))
    _yosys(frame_script(target.technology), folder, f"yosys, for the ports on {target.name},")
    framed = json.loads((folder / "framed.json").read_text())
    return json.dumps(_trimmed(framed, TOP, target.technology))


def _trimmed(netlist: dict[str, Any], module: str, technology: str) -> dict[str, Any]:
    netlist["modules"] = {module: netlist["modules"][module]}  # without the library's black boxes
    if technology == "ecp5":
        cut_carries(netlist, module)
    return netlist


def _yosys(script: str, folder: Path, what: str, told: Callable[[str], None] | None = None) -> None:
    def line(text: str) -> None:
        found = _PASS.match(text)
        if found and told is not None:
            told(found[1].lower())

    run_tool("yosys", ["-p", script], folder, what, line)
