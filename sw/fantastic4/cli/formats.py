# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 formats``: what each storage format costs, in bits and in gates."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fantastic4.cli.common import ConfigName, Json, Output, listing
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 formats",
    "fantastic4 formats --names 15 --json",
    "fantastic4 formats --synth -o docs",
)


def command(
    config: ConfigName = "base",
    names: Annotated[
        str, typer.Option(help="Non-zero values in use, one curve for each.", metavar="N,N,…")
    ] = "1,2,7,15",
    synth: Annotated[
        bool, typer.Option("--synth", help="Also synthesise the decoders with yosys (minutes).")
    ] = False,
    lanes: Annotated[
        str, typer.Option(help="Lane counts to synthesise.", metavar="N,N,…")
    ] = "8,32,64",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for formats.json and formats.png."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the formats: bits a weight over density, and with --synth what decoders cost.

    The curves encode a 512 x 512 layer of random codes whose values are as unevenly frequent as in
    trained layers. The gates are those of one engine's decoders, for ECP5 and 7-series.
    """
    from fantastic4 import curves

    out = Output(as_json)
    cfg = find_config(config)
    record: dict[str, Any] = {"config": config, "curves": {}}
    counts = [int(part) for part in names.split(",")]
    with out.progress("encoding", len(counts)) as progress:
        for done, count in enumerate(counts):
            record["curves"][str(count)] = curves.curve(cfg, count)
            progress(done + 1)
    tables = [
        listing(f"Bits a weight, {count} non-zero values", rows_of(points))
        for count, points in record["curves"].items()
    ]
    if synth:
        record["decoders"] = decoder_costs(out, [int(part) for part in lanes.split(",")])
        tables.append(listing("Decoders of one engine", record["decoders"]))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "formats.json").write_text(json.dumps(record, indent=1) + "\n")
        curves.plot(record["curves"], output / "formats.png")
    out.emit(record, *tables)


def rows_of(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a curve's table."""
    rows = []
    for point in points:
        best = min(point["bits_per_weight"], key=point["bits_per_weight"].get)
        rows.append(
            {
                "density": point["density"],
                "entropy": point["entropy"],
                **dict(sorted(point["bits_per_weight"].items())),
                "smallest": best,
                "over entropy": point["bits_per_weight"][best] / point["entropy"],
            }
        )
    return rows


def decoder_costs(out: Output, lane_counts: list[int]) -> list[dict[str, Any]]:
    """Return the cells of the decoders of one engine, for each format, lane count and target."""
    from fantastic4_hw.measure import TARGETS, decoder_cells

    jobs = [
        (name, lanes, target)
        for name in find_config("base").formats
        for lanes in lane_counts
        for target in TARGETS
    ]
    rows = []
    with out.progress("synthesising decoders", len(jobs)) as progress:
        for done, (name, lanes, target) in enumerate(jobs):
            cells = decoder_cells(name, lanes, target)
            rows.append(
                {
                    "format": name,
                    "lanes": lanes,
                    "target": target,
                    "luts": cells.luts,
                    "carries": cells.carries,
                    "ffs": cells.ffs,
                    "lut_rams": cells.lut_rams,
                    "block_rams": cells.block_rams,
                    "luts_per_lane": cells.luts / lanes,
                }
            )
            progress(done + 1)
    return rows
