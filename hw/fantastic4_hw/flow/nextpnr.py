# SPDX-License-Identifier: Apache-2.0
"""Place and route with nextpnr: command, progress, and what its reports say."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fantastic4.errors import FantasticError
from fantastic4_hw.flow.harness import INSTANCE, TOP
from fantastic4_hw.flow.netlist import component_of
from fantastic4_hw.flow.targets import CST, LPF, Target
from fantastic4_hw.flow.tools import run_tool
from fantastic4_hw.flow.yosys import MODULE

PORTS = "ports"
"""Component of the frame's own flip-flops."""

INSIDE = f"{INSTANCE}."
"""What names of the design begin with in the frame."""

_PHASES = (
    (re.compile(r"Info: Packing"), "packing"),
    (re.compile(r"Info: (?:Placed|Creating initial|Running main analytical)"), "placing"),
    (re.compile(r"Info: Running simulated annealing"), "refining"),
    (re.compile(r"Info: (?:Setting up routing|Routing |Running router)"), "routing"),
)
_PLACING = re.compile(r"at iteration #(\d+)")
_ROUTING = re.compile(r"Info:\s+\d+ \|\s+\d+\s+\d+ \|\s+\d+\s+\d+ \|\s+(\d+)")
_TO_ROUTE = re.compile(r"Info: Routing (\d+) arcs")
_ROUND = re.compile(r"Info:\s+iter=(\d+) .*overused=(\d+)")

MOST_ROUNDS = 64
"""Rounds of router 2 after which nets are still late for good. It has no end of its own: where late
nets can be mended it takes 20 to 30 rounds, elsewhere more than a thousand."""


class OutOfReachError(FantasticError):
    """Late nets, routed again and again, stay late."""


def clock_constraint(mhz: float) -> str:
    """Return the SDC that asks for a clock of so many MHz."""
    return f"create_clock -name clk -period {1000 / mhz:.3f} [get_ports clk]\n"


def pin_constraint(target: Target) -> str:
    """Return the constraints of a target's pins, in the words of its `Target.pin_file`."""
    line = 'LOCATE COMP "{}" SITE "{}";\n' if target.pin_file == LPF else 'IO_LOC "{}" {};\n'
    return "".join(line.format(name, pin) for name, pin in target.pins.items())


def _write_pins(target: Target, folder: Path) -> None:
    if target.pin_file:
        (folder / target.pin_file).write_text(pin_constraint(target))


def pack_options(target: Target) -> list[str]:
    """Return how nextpnr packs a design without placing it."""
    alone = ["--out-of-context"] if target.nextpnr == "ecp5" else []
    return [*target.options, *alone, "--pack-only", "--report", "packed.json"]


def route_options(target: Target, seed: int, mhz: float, *, reroute: bool = False) -> list[str]:
    """Return how nextpnr places and routes a framed design.

    With ``reroute`` it takes late nets up again, on ECP5 only.
    """
    constraint = ["--freq", f"{mhz:g}", "--sdc", "core.sdc", "--timing-allow-fail"]
    # Router 1 takes hours over nets of a hundred ends, which large cores have; router 2 does not
    # heed time but where it takes late nets up again, so the placer has to heed it the more.
    again = ["--tmg-ripup"] if reroute else []
    pins = ["--lpf", LPF] if target.pin_file == LPF else []
    large = [*pins, "--router", "router2", *again, "--placer-heap-timingweight", "20"]
    router = large if target.nextpnr == "ecp5" else []
    ends = ["--seed", str(seed), "--report", f"seed-{seed}.json"]
    return [*target.options, *constraint, *router, *ends]


def run_pack(alone: str, framed: str, target: Target, folder: Path) -> dict[str, Any]:
    """Return what a design takes of a chip: ``used`` and ``available`` of each resource.

    Packs the netlist ``alone``, which needs no pins. Gowin's packer wants pins: there the framed
    netlist is packed, and the frame's LUTs and flip-flops, all that it has, are taken off.

    Raises
    ------
    FantasticError
        If nextpnr is missing or fails.
    """
    pinned = target.pin_file == CST
    (folder / "packing.json").write_text(framed if pinned else alone)
    _write_pins(target, folder)
    args = ["--json", "packing.json", "--top", TOP if pinned else MODULE, *pack_options(target)]
    run_tool(f"nextpnr-{target.nextpnr}", args, folder, f"packing for {target.name}")
    packed = json.loads((folder / "packed.json").read_text())["utilization"]
    use = {what: dict(packed[name]) for what, name in target.sites.items()}
    if pinned:
        cells = json.loads(framed)["modules"][TOP]["cells"]
        outside = Counter(x["type"] for name, x in cells.items() if not name.startswith(INSIDE))
        for what in ("luts", "ffs"):
            use[what]["used"] -= target.kinds.count(outside, what)
    return use


