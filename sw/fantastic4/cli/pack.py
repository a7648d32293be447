# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 pack``: a model file to the image of one core."""

from pathlib import Path
from typing import Annotated

import typer

from fantastic4.cli.common import ConfigName, Json, Output, facts, write_bytes
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 pack model.safetensors --config base -o model.f4",
    "fantastic4 pack model.safetensors --config small --format bitmask --json",
)


def command(
    model: Annotated[Path, typer.Argument(help="Model file, as train writes it.")],
    config: ConfigName = "base",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Image to write.",
            metavar="IMAGE",
            show_default="MODEL with suffix .f4",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Store every layer in this format, instead of each in its smallest.",
            metavar="FORMAT",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the image of a model for one core: the bytes the core loads.

    Proves first that no accumulator can wrap and that the core holds the network. Each layer is
    stored in the smallest format that the core decodes; inspect shows what the others would take.
    """
    from fantastic4 import modelfile, report
    from fantastic4.pack import pack, read_image
    from fantastic4.selection import find_format

    cfg = find_config(config)
    output = output or model.with_suffix(".f4")
    forced = None if format_name is None else find_format(format_name)
    raw = pack(modelfile.load(model), cfg, forced)
    write_bytes(output, raw)
    found = report.image_record(raw, read_image(raw, cfg, str(output)))
    record = {
        "image": str(output),
        **{key: found[key] for key in ("config", "bytes", "crc32", "weights")},
        **{key: found[key] for key in ("bits_per_weight", "entropy")},
        "formats": [layer["format"] for layer in found["layers"]],
    }
    Output(as_json).emit(record, facts(f"Packed for {cfg.name}", record))
