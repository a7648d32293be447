# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 formats``: what each storage format costs, in bits and in gates."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from fantastic4.cli.common import ConfigName, Json, Output, listing, shown, write_json
from fantastic4.config import ALL_FORMATS, find_config, formats_for
from fantastic4.errors import FantasticError

CARRY_LUTS = {"ecp5": 2, "xc7": 0}
"""LUTs that a carry cell is made of; on 7-series they are among those counted."""

EXAMPLES = (
    "fantastic4 formats",
    "fantastic4 formats --names 15 --json",
    "fantastic4 formats --synth -o docs",
)


def command(
    config: ConfigName = "base",
    names: Annotated[
        str, typer.Option(help="Non-zero values in use, one curve for each.", metavar="N,N,…")
    ] = "1,2,4,7,15",
    synth: Annotated[
        bool, typer.Option("--synth", help="Also synthesise the decoders with yosys (minutes).")
    ] = False,
    lanes: Annotated[
        str, typer.Option(help="Lane counts to synthesise.", metavar="N,N,…")
    ] = "8,32,64",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for formats.json and formats.png; a formats.md in it gets new tables.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the formats: bits and clocks over density, and with --synth what decoders cost.

    Takes the geometry of a core, with all formats that its banks can have. Encodes 512 x 512 layers
    of random codes whose values are as unevenly frequent as in trained layers. The gates are those
    of one engine's decoders, for ECP5 and 7-series. Without --synth, the folder's formats.json
    keeps the gates it has.
    """
    from fantastic4 import curves
    from fantastic4.rates import rates

    out = Output(as_json)
    cfg = find_config(config)
    cfg = replace(cfg, formats=formats_for(cfg.bank_lanes))  # what it could decode
    value_counts, lane_counts = parse_counts(names, 15), parse_counts(lanes, 512)
    record: dict[str, Any] = {"config": config, "curves": {}, "far_from_entropy": {}}
    with out.progress("encoding", len(value_counts)) as progress:
        for done, count in enumerate(value_counts):
            record["curves"][str(count)] = curves.curve(cfg, count)
            fine = curves.curve(cfg, count, curves.FINE)
            record["far_from_entropy"][str(count)] = curves.far_ranges(fine, curves.FINE)
            progress(done + 1)
    with out.progress("timing decoders", None):
        record["rates"] = rates(cfg)
    if synth:
        record["decoders"] = decoder_costs(out, lane_counts)
    elif output is not None:
        record |= earlier_decoders(output / "formats.json")
    tables = {
        f"bits-{count}": (f"Bits a weight, {count} non-zero values", rows_of(points))
        for count, points in record["curves"].items()
    }
    tables["far"] = (
        f"Where what is packed takes more than {curves.FAR} times the entropy",
        far_rows(record["far_from_entropy"]),
    )
    tables["rates"] = ("Clocks a beat where a decoder may be late", record["rates"])
    if "decoders" in record:
        tables["decoders"] = ("Decoders of one engine", record["decoders"])
    if output is not None:
        write_json(output / "formats.json", record)
        curves.plot(record["curves"], output / "formats.png")
        document = output / "formats.md"
        if document.is_file():
            document.write_text(
                renewed(document.read_text(), {name: rows for name, (_, rows) in tables.items()})
            )
    out.emit(record, *(listing(title, rows) for title, rows in tables.values()))


def parse_counts(text: str, greatest: int) -> list[int]:
    """Return the numbers in ``text``, such as "1,2,4,7,15"."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if any(not 1 <= count <= greatest for count in counts):
        raise typer.BadParameter(f"must be numbers 1..{greatest} and commas, not {text!r}")
    return counts


def rows_of(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a curve's table; a dash where there is nothing to say."""
    formats = sorted({name for point in points for name in point["bits_per_weight"]})
    rows = []
    for point in points:
        bits, entropy = point["bits_per_weight"], point["entropy"]
        rows.append(
            {
                "density": point["density"],
                "entropy": entropy,
                **{name: bits.get(name, "–") for name in formats},
                "packed as": point["packed"],
                "over entropy": bits[point["packed"]] / entropy if entropy else "–",
            }
        )
    return rows


def far_rows(ranges: Mapping[str, Sequence[Sequence[float]]]) -> list[dict[str, Any]]:
    """Return the rows of the table of densities that are far from the entropy."""
    return [
        {
            "non-zero values": count,
            "densities": ", ".join(f"{low:.2f}–{high:.2f}" for low, high in found) or "none",
        }
        for count, found in ranges.items()
    ]


def renewed(text: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a Markdown document with the ``tables`` between their markers.

    The markers of a table are the lines ``<!-- table: NAME -->`` and ``<!-- end -->``; tables the
    document has no markers for are left out.
    """
    for name, rows in tables.items():
        begin = f"<!-- table: {name} -->\n"
        before, found, rest = text.partition(begin)
        if not found:
            continue
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise FantasticError(f"the table {name} has no <!-- end -->")
        text = before + begin + markdown(rows) + end + after
    return text


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return records that have the same keys as a Markdown table: text to the left."""
    heads = [key.replace("_", " ") for key in rows[0]]
    sides = [":--" if isinstance(value, str) else "--:" for value in rows[0].values()]
    cells = [heads, sides] + [[shown(value) for value in row.values()] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def earlier_decoders(path: Path) -> dict[str, Any]:
    """Return the ``decoders`` of an earlier ``formats.json``, if there is one."""
    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    return {"decoders": found["decoders"]} if "decoders" in found else {}


def decoder_costs(out: Output, lane_counts: list[int]) -> list[dict[str, Any]]:
    """Return the cells of the decoders of one engine, for each format, lane count and target.

    ``with_carries`` are the LUTs a lane when those in carry cells are counted too.
    """
    from fantastic4_hw.measure import TARGETS, decoder_cells

    jobs = [
        (name, lanes, target) for name in ALL_FORMATS for lanes in lane_counts for target in TARGETS
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
                    "with_carries": (cells.luts + CARRY_LUTS[target] * cells.carries) / lanes,
                }
            )
            progress(done + 1)
    return rows
