# SPDX-License-Identifier: Apache-2.0
"""What parts of a core cost in cells after synthesis; `fantastic4_hw.flow` does more than that."""

import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path

from amaranth.lib import wiring

from fantastic4.config import BASE
from fantastic4.errors import FantasticError
from fantastic4_hw.engine import Engine
from fantastic4_hw.feed import EngineFeed
from fantastic4_hw.flow.netlist import cells_in
from fantastic4_hw.flow.targets import TECHNOLOGIES
from fantastic4_hw.flow.tools import find_tool
from fantastic4_hw.flow.yosys import MODULE, run_synthesis
from fantastic4_hw.verilog import convert

TARGETS = ("ecp5", "xc7")
"""Technologies that the documents compare."""


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
    return find_tool("yosys")


def synthesise(component: wiring.Component, target: str, family: str | None = None) -> Cells:
    """Return what ``component`` costs on ``target``, with the cells of ``family``: by default its.

    Raises
    ------
    FantasticError
        If the target is unknown, yosys is missing, or yosys fails.
    """
    if target not in TECHNOLOGIES:
        raise FantasticError(f"target must be one of {', '.join(TECHNOLOGIES)}, not {target!r}")
    with tempfile.TemporaryDirectory(prefix="fantastic4-") as folder:
        netlist = run_synthesis(convert(component, MODULE, family or target), target, Path(folder))
    cells, kinds = cells_in(netlist, MODULE), TECHNOLOGIES[target]
    return Cells(**{field.name: kinds.count(cells, field.name) for field in fields(Cells)})


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
