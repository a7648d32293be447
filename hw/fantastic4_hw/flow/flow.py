# SPDX-License-Identifier: Apache-2.0
"""From a component to a record: synthesis, packing, place and route, each kept by its content."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from fantastic4.errors import FantasticError
from fantastic4_hw.flow.asic import PERIOD_NS, synthesise_asic
from fantastic4_hw.flow.cache import Cache, default_folder, key_of
from fantastic4_hw.flow.netlist import by_component, carries_fed, cells_in, instances_in
from fantastic4_hw.flow.nextpnr import (
    OutOfReachError,
    critical_path,
    fmax_in,
    pack_options,
    route_options,
    run_pack,
    run_route,
)
from fantastic4_hw.flow.record import Fmax, Record
from fantastic4_hw.flow.targets import Target, find_target
from fantastic4_hw.flow.tools import has_tool, stop_tools, version_of
from fantastic4_hw.flow.yosys import (
    MODULE,
    frame_script,
    run_frame,
    run_synthesis,
    synthesis_script,
)
from fantastic4_hw.verilog import convert

REVISION = "2"
"""Part of every key: changed when the flow reads the same results differently."""

Progress = Callable[[str, str], None]
"""Told a job (``synthesis``, ``seed 1``) and how far it is; ``done`` when it is."""


def _ignore(job: str, stage: str) -> None:
    pass


def synthesise(
    component: wiring.Component,
    target: str | Path,
    *,
    config: str = "",
    top: str = "",
    parameters: Mapping[str, Any] | None = None,
    lanes: int | None = None,
    family: str | None = None,
    route: bool = True,
    seeds: Sequence[int] = (1, 2, 3),
    mhz: float | None = None,
    reroute: bool = False,
    period_ns: float = PERIOD_NS,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress = _ignore,
) -> Record:
    """Synthesise any component, place and route it where that is possible, and say what it takes.

    Parameters
    ----------
    component : wiring.Component
        The design; with one clock and synchronous reset.
    target : str or Path
        A key of `targets.TARGETS`, or a liberty file.
    config, top, parameters, lanes
        What the record says about the design.
    family : str, optional
        Family whose cells the gateware may have; by default the target's.
    route : bool
        Place and route too, where that is possible.
    seeds : sequence of int
        Seeds of the placer, one run each.
    mhz : float, optional
        Clock to ask for; by default the target's.
    reroute : bool
        Route nets again that are too late for that clock: on ECP5. A seed of which some stay late
        is routed anew, without.
    period_ns : float
        With a liberty file, the clock period to ask for.
    jobs : int
        Seeds at the same time.
    cache : Path, optional
        Folder of earlier results; by default in the user's cache.
    progress : callable
        Told what is under way.

    Raises
    ------
    FantasticError
        If a tool is missing or fails, the design is to be routed and does not fit the chip, or to
        be routed again on another.
    """
    store = Cache(cache or default_folder())
    said: dict[str, Any] = {"config": config, "top": top, "parameters": parameters, "lanes": lanes}
    progress("synthesis", "elaborating")
    if isinstance(target, Path):
        said["family"] = family or "generic"
        verilog = convert(component, MODULE, said["family"])
        return synthesise_asic(verilog, target, period_ns, store, progress, **said)
    chip = find_target(target)
    if reroute and chip.nextpnr != "ecp5":
        raise FantasticError(f"nets are routed again on ECP5 only, not on {chip.name}")
    mhz = mhz or chip.mhz
    said["family"] = family or chip.family
    verilog = convert(component, MODULE, said["family"])
    with tempfile.TemporaryDirectory(prefix="fantastic4-") as name:
        folder = Path(name)
        found = _netlist(verilog, chip, store, folder, progress)
        progress("synthesis", "done")
        utilisation = found["utilisation"]
        over = over_use(utilisation)
        timing = path = None
        seconds = {"synthesis": found["seconds"]}
        if route and chip.nextpnr:
            if over:
                raise FantasticError(f"{config or 'the design'} does not fit {chip.name}: {over}")
            framed = store.load_bytes(found["key"], "framed.json")
            assert framed is not None
            reports = _routes(framed.decode(), chip, seeds, mhz, reroute, jobs, store, progress)
            instances = frozenset(found["instances"])
            reached = {seed: fmax_in(x["report"], mhz) for seed, x in reports.items()}
            again = [seed for seed, x in reports.items() if x["rerouted"]]
            timing = Fmax.of(reached, mhz, rerouted=again)
            middle = sorted(seeds, key=lambda seed: timing.seeds[seed])[(len(seeds) - 1) // 2]
            path = {"seed": middle, **critical_path(reports[middle]["report"], instances)}
            seconds |= {f"seed {seed}": x["seconds"] for seed, x in reports.items()}
    kinds = chip.kinds
    cells, luts = found["cells"], found["luts"]
    names = ("carries", "ffs", "multipliers", "block_rams", "lut_rams", "wide_rams")
    return Record(
        target=chip.name,
        technology=chip.technology,
        device=chip.device,
        speed=chip.speed,
        cells=cells,
        luts=luts,
        **{name: kinds.count(cells, name) for name in names},
        luts_per_lane=round(luts / lanes, 2) if lanes else None,
        components=found["components"],
        utilisation=utilisation,
        fits=not over if utilisation else None,
        fmax_mhz=timing,
        critical_path=path,
        tools=_tools(chip, route),
        seconds=seconds,
        **said,
    )


def over_use(utilisation: Mapping[str, Mapping[str, int]]) -> str:
    """Return which resources a chip has too few of, and how many, as text; empty if none."""
    return ", ".join(
        f"{name} {use['used']:,} of {use['available']:,}"
        for name, use in utilisation.items()
        if use["used"] > use["available"]
    )


def _netlist(
    verilog: str, chip: Target, store: Cache, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Return counts of the synthesised design; its framed netlist is in the store then."""
    packs = bool(chip.nextpnr) and has_tool(f"nextpnr-{chip.nextpnr}")
    tools = [version_of("yosys")] + ([version_of(f"nextpnr-{chip.nextpnr}")] if packs else [])
    scripts = [synthesis_script(chip.technology), frame_script(chip.technology)]
    key = key_of(REVISION, verilog, *scripts, *tools, *pack_options(chip), *map(str, chip.pins))
    known = store.load(key, "netlist")
    if known is not None:
        return {"key": key, **known}
    begin = time.monotonic()
    netlist = run_synthesis(
        verilog, chip.technology, folder, lambda stage: progress("synthesis", stage)
    )
    cells = cells_in(netlist, MODULE)
    luts = chip.kinds.lut_sites(cells)
    utilisation: dict[str, Any] = {}
    if chip.technology == "ecp5":
        luts += 2 * carries_fed(netlist, MODULE)
    if packs:
        progress("synthesis", "packing")
        framed = run_frame(netlist, chip, folder)
        utilisation = run_pack(json.dumps(netlist), framed, chip, folder)
        luts = utilisation["luts"]["used"]
        store.store_bytes(key, "framed.json", framed.encode())
    result = {
        "cells": cells,
        "luts": luts,
        "utilisation": utilisation,
        "components": by_component(netlist, MODULE, chip.kinds),
        "instances": instances_in(netlist, MODULE),
        "seconds": round(time.monotonic() - begin, 1),
    }
    store.store(key, "netlist", result)
    return {"key": key, **result}


