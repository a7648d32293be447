# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 plan``: which core is the fastest for a model on a chip."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fantastic4.cli.common import Json, Output, facts, listing, write_json

if TYPE_CHECKING:
    from fantastic4.plan.planner import Goal, Plan

EXAMPLES = (
    "fantastic4 plan model.safetensors --target ecp5-25k",
    "fantastic4 plan model.safetensors --target ecp5-45k --latency 50us -o build/plan.json",
    "fantastic4 plan 490-256-256-256-12 --density 0.2 --values 2 --target ecp5-85k",
    "fantastic4 pack model.safetensors --config build/plan.json",
)

CHIP_NAMES = "ecp5-25k, ecp5-45k, ecp5-85k"

_LATENCY = re.compile(r"(\d+(?:\.\d+)?)\s*(us|µs|ms|ns)")
_UNITS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3}


def command(
    model: Annotated[
        str,
        typer.Argument(
            help="Model file, as train writes it; or widths, such as 490-256-12, for a random one."
        ),
    ],
    target: Annotated[str, typer.Option(help=f"Chip: {CHIP_NAMES}.", metavar="NAME")],
    latency: Annotated[
        str | None,
        typer.Option(
            help="The smallest core that is so fast, such as 50us, instead of the fastest.",
            metavar="TIME",
        ),
    ] = None,
    density: Annotated[
        float,
        typer.Option(help="Of widths: share of weights that are not zero.", min=0.0, max=1.0),
    ] = 0.3,
    values: Annotated[
        int, typer.Option(help="Of widths: non-zero values of a layer's weights.", min=1, max=15)
    ] = 2,
    input_width: Annotated[
        int, typer.Option(help="Values that the input stream brings a clock.", min=1, metavar="N")
    ] = 4,
    mhz: Annotated[
        float | None,
        typer.Option(
            help="Clock, where you know it.", min=0.1, show_default="by cores that were routed"
        ),
    ] = None,
    fill: Annotated[
        float,
        typer.Option(help="Share of LUTs and flip-flops to take at most.", min=0.01, max=1.0),
    ] = 0.85,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write the core as JSON, which --config takes.", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose a core for a model and a chip: the fastest that fits, and what limits it.

    Looks at some thousand cores in seconds, without synthesis: cycles, memories, block RAMs and
    multipliers are exact, LUTs and flip-flops come from a model that was calibrated by synthesis,
    the clock is a guess from cores that were placed and routed. synth measures what plan proposes.
    """
    from fantastic4.configfile import dump_config
    from fantastic4.plan import Goal, find_chip, plan
    from fantastic4.plan.model import load

    out = Output(as_json)
    chip = find_chip(target)
    goal = Goal(
        chip=chip,
        latency_us=None if latency is None else parse_latency(latency),
        fill=fill,
        input_width=input_width,
        mhz=mhz,
    )
    found = plan(load(model, density, values), goal)
    record = record_of(model, goal, found)
    if output is not None:
        write_json(output, dump_config(found.proposal.cfg))
        out.note(f"wrote {output}")
    out.emit(record, *tables(record))


def parse_latency(text: str) -> float:
    """Return the microseconds that ``text`` such as "50us", "0.1ms" or "800ns" says."""
    found = _LATENCY.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise typer.BadParameter(
            f"must be a time with its unit, such as 50us, 0.1ms or 800ns, not {text!r}",
            param_hint="--latency",
        )
    return float(found[1]) * _UNITS[found[2]]


def record_of(model: str, goal: "Goal", found: "Plan") -> dict[str, Any]:
    """Return a plan as plain JSON."""
    from fantastic4.configfile import dump_config
    from fantastic4.plan.chips import NAMES

    best, chip = found.proposal, goal.chip
    timing = best.timing
    return {
        "model": model,
        "target": chip.name,
        "config": dump_config(best.cfg),
        "formats": list(best.formats),
        "weight_words": best.words,
        "resources": {
            name: {"used": getattr(best.area, name), "available": getattr(chip, name)}
            for name in NAMES
        },
        "parts": dict(best.area.parts),
        "mhz": best.mhz,
        "mhz_source": best.clock_source,
        "cycles": timing.cycles,
        "latency_cycles": timing.latency,
        "utilisation": round(timing.utilisation, 4),
        "latency_us": round(best.latency_us, 3),
        "inferences_per_second": round(best.per_second),
        "latency_shares": dict(found.limits.cycles),
        "limits": list(found.limits.reasons),
        "considered": found.considered,
        "worked_out": found.worked_out,
    }


def tables(record: dict[str, Any]) -> list[Any]:
    """Return how a plan is shown."""
    cfg = record["config"]
    rows = {
        "lanes × engines": f"{cfg['lanes']} × {cfg['engines']}, {cfg['masks']} masks",
        "formats": ", ".join(cfg["formats"]),
        "layers": ", ".join(record["formats"]),
        "cycles": f"{record['cycles']:,}, array busy {100 * record['utilisation']:.0f} % of them",
        "latency": f"{record['latency_us']:.1f} µs: {record['latency_cycles']:,} cycles, input "
        "included",
        "clock, estimated": f"{record['mhz']:g} MHz ({record['mhz_source']})",
        "inferences a second": record["inferences_per_second"],
        "limited by": "; ".join(record["limits"]),
    }
    used = [
        {
            "resource": name.replace("_", " "),
            "counted": "exactly" if name in ("block_rams", "multipliers") else "estimated",
            **use,
            "share": f"{100 * use['used'] / use['available']:.1f} %",
        }
        for name, use in record["resources"].items()
    ]
    title = f"{cfg['name']} for {record['model']} on {record['target']}"
    return [facts(title, rows), listing("Of the chip", used)]
