# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 synth``: what a core costs on a chip, and how fast it is there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fantastic4.cli.common import ConfigName, Json, Output, facts, listing, write_json
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 synth --config small --target ecp5-25k",
    "fantastic4 synth --config base --target ecp5-85k --seeds 1,2,3 --jobs 2 --json",
    "fantastic4 synth --config dense --target ecp5-85k --freq 125 --reroute --jobs 2",
    "fantastic4 synth --config base --target xc7 --set lanes=128 --set formats=dense",
    "fantastic4 synth --config base --target ecp5-85k --top engine --no-route",
    "fantastic4 synth --config small --target ecp5-85k --no-route --check",
    "fantastic4 synth --config tiny --liberty cells.lib --period 5",
)

TARGET_NAMES = "ecp5-25k, ecp5-45k, ecp5-85k, ice40-up5k, gowin-gw1nr9, gowin-gw2a18, xc7, xcu"


def command(
    config: ConfigName = "base",
    target: Annotated[
        str, typer.Option(help=f"Chip or technology: {TARGET_NAMES}.", metavar="NAME")
    ] = "ecp5-85k",
    top: Annotated[
        str,
        typer.Option(
            help="core, bytes (a core with byte ports), engine, decoders of an engine, or mac: a "
            "plain array to compare.",
            metavar="NAME",
        ),
    ] = "core",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a field of the configuration first.", metavar="FIELD=VALUE"
        ),
    ] = None,
    route: Annotated[
        bool, typer.Option("--route/--no-route", help="Place and route, or synthesis only.")
    ] = True,
    seeds: Annotated[
        str, typer.Option(help="Seeds of the placer, a run each.", metavar="N,N,…")
    ] = "1,2,3",
    freq: Annotated[
        float | None,
        typer.Option(
            help="Clock to ask for, in MHz.", metavar="MHZ", show_default="by target", min=0.1
        ),
    ] = None,
    reroute: Annotated[
        bool,
        typer.Option(
            help="On ECP5, route nets again that are too late for that clock: some MHz more where "
            "it is within reach, and twice the time where it is not.",
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(help="Seeds side by side.", min=1, metavar="N")] = 1,
    liberty: Annotated[
        Path | None,
        typer.Option(help="Instead of a target: standard cells, area and delay.", metavar="FILE"),
    ] = None,
    period: Annotated[
        float, typer.Option(help="Clock period to ask for with --liberty, in ns.", min=0.01)
    ] = 10.0,
    check: Annotated[
        bool, typer.Option("--check", help="End with exit code 1 if the budget is broken.")
    ] = False,
    budget: Annotated[
        Path | None,
        typer.Option(help="The budget.", metavar="FILE", show_default="constraints/budget.toml"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for the record, and for what later runs need not do again.",
            metavar="DIR",
            show_default="the user's cache",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Synthesise a core with yosys, place and route it with nextpnr, and show what it takes.

    Runs on the pip-installed tools (extra "synth"), or on native ones that are on the path. Results
    are kept by their content: what was done once is not done again, and a stopped run goes on with
    the seeds it has not yet done. For xc7 and xcu there is no open place and route.

    With --check, what came out is held against what the configuration promises in the budget.
    """
    from fantastic4.cli.synthbars import shown_flow
    from fantastic4.configfile import dump_config, with_settings
    from fantastic4_hw.flow.budget import BUDGET, broken, promise_for, read_budget
    from fantastic4_hw.flow.flow import over_use, synthesise
    from fantastic4_hw.flow.targets import find_target
    from fantastic4_hw.flow.tops import find_top

    out = Output(as_json)
    cfg = with_settings(find_config(config), settings or [])
    part, chosen = find_top(top), parse_seeds(seeds)
    if liberty is None:
        find_target(target)
    promise = None
    if check:
        promise = promise_for(read_budget(budget or BUDGET), cfg.name, top, target)
    with shown_flow(out) as told:
        record = synthesise(
            part.make(cfg),
            liberty or target,
            config=cfg.name,
            top=top,
            parameters=dump_config(cfg),
            lanes=part.lanes(cfg),
            route=route,
            seeds=chosen,
            mhz=freq,
            reroute=reroute,
            period_ns=period,
            jobs=jobs,
            cache=output,
            progress=told,
        )
    plain = record.as_json()
    if output is not None:
        path = output / f"{cfg.name}-{top}-{record.target}.json"
        write_json(path, plain)
        out.note(f"wrote {path}")
    if record.fits is False:
        out.note(f"{cfg.name} does not fit {target}: {over_use(record.utilisation)}")
    out.emit(plain, *tables(plain))
    if promise is not None:
        lines = broken(record, promise)
        for line in lines:
            out.note(f"error: {line}")
        if lines:
            raise typer.Exit(1)
        out.note("the budget is kept")


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in ``text``, such as "1,2,3"."""
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = [-1]
    if len(set(seeds)) < len(seeds) or any(not 0 <= seed < 1 << 31 for seed in seeds):
        raise typer.BadParameter(f"must be different numbers and commas, not {text!r}")
    return seeds


def tables(record: Mapping[str, Any]) -> list[Any]:
    """Return how a record is shown."""
    rows: dict[str, Any] = {
        "device": f"{record['device'] or record['technology']} {record['speed']}".strip(),
        "multipliers": record["multipliers"],
        "flip-flops": record["ffs"],
        "lanes": record["lanes"],
    }
    if asic := record["asic"]:
        rows |= {
            "area, µm²": asic["area_um2"],
            "memory bits, not in it": asic["memory_bits"],
            "delay, ns": f"{asic['delay_ns']:.3f}, {asic['period_ns']:g} asked for",
        }
        if asic["power_mw"] is not None:
            rows["OpenSTA"] = f"{asic['sta_delay_ns']:.3f} ns, {asic['power_mw']:.3f} mW"
    else:
        rows |= {
            "LUTs": record["luts"],
            "LUTs a lane": record["luts_per_lane"],
            "block RAMs": record["block_rams"],
            "LUT RAMs": record["lut_rams"],
        }
    if fmax := record["fmax_mhz"]:
        rows["MHz"] = f"{fmax['median']:.1f} ({fmax['least']:.1f} to {fmax['greatest']:.1f})"
    if path := record["critical_path"]:
        rows["slowest path"] = (
            f"{path['ns']:.2f} ns, of these {path['routing_ns']:.2f} routing: "
            + " → ".join(part["component"] for part in path["parts"])
        )
    rows["tools"] = ", ".join(f"{name} {version}" for name, version in record["tools"].items())
    shown = [facts(f"{record['config']}, {record['top']}, on {record['target']}", rows)]
    if record["utilisation"]:
        used = [
            {"resource": name.replace("_", " "), **use, "share": f"{share(use):.1f} %"}
            for name, use in record["utilisation"].items()
        ]
        shown.append(listing("Of the chip", used))
    parts = [{"component": name or "–", **use} for name, use in record["components"].items()]
    if parts:
        shown.append(listing("Components", parts))
    return shown


def share(use: Mapping[str, int]) -> float:
    """Return what is used of what is available, in percent."""
    return 100 * use["used"] / use["available"] if use["available"] else 0.0
