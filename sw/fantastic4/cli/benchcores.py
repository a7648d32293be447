# SPDX-License-Identifier: Apache-2.0
"""The cores of ``fantastic4 bench``: which, on which chip, and what each takes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from fantastic4.benchmark.networks import Subject
from fantastic4.benchmark.report import core_entry
from fantastic4.benchmark.runs import run_record
from fantastic4.cli.common import Output
from fantastic4.cli.synthbars import shown_flow
from fantastic4.config import CONFIGS, CoreConfig, find_config
from fantastic4.configfile import dump_config
from fantastic4.errors import FantasticError
from fantastic4_hw.flow.flow import over_use
from fantastic4_hw.flow.memo import part_record
from fantastic4_hw.flow.record import Record
from fantastic4_hw.flow.targets import TARGETS, find_target
from fantastic4_hw.flow.tops import find_top

MOST_LANES = 2048
"""Lanes of the largest core that is synthesised as a whole: no chip of the flow has room for more,
and yosys takes hours."""

TARGET = "ecp5-85k"
"""Chip of a core that is not named after one."""


def target_of(cfg: CoreConfig) -> str:
    """Return the chip that a core is named after, as kws-up5k and gsc-ecp5-25 are, or `TARGET`."""
    for name in TARGETS:
        size = name.partition("-")[2]
        if size and cfg.name.endswith((f"-{size}", f"-{name.removesuffix('k')}")):
            return name
    return TARGET


def find_cores(only: str | None) -> list[tuple[CoreConfig, str]]:
    """Return cores and targets of a text such as "tiny,base@xc7"; all named cores if None.

    Raises
    ------
    FantasticError
        If there is no such core or target.
    """
    found = []
    for part in list(CONFIGS) if only is None else only.split(","):
        name, _, target = part.partition("@")
        cfg = find_config(name)
        found.append((cfg, find_target(target).name if target else target_of(cfg)))
    return list(dict.fromkeys(found))


def parse_models(texts: Sequence[str]) -> dict[str, Path]:
    """Return names and files of texts like "mnist=model.safetensors"."""
    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(
                f"must be NAME=FILE, such as mnist=model.safetensors, not {text!r}",
                param_hint="--model",
            )
        found[name] = Path(path)
    return found


@dataclass
class Bench:
    """Makes the entries of cores; what fails is in ``errors``, and in the entry.

    Parameters
    ----------
    out : Output
    subjects : sequence of Subject
        Networks to run on each.
    route, seeds, period_ns, jobs, cache
        As `fantastic4_hw.flow.memo.part_record` takes them.
    reroute : collection of str
        Names of the configurations whose late nets are routed again.
    liberty : Path or None
        Standard cells to map one engine and the MAC array to as well.
    """

    out: Output
    subjects: Sequence[Subject]
    route: bool
    seeds: Sequence[int]
    liberty: Path | None
    period_ns: float
    jobs: int
    cache: Path | None
    reroute: Collection[str] = ()
    errors: list[str] = field(default_factory=list)

    def entry(self, cfg: CoreConfig, target: str, at: int, number: int) -> dict[str, Any]:
        """Return the entry of a core on a target, which is number ``at`` of ``number``."""
        lanes = find_top("core").lanes(cfg)
        self.out.note(f"[{at + 1}/{number}] {cfg.name} on {target}: {lanes:,} lanes")
        runs = [run_record(subject, cfg, lanes) for subject in self.subjects]
        records: dict[str, Record | None] = {
            "engine": self.part(cfg, "engine", target),
            "mac": self.part(cfg, "mac", target),
            "mac_plain": self.part(cfg, "mac", target, family="generic", route=False),
            "core": None,
        }
        if self.liberty is not None:
            records |= {
                "asic_engine": self.part(cfg, "engine", self.liberty),
                "asic_mac": self.part(cfg, "mac", self.liberty),
            }
        why = None
        if lanes > MOST_LANES:
            why = f"not synthesised: more than {MOST_LANES:,} lanes"
        else:
            before = len(self.errors)
            whole = "bytes" if TARGETS[target].technology == "ice40" else "core"
            records["core"] = core = self.part(cfg, whole, target)
            if len(self.errors) > before:
                why = self.errors[-1]
            elif core is not None and core.fits is False:
                why = f"does not fit {target}: {over_use(core.utilisation)}"
        said = {
            "config": cfg.name,
            "target": target,
            "parameters": dump_config(cfg),
            "lanes": lanes,
            "engine_lanes": find_top("engine").lanes(cfg),
            "why": why,
        }
        plain = {name: record and record.as_json() for name, record in records.items()}
        return core_entry(said, runs, plain)

    def part(
        self,
        cfg: CoreConfig,
        top: str,
        target: str | Path,
        *,
        family: str | None = None,
        route: bool = True,
    ) -> Record | None:
        """Return the record of a part, or None if a tool failed."""
        name = target.name if isinstance(target, Path) else target
        what = f"{cfg.name}, {top}, on {name}{f', {family}' if family else ''}"
        with shown_flow(self.out) as told:
            begun = False

            def progress(job: str, stage: str) -> None:
                nonlocal begun
                if not begun:
                    self.out.note(what)
                begun = True
                told(job, stage)

            try:
                return part_record(
                    cfg,
                    top,
                    target,
                    family=family,
                    route=self.route and route,
                    seeds=self.seeds,
                    reroute=top == "core" and cfg.name in self.reroute,
                    period_ns=self.period_ns,
                    jobs=self.jobs,
                    cache=self.cache,
                    progress=progress,
                )
            except FantasticError as error:
                self.errors.append(f"{what}: {error}")
                return None
