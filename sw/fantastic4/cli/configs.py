# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 configs``: the named cores, what each holds, and one of them as a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fantastic4.cli.common import Json, Output, facts, listing, write_json
from fantastic4.config import CONFIGS, CoreConfig, find_config
from fantastic4.configfile import dump_config, with_settings

EXAMPLES = (
    "fantastic4 configs",
    "fantastic4 configs --json",
    "fantastic4 configs base --set lanes=128 --set name=wide -o build/wide.json",
)


def command(
    name: Annotated[
        str | None,
        typer.Argument(help="One core, or a JSON file of one: all its fields.", metavar="[NAME]"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field of it.", metavar="FIELD=VALUE"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write it as JSON, which --config takes.", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the named cores: geometry, formats, and the largest network each holds.

    With a name, show the fields of that core; with --output, write them into a file that can be
    edited and given to every command as --config.
    """
    out = Output(as_json)
    if name is None:
        if settings or output:
            raise typer.BadParameter("--set and --output need the name of a core")
        rows = [describe(cfg) for cfg in CONFIGS.values()]
        shown = [{**row, "formats": ", ".join(row["formats"])} for row in rows]
        out.emit({"configs": rows}, listing("Cores", shown))
        return
    cfg = with_settings(find_config(name), settings or [])
    fields = dump_config(cfg)
    if output is not None:
        write_json(output, fields)
        out.note(f"wrote {output}")
    shown_fields = {**fields, "formats": ", ".join(cfg.formats)}
    out.emit(fields, facts(f"Core {cfg.name}", shown_fields))


def describe(cfg: CoreConfig) -> dict[str, Any]:
    """Return what a core is and holds."""
    return {
        "name": cfg.name,
        "lanes": cfg.lanes,
        "engines": cfg.engines,
        "cores": cfg.cores,
        "bank_lanes": cfg.bank_lanes,
        "masks": cfg.masks,
        "name_width": cfg.name_width,
        "weights": cfg.dense_weights,
        "bias_words": cfg.row_depth,
        "basis_sets": cfg.basis_depth,
        "inputs": cfg.max_inputs,
        "hidden": cfg.max_hidden,
        "layers": cfg.max_layers,
        "formats": list(cfg.formats),
    }
