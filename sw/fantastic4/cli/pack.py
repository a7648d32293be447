# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 pack``: a model file to the image of one core."""

from pathlib import Path
from typing import Annotated

import typer

from fantastic4.cli.common import ConfigName, Json, Output, facts, write_bytes
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 pack model.safetensors --config base -o model.f4",
    "fantastic4 pack model.safetensors --config small --json",
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
    as_json: Json = False,
) -> None:
    """Write the image of a model for one core: the bytes the core loads.

    Proves first that no accumulator can wrap and that the core holds the network.
    """
    from fantastic4 import modelfile, report
    from fantastic4.pack import pack, read_image

    cfg = find_config(config)
    output = output or model.with_suffix(".f4")
    raw = pack(modelfile.load(model), cfg)
    write_bytes(output, raw)
    found = report.image_record(raw, read_image(raw, cfg, str(output)))
    record = {
        "image": str(output),
        **{key: found[key] for key in ("config", "bytes", "crc32", "weights")},
        **{key: found[key] for key in ("bits_per_weight", "entropy")},
    }
    Output(as_json).emit(record, facts(f"Packed for {cfg.name}", record))
