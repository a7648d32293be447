# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 bench``: cores times networks, a MAC array and what others published beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fantastic4.cli.common import Json, Output, listing, write_json

EXAMPLES = (
    "fantastic4 bench --only tiny --networks jets --no-route",
    "fantastic4 bench --only kws-up5k --networks kws --jobs 2",
    "fantastic4 bench --only base,base@ecp5-45k --model mnist=build/mnist/model.safetensors --json",
    "fantastic4 bench --only small --no-route --liberty cells.lib --period 5",
    "fantastic4 bench --reroute dense -o docs",
)


def command(
    only: Annotated[
        str | None,
        typer.Option(
            help="Cores: names or JSON files, each with @ and a target if it is to be another.",
            metavar="NAME[@TARGET],…",
            show_default="all named ones",
        ),
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option(
            help="Networks: mnist, kws, gsc, unsw, jets.",
            metavar="NAME,…",
            show_default="all",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model file for a network, or for a further one.", metavar="NAME=FILE"),
    ] = None,
    route: Annotated[
        bool, typer.Option("--route/--no-route", help="Place and route, or synthesis only.")
    ] = True,
    seeds: Annotated[
        str, typer.Option(help="Seeds of the placer, a run each.", metavar="N,N,…")
    ] = "1,2,3",
    reroute: Annotated[
        str | None,
        typer.Option(
            help="Cores on ECP5 of which nets that are late are routed again, as synth's --reroute "
            "has it.",
            metavar="NAME,…",
            show_default="none",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Seeds side by side.", min=1, metavar="N")] = 1,
    liberty: Annotated[
        Path | None,
        typer.Option(
            help="Also one engine and the MAC array in these standard cells.", metavar="FILE"
        ),
    ] = None,
    period: Annotated[
        float, typer.Option(help="Clock period to ask for with --liberty, in ns.", min=0.01)
    ] = 10.0,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what later runs need not do again.",
            metavar="DIR",
            show_default="the user's cache",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for benchmark.json and benchmark.png; a benchmark.md in it gets new "
            "tables. Of other cores it keeps what it has.",
            metavar="DIR",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the named cores on five networks: cycles, latency, operations, LUTs.

    Packs each network for each core and predicts its cycles exactly. Synthesises the core, one
    engine and a plain int4 x int8 MAC array of as many lanes, places and routes them, and makes
    latency and operations a second of the cycles and the clock. Networks are trained ones where
    there is a file, random ones otherwise; the tables say which.

    What was synthesised or routed is kept, as that of synth is: a stopped run goes on with what
    it has not yet done, and one that has all it needs takes seconds. Routing a large core takes
    an hour or more. With --no-route there are cycles, but no latency.
    """
    from fantastic4.benchmark import report as reports
    from fantastic4.benchmark.networks import find_cases, subjects
    from fantastic4.benchmark.runs import network_record
    from fantastic4.benchmark.tables import TITLES, tables
    from fantastic4.cli.benchcores import Bench, find_cores, parse_models
    from fantastic4.cli.synth import parse_seeds
    from fantastic4.config import find_config

    out = Output(as_json)
    cores = find_cores(only)
    rerouted = [find_config(name).name for name in (reroute or "").split(",") if name]
    models = parse_models(model or [])
    wanted = None if networks is None else [x for x in networks.split(",") if x not in models]
    chosen = subjects(find_cases(wanted), models)
    before = reports.earlier(Path() if output is None else output / "benchmark.json")
    bench = Bench(
        out,
        chosen,
        route=route,
        seeds=parse_seeds(seeds),
        liberty=liberty,
        period_ns=period,
        jobs=jobs,
        cache=cache,
        reroute=rerouted,
    )
    entries = [bench.entry(cfg, target, at, len(cores)) for at, (cfg, target) in enumerate(cores)]
    found = reports.report(before, [network_record(subject) for subject in chosen], entries)
    shown = tables(found)
    if output is not None:
        write(output, found, shown)
        out.note(f"wrote {output / 'benchmark.json'}")
    out.emit(found, *(listing(TITLES[name], rows) for name, rows in shown.items()))
    if bench.errors:
        for line in bench.errors:
            out.note(f"error: {line}")
        raise typer.Exit(1)


def write(folder: Path, found: Mapping[str, Any], shown: Mapping[str, Sequence[Any]]) -> None:
    """Write JSON and plot of a report, and its tables into the document, if that is there."""
    from fantastic4.benchmark.plot import plot
    from fantastic4.benchmark.tables import TITLES
    from fantastic4.cli.formats import renewed

    write_json(folder / "benchmark.json", found)
    plot(found, folder / "benchmark.png")
    document = folder / "benchmark.md"
    if document.is_file():
        nothing = {name: [{"–": "not measured"}] for name in TITLES}
        document.write_text(renewed(document.read_text(), {**nothing, **shown}))
