# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 inspect``: what a model or an image holds."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fantastic4.cli.common import Json, Output, facts, listing, read_bytes, shown
from fantastic4.errors import FantasticError

EXAMPLES = (
    "fantastic4 inspect model.safetensors",
    "fantastic4 inspect model.f4 --json",
)


def command(
    file: Annotated[Path, typer.Argument(help="Model file or image; the content tells which.")],
    as_json: Json = False,
) -> None:
    """Show layers, basis, storage and checksums of a model or an image.

    Bits per weight count everything that is stored for a layer, beside the first-order entropy
    of its codes: in an image what its core stores, in a model the same without a core's padding.
    Code bits in file, of a model, are what its compressed codes take, a weight.
    """
    from fantastic4 import modelfile, report
    from fantastic4.layout import MAGIC
    from fantastic4.pack import read_image

    raw = read_bytes(file)
    if raw[:4] == MAGIC.to_bytes(4, "little"):
        record = report.image_record(raw, read_image(raw, source=str(file)))
    elif is_safetensors(raw):
        record = report.model_record(raw, modelfile.load(file))
    else:
        raise FantasticError(
            f"{file}: neither a model (safetensors) nor an image (it starts with {raw[:4]!r})"
        )
    Output(as_json).emit({"file": str(file), **record}, *tables(file, record))


def is_safetensors(raw: bytes) -> bool:
    """Return whether ``raw`` starts like a safetensors file: a length, then a JSON object."""
    return len(raw) > 8 and raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") <= len(raw) - 8


def tables(file: Path, record: dict[str, Any]) -> list[Table]:
    """Return the tables for people."""
    top = {key: value for key, value in record.items() if isinstance(value, str | int | float)}
    if geometry := record.get("geometry"):
        top["geometry"] = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in geometry.items())
    if record["classes"]:
        top["classes"] = ", ".join(record["classes"])
    for name, value in record["metadata"].items():
        if isinstance(value, str | int | float):
            top[name] = value
    layers = [
        {
            "layer": layer["name"],
            "in": layer["in_features"],
            "out": layer["out_features"],
            "format": layer["format"],
            "bits/weight": layer["bits_per_weight"],
            "entropy": layer["entropy"],
            **({"other formats": others(layer)} if "alternatives" in layer else {}),
            "density": layer["density"],
            "output": "logits" if layer["logits"] else f">> {layer['shift']}, {layer['clamp']}",
        }
        for layer in record["layers"]
    ]
    bases = [
        {
            "layer": layer["name"],
            "kind": layer["basis_kind"],
            "plane": plane,
            **{f"ω{i}": span(value) for i, value in enumerate(values)},
        }
        for layer in record["layers"]
        for plane, values in enumerate(layer["basis"])
    ]
    return [facts(str(file), top), listing("Layers", layers), listing("Basis", bases)]


def others(layer: dict[str, Any]) -> str:
    """Return the bits per weight a layer would take in each other format."""
    return "\n".join(f"{name} {bits:.3f}" for name, bits in layer["alternatives"].items())


def span(value: int | list[int]) -> str:
    """Return a coefficient, or the range a coefficient has over the rows."""
    if isinstance(value, int):
        return shown(value)
    return f"{value[0]:,} … {value[1]:,}"
