# SPDX-License-Identifier: Apache-2.0
"""Integer network to image for one core, and back."""

import base64
from typing import Any

import numpy as np

from fantastic4.bounds import accumulator_bounds, output_bounds
from fantastic4.config import BASIS_COUNT, CoreConfig
from fantastic4.errors import ImageError, ModelError, PackError
from fantastic4.formats import ENCODERS, dense
from fantastic4.formats.beats import beat_count, from_beats, to_beats
from fantastic4.image import Image, build, geometry_of, parse
from fantastic4.layout import GEOMETRY, Format
from fantastic4.network import InputQuant, IntegerLayer, Network


def pack(network: Network, cfg: CoreConfig) -> bytes:
    """Return the image of ``network`` for cores of geometry ``cfg``.

    Raises
    ------
    PackError
        If an accumulator or a logit could wrap (naming layer and row), or the network does not
        fit the core (naming what is too small).
    """
    check_range(network, cfg)
    layers: list[dict[str, int]] = []
    banks: list[list[np.ndarray]] = [[] for _ in range(cfg.engines)]
    basis: list[np.ndarray] = []
    base = 0
    for layer in network.layers:
        entries = basis_entries(layer, cfg)
        layers.append(
            {
                "in_features": layer.in_features,
                "in_chunks": cfg.chunks(layer.in_features),
                "planes": layer.planes,
                "out_features": layer.out_features,
                "shift": layer.shift,
                "low": layer.low,
                "high": layer.high,
                "per_row": layer.per_row,
                "logits": layer.logits,
                "format": Format.DENSE,
                "basis_base": base,
                "reserved": 0,
            }
        )
        base += len(entries)
        basis.append(entries)
        for bank, beats in zip(banks, to_beats(layer.codes, cfg.lanes, cfg.engines), strict=True):
            bank.append(dense.encode(beats))
    image = Image(
        geometry=geometry_of(cfg),
        needs={
            "input_chunks": cfg.chunks(network.in_features),
            "hidden_chunks": max(
                (cfg.chunks(x.out_features) for x in network.layers[:-1]), default=0
            ),
        },
        layers=layers,
        basis=np.concatenate(basis).astype("<i2"),
        bias=np.concatenate([x.bias for x in network.layers]).astype("<i4"),
        weights=[np.concatenate(bank) for bank in banks],
        meta=_meta(network, cfg),
    )
    check_capacity(image, cfg)
    return build(image)


def basis_entries(layer: IntegerLayer, cfg: CoreConfig) -> np.ndarray:
    """Return the basis of ``layer`` in the order the multipliers need it, shape ``(entries, 4)``.

    A shared basis has one entry a tile. A basis per row has one entry a row and tile, in the
    order in which the engines finish: row group, tile, row in the group.
    """
    tiles = cfg.tiles(layer.in_features)
    expanded = np.repeat(layer.basis, tiles, axis=1)  # (rows, planes * tiles, 4)
    if not layer.per_row:
        return expanded.reshape(-1, BASIS_COUNT)
    groups = [
        expanded[start : start + cfg.engines].swapaxes(0, 1).reshape(-1, BASIS_COUNT)
        for start in range(0, layer.out_features, cfg.engines)
    ]
    return np.concatenate(groups)


def check_range(network: Network, cfg: CoreConfig) -> None:
    """Prove that no accumulator or logit can wrap; raise ``PackError`` where one can."""
    greatest_input = 255
    for index, layer in enumerate(network.layers):
        checks = [("accumulator", accumulator_bounds(layer, greatest_input), cfg.acc_width)]
        if layer.logits:
            checks.append(("logit", output_bounds(layer, greatest_input), cfg.logit_width))
        for what, bounds, bits in checks:
            rows = bounds.outside(bits)
            if len(rows):
                row = int(rows[0])
                raise PackError(
                    f"layer {index} ({layer.name!r}), row {row}: the {what} may reach "
                    f"{bounds.least[row]}..{bounds.greatest[row]}, which {bits} signed bits do "
                    f"not hold ({len(rows)} such rows). Lower the layer with a smaller scale"
                )
        greatest_input = layer.high


def check_capacity(image: Image, cfg: CoreConfig) -> None:
    """Raise ``PackError`` if the memories of ``cfg`` do not hold ``image``."""
    needed = {
        "layers": (len(image.layers), cfg.max_layers),
        "input chunks": (image.needs["input_chunks"], cfg.input_chunks),
        "hidden chunks": (image.needs["hidden_chunks"], cfg.hidden_chunks),
        "rows": (len(image.bias), cfg.row_depth),
        "basis entries": (len(image.basis), cfg.basis_depth),
        "weight words an engine": (max(len(bank) for bank in image.weights), cfg.weight_depth),
    }
    for what, (need, have) in needed.items():
        if need > have:
            raise PackError(
                f"config {cfg.name} holds {have} {what}, the network needs {need}: "
                "take a larger configuration or a smaller network"
            )


