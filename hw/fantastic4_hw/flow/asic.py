# SPDX-License-Identifier: Apache-2.0
"""Area, delay and power of a component in standard cells, from a liberty file and one script."""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fantastic4.errors import FantasticError
from fantastic4_hw.flow.cache import Cache, key_of
from fantastic4_hw.flow.netlist import cells_in
from fantastic4_hw.flow.record import Asic, Record
from fantastic4_hw.flow.tools import has_tool, run_tool, version_of
from fantastic4_hw.flow.yosys import MODULE

LIBERTY = "cells.lib"
"""Name of the liberty file in the working folder."""

MEMORY = "$mem_v2"
"""Cell of a memory: kept as it is, and its bits counted."""

PERIOD_NS = 10.0
"""Clock period unless the user says otherwise."""

_CELL = re.compile(r'^\s*cell\s*\(\s*"?([\w$]+)"?\s*\)|^\s*(?:ff|ff_bank)\s*\(', re.MULTILINE)
_NAME = re.compile(r'^\s*library\s*\(\s*"?([\w.$-]+)"?\s*\)', re.MULTILINE)
_DELAY = re.compile(r"Delay =\s*([\d.]+) ps")
_SLACK = re.compile(r"worst slack (?:max )?(-?[\d.]+)")
_POWER = re.compile(r"^Total\s+\S+\s+\S+\s+\S+\s+(\S+)", re.MULTILINE)


def asic_script(period_ns: float) -> str:
    """Return what yosys and abc do with ``top.v``: the same for every design and every library."""
    goal = f"-D,{1000 * period_ns:.0f}"
    abc = (
        f"strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9,{goal};topo;"
        f"buffer,-c;upsize,{goal};dnsize,{goal};stime,-p"
    )
    return "\n".join(
        (
            "read_verilog top.v",
            f"hierarchy -check -top {MODULE}",
            "proc; flatten; opt_clean",
            "tee -q -o before.json stat -json",
            f"synth -flatten -top {MODULE} -run begin:fine",
            "opt -fast -full; techmap; opt -fast; simplemap",
            f"dfflibmap -liberty {LIBERTY}",
            "opt -fast; simplemap",
            f"abc -liberty {LIBERTY} -D {1000 * period_ns:.0f} -script +{abc}",
            "opt_clean -purge",
            f"tee -q -o area.json stat -json -liberty {LIBERTY}",
            "write_json mapped.json",
            f"delete t:{MEMORY}",
            "write_verilog -noattr mapped.v",
        )
    )


def sta_script(period_ns: float) -> str:
    """Return what OpenSTA does with the mapped netlist; ideal clock, no wires, activity 0.1."""
    return f"""\
read_liberty {LIBERTY}
read_verilog mapped.v
link_design {MODULE}
create_clock -name clk -period {period_ns:g} [get_ports clk]
set_input_delay 0 -clock clk [all_inputs]
set_output_delay 0 -clock clk [all_outputs]
set_power_activity -global -activity 0.1
report_worst_slack -digits 4
report_power -digits 6
"""


def synthesise_asic(
    verilog: str,
    liberty: Path,
    period_ns: float,
    store: Cache,
    progress: Callable[[str, str], None],
    **said: Any,
) -> Record:
    """Return the record of a design in the cells of ``liberty``; ``said`` is what it says of it.

    Raises
    ------
    FantasticError
        If there is no native yosys, the file is not a liberty file, or a tool fails.
    """
    try:
        library = liberty.read_text(errors="replace")
    except OSError as error:
        raise FantasticError(f"{liberty}: {error.strerror}") from None
    named = _NAME.search(library)
    if named is None:
        raise FantasticError(f"{liberty}: not a liberty file, it has no library (…)")
    timed = has_tool("sta")
    tools = {"yosys": version_of("native-yosys")} | ({"sta": version_of("sta")} if timed else {})
    scripts = [asic_script(period_ns), sta_script(period_ns) if timed else ""]
    key = key_of("asic-1", verilog, library, *scripts, *tools.values())
    found = store.load(key, "asic")
    if found is None:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fantastic4-") as name:
            found = _run(verilog, library, scripts, Path(name), progress)
        found["seconds"] = round(time.monotonic() - begin, 1)
        store.store(key, "asic", found)
    progress("synthesis", "done")
    cells = found["cells"]
    flops = flip_flops(library)
    return Record(
        target=named[1],
        technology="asic",
        device=liberty.name,
        cells=cells,
        ffs=sum(count for name, count in cells.items() if name in flops),
        multipliers=found["multipliers"],
        asic=Asic(period_ns=period_ns, **found["asic"]),
        tools=tools,
        seconds={"synthesis": found["seconds"]},
        **said,
    )


def flip_flops(library: str) -> set[str]:
    """Return the names of a library's cells that are flip-flops."""
    found, cell = set(), ""
    for match in _CELL.finditer(library):
        if match[1]:
            cell = match[1]
        else:
            found.add(cell)
    return found


def _run(
    verilog: str,
    library: str,
    scripts: list[str],
    folder: Path,
    progress: Callable[[str, str], None],
) -> dict[str, Any]:
    (folder / "top.v").write_text(verilog)
    (folder / LIBERTY).write_text(library)
    said: list[str] = []
    progress("synthesis", "mapping")
    (folder / "asic.ys").write_text(scripts[0])
    run_tool("native-yosys", ["asic.ys"], folder, "yosys, for the liberty file,", said.append)
    netlist = json.loads((folder / "mapped.json").read_text())
    before = json.loads((folder / "before.json").read_text())["design"]["num_cells_by_type"]
    area = json.loads((folder / "area.json").read_text())["design"]["area"]
    delays = _DELAY.findall("".join(said))
    left = {
        cell["type"]
        for cell in netlist["modules"][MODULE]["cells"].values()
        if cell["type"].startswith("$") and cell["type"] not in (MEMORY, "$scopeinfo")
    }
    if left or not delays:
        why = f"cells {', '.join(sorted(left))} were not mapped" if left else "abc gave no delay"
        raise FantasticError(f"synthesis for the liberty file failed: {why}")
    timing: dict[str, float | None] = {"sta_delay_ns": None, "power_mw": None}
    if scripts[1]:
        progress("synthesis", "timing")
        timing = _timing(scripts[1], folder)
    return {
        "cells": cells_in(netlist, MODULE),
        "multipliers": before.get("$mul", 0),
        "asic": {
            "area_um2": round(float(area), 2),
            "delay_ns": round(float(delays[-1]) / 1000, 3),
            "memory_bits": sum(_memories(netlist)),
            **timing,
        },
    }


def _timing(script: str, folder: Path) -> dict[str, float | None]:
    said: list[str] = []
    (folder / "time.tcl").write_text(script)
    run_tool("sta", ["-exit", "time.tcl"], folder, "OpenSTA", said.append)
    text = "".join(said)
    slack, power = _SLACK.search(text), _POWER.search(text)
    period = re.search(r"-period (\S+)", script)
    if slack is None or power is None or period is None:
        raise FantasticError(f"OpenSTA failed: {next(iter(said), 'it said nothing').strip()}")
    return {
        "sta_delay_ns": round(float(period[1]) - float(slack[1]), 3),
        "power_mw": round(1000 * float(power[1]), 4),
    }


def _memories(netlist: Mapping[str, Any]) -> Iterator[int]:
    for cell in netlist["modules"][MODULE]["cells"].values():
        if cell["type"] == MEMORY:
            yield int(cell["parameters"]["SIZE"], 2) * int(cell["parameters"]["WIDTH"], 2)
