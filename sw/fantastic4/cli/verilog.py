# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 verilog``: a core as Verilog."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fantastic4.cli.common import ConfigName, Json, Output, facts
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 verilog --config base -o build/verilog",
    "fantastic4 verilog --config base --family ecp5",
)


class FamilyName(StrEnum):
    """Whose cells the Verilog may have."""

    GENERIC = "generic"
    ECP5 = "ecp5"
    ICE40 = "ice40"
    XC7 = "xc7"


def command(
    config: ConfigName = "base",
    family: Annotated[
        FamilyName,
        typer.Option(
            help="generic: plain Verilog for any tool; ecp5, ice40, xc7: with cells of that family "
            "for adders, and for multipliers and memories where synthesis does worse."
        ),
    ] = FamilyName.GENERIC,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write into.", metavar="DIR")
    ] = Path("build/verilog"),
    as_json: Json = False,
) -> None:
    """Write a core as Verilog-2005, and a JSON of its ports, geometry and latencies."""
    from fantastic4_hw.verilog import write_verilog

    cfg = find_config(config)
    out = Output(as_json)
    with out.progress(f"writing the Verilog of {cfg.name}", total=None):
        verilog = write_verilog(cfg, output, family.value)
    description = verilog.with_suffix(".json")
    record = {
        "config": cfg.name,
        "family": family.value,
        "verilog": str(verilog),
        "description": str(description),
        "lines": verilog.read_text().count("\n"),
    }
    ports = json.loads(description.read_text())
    out.emit({**record, "core": ports}, facts(f"Core {cfg.name}", record))
