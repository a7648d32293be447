# SPDX-License-Identifier: Apache-2.0
"""What the flow finds out about a design: one record for every target."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

from fantastic4.errors import FantasticError

SCHEMA = 1
"""Version of the record's JSON."""


@dataclass(frozen=True)
class Fmax:
    """Highest clock after place and route, in MHz, over seeds.

    ``asked`` is the constraint; ``rerouted``, the seeds of which nets too late for it were routed
    again.
    """

    median: float
    least: float
    greatest: float
    asked: float
    seeds: Mapping[int, float]
    rerouted: Sequence[int] = ()

    @classmethod
    def of(
        cls, seeds: Mapping[int, float], asked: float, *, rerouted: Sequence[int] = ()
    ) -> "Fmax":
        """Return the summary of what each seed gave."""
        found = seeds.values()
        middle = round(median(found), 2)
        return cls(middle, min(found), max(found), asked, dict(seeds), tuple(rerouted))


@dataclass(frozen=True)
class Asic:
    """A design in standard cells.

    Parameters
    ----------
    area_um2 : float
        Of all cells, in the unit of the liberty file; without memories and wires.
    memory_bits : int
        Bits of memories, which are not among the cells.
    period_ns : float
        Clock period that was asked for.
    delay_ns : float
        Slowest logic between registers, memories and ports, as abc times it.
    sta_delay_ns, power_mw : float or None
        As OpenSTA has them, if it was there: the shortest period, registers' own times included,
        and power at ``period_ns`` with activity 0.1.
    """

    area_um2: float
    memory_bits: int
    period_ns: float
    delay_ns: float
    sta_delay_ns: float | None
    power_mw: float | None


@dataclass(frozen=True)
class Record:
    """One design on one target. docs/synthesis.md describes each entry.

    Parameters
    ----------
    config, top : str
        Name of the configuration, and which part of it: ``core``, ``engine`` or another name.
    parameters : Mapping or None
        The configuration itself, as `fantastic4.config.CoreConfig` fields.
    target, technology, family, device, speed : str
    cells : Mapping
        Cells after synthesis, by yosys' name; of the design alone, like all counts.
    luts : int
        LUT sites taken.
    carries, ffs, multipliers, block_rams, lut_rams, wide_rams : int
        Cells of these kinds.
    lanes : int or None
        Lanes of all engines together; ``luts_per_lane`` follows.
    components : Mapping
        ``luts`` and ``ffs`` of the parts of the design.
    utilisation : Mapping
        ``used`` and ``available`` of the chip's resources.
    fits : bool or None
        Whether the chip has enough of each; None without a chip.
    fmax_mhz : Fmax or None
    critical_path : Mapping or None
        Of the seed in the middle.
    asic : Asic or None
        With a liberty file only.
    tools : Mapping
        Versions.
    seconds : Mapping
        What the steps took, when they ran.
    """

    config: str
    top: str
    parameters: Mapping[str, Any] | None
    target: str
    technology: str
    family: str
    cells: Mapping[str, int]
    ffs: int
    multipliers: int
    lanes: int | None
    tools: Mapping[str, str]
    seconds: Mapping[str, float]
    device: str = ""
    speed: str = ""
    luts: int = 0
    carries: int = 0
    block_rams: int = 0
    lut_rams: int = 0
    wide_rams: int = 0
    luts_per_lane: float | None = None
    components: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    utilisation: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fits: bool | None = None
    fmax_mhz: Fmax | None = None
    critical_path: Mapping[str, Any] | None = None
    asic: Asic | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        plain = asdict(self)
        if self.fmax_mhz is not None:
            seeds = {str(seed): mhz for seed, mhz in self.fmax_mhz.seeds.items()}
            rerouted = list(self.fmax_mhz.rerouted)
            plain["fmax_mhz"] = {**asdict(self.fmax_mhz), "seeds": seeds, "rerouted": rerouted}
        return {"schema": SCHEMA, **plain}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Record":
        """Return the record that ``as_json`` made.

        Raises
        ------
        FantasticError
            If it is of another version, or lacks an entry.
        """
        if plain.get("schema") != SCHEMA:
            raise FantasticError(f"the record must be of schema {SCHEMA}")
        names = [entry.name for entry in fields(cls)]
        missing = [name for name in names if name not in plain]
        if missing:
            raise FantasticError(f"the record has no {missing[0]}")
        found = {name: plain[name] for name in names}
        if found["fmax_mhz"] is not None:
            timing = dict(found["fmax_mhz"])
            timing["seeds"] = {int(seed): mhz for seed, mhz in timing["seeds"].items()}
            timing["rerouted"] = tuple(timing["rerouted"])
            found["fmax_mhz"] = Fmax(**timing)
        if found["asic"] is not None:
            found["asic"] = Asic(**found["asic"])
        return cls(**found)