def read_image(raw: bytes, cfg: CoreConfig | None = None, source: str = "image") -> Image:
    """Parse an image and, if ``cfg`` is given, refuse one for another core (``ImageError``)."""
    image = parse(raw, source)
    if cfg is None:
        return image
    if GEOMETRY.pack(**image.geometry) != GEOMETRY.pack(**geometry_of(cfg)):
        packed = ", ".join(f"{name} {value}" for name, value in image.geometry.items())
        wanted = ", ".join(f"{name} {value}" for name, value in geometry_of(cfg).items())
        raise ImageError(
            f"{source}: packed for a core of {packed}; config {cfg.name} has {wanted}. "
            f"Pack it again with --config {cfg.name}"
        )
    try:
        check_capacity(image, cfg)
    except PackError as error:
        raise ImageError(f"{source}: {error}") from None
    return image


def unpack(image: Image, source: str = "image") -> Network:
    """Return the network an image holds, from the bytes the chip would see.

    Raises
    ------
    ImageError
        If the sections do not fit each other.
    """
    names = image.meta.get("names", [f"layer{i}" for i in range(len(image.layers))])
    lanes, engines = image.geometry["lanes"], image.geometry["engines"]
    tile = image.geometry["tile_chunks"] * lanes
    layers: list[IntegerLayer] = []
    word, row = 0, 0
    try:
        for record, name in zip(image.layers, names, strict=True):
            planes, rows, columns = (
                record[key] for key in ("planes", "out_features", "in_features")
            )
            if record["in_chunks"] != -(-columns // lanes):
                raise ValueError(f"{columns} inputs are not {record['in_chunks']} chunks")
            beats = beat_count(planes, rows, columns, lanes, engines)
            words = ENCODERS[Format(record["format"])].word_count(beats)
            parts = [bank[word : word + words] for bank in image.weights]
            codes = from_beats(
                np.stack([dense.decode(part, lanes) for part in parts]), planes, rows, columns
            )
            layers.append(
                IntegerLayer(
                    name=name,
                    codes=codes,
                    basis=_basis_of(image.basis, record, engines, -(-columns // tile)),
                    bias=image.bias[row : row + rows].astype(np.int64),
                    shift=record["shift"],
                    low=record["low"],
                    high=record["high"],
                    logits=bool(record["logits"]),
                )
            )
            word, row = word + words, row + rows
        return Network(
            layers=tuple(layers),
            quant=_quant(image.meta),
            classes=tuple(image.meta.get("classes", ())),
            metadata=image.meta.get("model", {}),
        )
    except (ValueError, TypeError, KeyError, IndexError, ModelError) as error:
        raise ImageError(
            f"{source}: the sections do not fit the layer table at layer {len(layers)}: {error}"
        ) from error


def _basis_of(entries: np.ndarray, record: dict[str, int], engines: int, tiles: int) -> np.ndarray:
    """Undo ``basis_entries``: int32 ``(1 or rows, planes, 4)``."""
    planes, rows, base = record["planes"], record["out_features"], record["basis_base"]
    count = planes * tiles
    if not record["per_row"]:
        expanded = entries[base : base + count].reshape(1, count, BASIS_COUNT)
    else:
        groups = []
        for start in range(0, rows, engines):
            active = min(engines, rows - start)
            part = entries[base : base + active * count]
            groups.append(part.reshape(count, active, BASIS_COUNT).swapaxes(0, 1))
            base += active * count
        expanded = np.concatenate(groups)
    return expanded[:, ::tiles].astype(np.int32)


def _meta(network: Network, cfg: CoreConfig) -> dict[str, Any]:
    def text(values: np.ndarray) -> str:
        return base64.b64encode(np.asarray(values, "<f8").tobytes()).decode()

    return {
        "config": cfg.name,
        "names": [layer.name for layer in network.layers],
        "classes": list(network.classes),
        "gain": text(network.quant.gain),
        "offset": text(network.quant.offset),
        "model": network.metadata,
    }


def _quant(meta: dict[str, Any]) -> InputQuant:
    def values(key: str, default: float) -> np.ndarray:
        if key not in meta:
            return np.array([default])
        return np.frombuffer(base64.b64decode(meta[key]), "<f8")

    return InputQuant(gain=values("gain", 1.0), offset=values("offset", 0.0))


__all__ = ["basis_entries", "check_range", "pack", "read_image", "unpack"]