def _routes(
    framed: str,
    chip: Target,
    seeds: Sequence[int],
    mhz: float,
    reroute: bool,
    jobs: int,
    store: Cache,
    progress: Progress,
) -> dict[int, dict[str, Any]]:
    """Return of each seed nextpnr's ``report``, without what is not used, and how it was made."""
    version = version_of(f"nextpnr-{chip.nextpnr}")

    def tried(seed: int, reroute: bool) -> dict[str, Any]:
        """Return what routing a seed gave: no report if nets stayed late."""
        options = [str(x) for x in route_options(chip, seed, mhz, reroute=reroute)]
        key = key_of(REVISION, framed, version, *options, *map(str, chip.pins.values()))
        known = store.load(key, "route")
        if known is not None:
            return known
        found: dict[str, Any] = {}
        begin = time.monotonic()
        folder = tempfile.TemporaryDirectory(prefix="fantastic4-")
        with folder as name, suppress(OutOfReachError):
            report = run_route(
                framed,
                chip,
                seed,
                mhz,
                Path(name),
                lambda stage: progress(f"seed {seed}", stage),
                reroute=reroute,
            )
            found["report"] = {part: report[part] for part in ("fmax", "critical_paths")}
        found["seconds"] = round(time.monotonic() - begin, 1)
        store.store(key, "route", found)
        return found

    def one(seed: int) -> dict[str, Any]:
        found = {**tried(seed, reroute), "rerouted": reroute}
        if "report" not in found:
            progress(f"seed {seed}", "anew, as nets stay late")
            plain = tried(seed, False)
            found = {**plain, "seconds": found["seconds"] + plain["seconds"], "rerouted": False}
        progress(f"seed {seed}", "done")
        return found

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            return dict(zip(seeds, pool.map(one, seeds), strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_tools()
            raise


def _tools(chip: Target, route: bool) -> dict[str, str]:
    tools = {"yosys": version_of("yosys")}
    if chip.nextpnr and (route or has_tool(f"nextpnr-{chip.nextpnr}")):
        tools[f"nextpnr-{chip.nextpnr}"] = version_of(f"nextpnr-{chip.nextpnr}")
    return tools
