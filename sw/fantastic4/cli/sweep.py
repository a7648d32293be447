# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 sweep``: a grid of networks, trained side by side."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from fantastic4.cli.common import (
    ConfigName,
    DataDir,
    Device,
    Json,
    Output,
    WideLayers,
    listing,
    parse_layers,
    parse_widths,
    percent,
)
from fantastic4.config import find_config

if TYPE_CHECKING:
    from fantastic4.data import DataSet
    from fantastic4.sweep.point import Point

EXAMPLES = (
    "fantastic4 sweep digits --gamma 0.05,0.1,0.2 --values 3,15",
    "fantastic4 sweep mnist --hidden 300,100 --hidden 64 --seeds 0 --method ec4t,int4 -o build/m",
    "fantastic4 sweep --preset results --only digits --docs docs --json",
)

GAMMAS = "0.05,0.1,0.2,0.4"

Number = TypeVar("Number", int, float)


class Preset(StrEnum):
    """Sweeps that have a name."""

    RESULTS = "results"


def command(
    ctx: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="Data set: digits, mnist, …", metavar="DATASET")
    ] = None,
    gamma: Annotated[
        str, typer.Option(help="Strengths of the entropy term, 0..1.", metavar="X,X,…")
    ] = GAMMAS,
    values: Annotated[
        str, typer.Option(help="Non-zero values of a layer, 1..15.", metavar="N,N,…")
    ] = "15",
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            help="Widths of the hidden layers, such as 300,100; once for each network.",
            metavar="WIDTHS",
            show_default="by data set",
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of training.", metavar="N,N,…")] = "0,1,2",
    method: Annotated[
        str,
        typer.Option(
            help="Methods: ec4t, ec2t, ecqx, int4; of a preset, only these.", metavar="NAME,…"
        ),
    ] = "ec4t",
    objective: Annotated[
        str, typer.Option(help="What entropy terms count: entropy, stored.", metavar="NAME,…")
    ] = "entropy",
    wide_layers: WideLayers = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs with 4-bit weights.", show_default="by data set"),
    ] = None,
    float_epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs before them.", show_default="by data set")
    ] = None,
    device: Device = "auto",
    config: ConfigName = "full",
    preset: Annotated[
        Preset | None, typer.Option(help="Instead of a data set: the networks of docs/results.md.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Of the preset, these data sets.", metavar="NAME,…")
    ] = None,
    docs: Annotated[
        Path | None,
        typer.Option(
            help="With the preset: folder whose results.json and results.md are renewed.",
            metavar="DIR",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="the cores there are")
    ] = None,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder to write into.",
            metavar="DIR",
            show_default="build/sweep/NAME",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train, pack and measure every combination of the options, over all cores.

    Each point has a file of its own in DIR/points, so that a sweep that ended early goes on where
    it was; points that failed are tried again. Writes DIR/sweep.json, sweep.csv and sweep.png:
    golden accuracy on the test split over stored bits a weight, everything counted. Ends with exit
    code 1 if a point failed.
    """
    check_use(ctx, dataset, preset)
    gammas = parse_list(gamma, "--gamma", float, 0, 1)
    counts = parse_list(values, "--values", int, 1, 15)
    numbers = parse_list(seeds, "--seeds", int, 0, 2**31)
    widths = [parse_widths(text) for text in hidden] if hidden else (None,)
    core = find_config(config)

    from fantastic4.cli.sweepbars import shown_sweep
    from fantastic4.sweep import preset as presets
    from fantastic4.sweep import runner
    from fantastic4.sweep.grid import grid
    from fantastic4.sweep.outputs import write
    from fantastic4.sweep.store import Store
    from fantastic4.train import find_device

    device = find_device(device)
    out = Output(as_json)
    chosen = presets.tasks(names(only)) if preset else []
    points: list[Point] = []
    parts = given(ctx, "method")
    for task in chosen:
        loaded = load(out, task.dataset, data_dir)
        points += presets.task_points(task, loaded, device, names(method) if parts else ())
    if dataset is not None:
        points = grid(
            load(out, dataset, data_dir),
            core,
            source=dataset,
            methods=names(method),
            objectives=names(objective),
            hidden=widths,
            gammas=gammas,
            values=counts,
            seeds=numbers,
            wide_layers=None if wide_layers is None else parse_layers(wide_layers),
            epochs=epochs,
            float_epochs=float_epochs,
            device=device,
        )
    folder = output or Path("build/sweep") / Path(dataset or str(preset)).stem
    jobs = min(jobs or runner.cores(), len(points))
    out.note(f"{len(points)} points, {jobs} at a time, in {folder}/")
    with shown_sweep(out, points) as watch:
        records = runner.run(points, Store(folder), jobs, data_dir, watch)
    report = write(folder, records)
    if docs is not None:
        write_results(docs, chosen, records, parts)
    out.emit(report, *tables(report))
    if report["failed"]:
        out.note(
            f"error: {report['failed']} of {len(points)} points failed; see {folder}/sweep.csv"
        )
        raise typer.Exit(1)


def check_use(ctx: typer.Context, dataset: str | None, preset: Preset | None) -> None:
    """Refuse options that do not go together."""
    if (dataset is None) == (preset is None):
        raise typer.BadParameter("name either a data set or a --preset")
    apart = ("only", "docs")
    if preset is not None:
        apart = ("gamma", "values", "hidden", "seeds", "objective", "wide_layers")
        apart += ("epochs", "float_epochs", "config")
    for name in apart:
        if given(ctx, name):
            option = f"--{name.replace('_', '-')}"
            what = "a --preset" if preset is not None else "a data set"
            raise typer.BadParameter(f"{option} does not go with {what}")


def given(ctx: typer.Context, name: str) -> bool:
    """Return whether an option was given on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parse_list(
    text: str, option: str, kind: Callable[[str], Number], low: float, high: float
) -> list[Number]:
    """Return the numbers in ``text``, such as "0.1,0.2"."""
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(low <= number <= high for number in found):
        raise typer.BadParameter(f"{option} must be numbers {low}..{high} and commas, not {text!r}")
    return found