def run_route(
    text: str,
    target: Target,
    seed: int,
    mhz: float,
    folder: Path,
    told: Callable[[str], None] | None = None,
    *,
    reroute: bool = False,
) -> dict[str, Any]:
    """Place and route a framed netlist; return nextpnr's report.

    Raises
    ------
    OutOfReachError
        If with ``reroute`` nets are late after `MOST_ROUNDS` rounds.
    FantasticError
        If nextpnr is missing or fails.
    """
    netlist = folder / "framed.json"
    netlist.write_text(text)
    (folder / "core.sdc").write_text(clock_constraint(mhz))
    _write_pins(target, folder)
    args = [
        "--json",
        netlist.name,
        "--top",
        TOP,
        *route_options(target, seed, mhz, reroute=reroute),
    ]
    progress = _Phases(told, MOST_ROUNDS if reroute else None)
    what = f"place and route on {target.name}, seed {seed},"
    run_tool(f"nextpnr-{target.nextpnr}", args, folder, what, progress.line)
    return json.loads((folder / f"seed-{seed}.json").read_text())


class _Phases:
    """Reads in nextpnr's words how far it is; raises ``OutOfReachError`` behind ``most`` rounds."""

    def __init__(self, told: Callable[[str], None] | None, most: int | None):
        self.told = told
        self.most = most
        self.phase = ""
        self.arcs = 0

    def line(self, text: str) -> None:
        """Take a line that nextpnr printed."""
        turn = _ROUND.match(text)
        if turn and self.most is not None and int(turn[1]) > self.most:
            raise OutOfReachError(f"nets are late after {self.most} rounds of routing")
        if self.told is None:
            return
        said = ""
        for pattern, phase in _PHASES:
            if pattern.match(text) and phase != self.phase:
                self.phase = said = phase
        if found := _TO_ROUTE.match(text):
            self.arcs = int(found[1])
        if found := _PLACING.search(text):
            said = f"{self.phase}, iteration {found[1]}"
        elif (found := _ROUTING.match(text)) and self.arcs:
            said = f"{self.phase}, {100 - 100 * int(found[1]) // self.arcs} %"
        elif turn:
            said = f"{self.phase}, round {turn[1]}, {int(turn[2]):,} wires taken twice"
        if said:
            self.told(said)


def fmax_in(report: Mapping[str, Any], mhz: float) -> float:
    """Return the highest clock, in MHz, that a report allows.

    Raises
    ------
    FantasticError
        If the design has no clock, or nextpnr aimed at another one than ``mhz``.
    """
    clocks = report["fmax"].values()
    if not clocks:
        raise FantasticError("place and route found no path between flip-flops")
    if any(abs(clock["constraint"] - mhz) > 0.01 * mhz for clock in clocks):
        raise FantasticError(f"place and route did not take the clock of {mhz:g} MHz")
    return round(min(clock["achieved"] for clock in clocks), 2)


def critical_path(report: Mapping[str, Any], instances: frozenset[str]) -> dict[str, Any]:
    """Return the slowest path between flip-flops, by component of the design.

    Returns
    -------
    dict
        ``ns``, and ``logic_ns`` and ``routing_ns`` of it; ``source`` and ``sink``, the components
        it leads from and to; ``parts``: the components it goes through in their order, with the
        nanoseconds of logic in each and of routing to it. The frame is called ``ports``.
    """
    paths = [
        path for path in report["critical_paths"] if "<async>" not in (path["from"], path["to"])
    ]
    slowest = max((path["path"] for path in paths), key=lambda steps: sum(_delays(steps)))
    parts: list[dict[str, Any]] = []
    for step in slowest:
        component = _component(step["to"]["cell"], instances)
        if not parts or parts[-1]["component"] != component:
            parts.append({"component": component, "logic_ns": 0.0, "routing_ns": 0.0})
        kind = "routing_ns" if step["type"] == "routing" else "logic_ns"
        parts[-1][kind] += step["delay"]
    logic, routing = (sum(part[kind] for part in parts) for kind in ("logic_ns", "routing_ns"))
    rounded = [{k: round(v, 3) if k != "component" else v for k, v in p.items()} for p in parts]
    return {
        "ns": round(logic + routing, 3),
        "logic_ns": round(logic, 3),
        "routing_ns": round(routing, 3),
        "source": _component(slowest[0]["from"]["cell"], instances),
        "sink": _component(slowest[-1]["to"]["cell"], instances),
        "parts": rounded,
    }


def _delays(steps: list[Mapping[str, Any]]) -> Iterator[float]:
    return (step["delay"] for step in steps)


def _component(cell: str, instances: frozenset[str]) -> str:
    if not cell.startswith(INSIDE):
        return PORTS
    return component_of(cell.removeprefix(INSIDE), instances) or "top"