def names(text: str | None) -> list[str]:
    """Return the names in ``text``, such as "ec4t,int4"."""
    return [part.strip() for part in text.split(",")] if text else []


def load(out: Output, dataset: str, data_dir: Path | None) -> "DataSet":
    """Return a data set; where it has to be downloaded, that is done here, once."""
    from fantastic4 import data

    with out.downloads() as progress:
        return data.load(dataset, data_dir, progress=progress)


def write_results(
    folder: Path, tasks: Sequence[Any], records: Sequence[dict[str, Any]], parts: bool
) -> None:
    """Renew results.json, and the tables and the plot of results.md, in ``folder``.

    Of ``parts``, some methods of a task, the other methods keep what they had.
    """
    from fantastic4.cli.formats import renewed
    from fantastic4.sweep import plot, results, store

    networks = results.earlier(folder / "results.json")
    for task in tasks:
        of_task = [record for record in records if record["dataset"] == task.dataset]
        before = networks.get(task.dataset) if parts else None
        networks[task.dataset] = results.summary(task, of_task, before)
    store.write_json(folder / "results.json", {"networks": networks})
    rows = [row for network in networks.values() for row in network["rows"]]
    plot.plot(rows, folder / "results.png", by_data=True)
    document = folder / "results.md"
    if document.is_file():
        store.write_text(document, renewed(document.read_text(), results.tables(networks)))


def tables(report: dict[str, Any]) -> list[Any]:
    """Return the tables of a sweep for people."""
    rows = [
        {
            "network": f"{row['dataset']} {'-'.join(map(str, row['network']))}",
            "series": row["series"],
            "γ": row["gamma"],
            "values": row["values"],
            "seeds": len(row["seeds"]),
            "golden": percent(row["golden"]["mean"]),
            "bits": row["bits_per_weight"]["mean"],
            "front": "yes" if row["on_front"] else "",
        }
        for row in report["means"]
    ]
    return [listing(f"Means over seeds; files are in {report['folder']}/", rows)] if rows else []
