# SPDX-License-Identifier: Apache-2.0
"""Integer network to image for one core, and back."""

import base64
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from fantastic4 import bias
from fantastic4.bounds import accumulator_bounds, output_bounds
from fantastic4.config import BASIS_COUNT, CoreConfig, formats_for
from fantastic4.errors import FantasticError, ImageError, PackError
from fantastic4.formats import FORMATS
from fantastic4.formats.beats import beat_count, from_beats, row_of, to_beats
from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params
from fantastic4.image import Image, build, cores_of, geometry_of, parse, readable
from fantastic4.layout import CODES, GEOMETRY, Format
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.recode import recode
from fantastic4.selection import NAMED, Choice, formats_of, select


def pack(network: Network, cfg: CoreConfig, forced: Format | None = None) -> bytes:
    """Return the image of ``network`` for cores of geometry ``cfg``.

    Each layer gets the format that takes the fewest bits of those the configuration decodes, or
    the one that is ``forced``.

    Raises
    ------
    PackError
        If an accumulator or a logit could wrap (naming layer and row), if the network does not
        fit the core (naming what is too small), or if a format is not to be had.
    """
    network = fit_masks(network, cfg)
    check_range(network, cfg)
    layers: list[dict[str, int]] = []
    basis: list[list[np.ndarray]] = [[] for _ in range(cfg.cores)]
    biases: list[list[np.ndarray]] = [[] for _ in range(cfg.cores)]
    base = 0
    choices, weights = encode_layers(network, cfg, forced)
    for layer, choice in zip(network.layers, choices, strict=True):
        stored = bias.encode_dealt(layer.bias, cfg.cores)
        layers.append(_record(layer, choice, base, stored[0], cfg))
        for core in range(cfg.cores):
            basis[core].append(basis_entries(layer, cfg, core))
            biases[core].append(stored[core].words)
        base += len(basis[0][-1])
    image = Image(
        geometry=geometry_of(cfg),
        needs={
            "input_chunks": cfg.chunks(network.in_features),
            "hidden_chunks": max(
                (cfg.chunks(x.out_features) for x in network.layers[:-1]), default=0
            ),
        },
        layers=layers,
        basis=np.concatenate(list(chain(*basis))).astype("<i2"),
        bias=np.concatenate(list(chain(*biases))),
        weights=[] if cfg.external_weights else weights,
        meta=_meta(network, cfg),
    )
    check_capacity(image, cfg)
    return build(image)


def encode_layers(
    network: Network, cfg: CoreConfig, forced: Format | None = None
) -> tuple[list[Choice], list[np.ndarray]]:
    """Return how each layer is stored, and the words of each bank, uint32.

    A core with external weights is fed the words of each bank round and round.
    """
    network = fit_masks(network, cfg)
    choices = []
    banks: list[list[np.ndarray]] = [[] for _ in range(cfg.group_rows * cfg.banks)]
    for layer in network.layers:
        beats = to_beats(layer.codes, cfg)
        choice = select(beats, cfg, layer.name, forced)
        encode = FORMATS[choice.format].encode
        for bank, part in zip(banks, beats, strict=True):
            bank.append(encode(part, choice.params))
        choices.append(choice)
    return choices, [np.concatenate(bank) for bank in banks]


def fit_masks(network: Network, cfg: CoreConfig) -> Network:
    """Return ``network`` with codes that the core has masks for.

    A core whose names stand for masks gets a mask a value, where a layer has few enough.

    Raises
    ------
    PackError
        If codes of a layer need masks that the core does not have.
    """
    if not cfg.recodes:
        return network
    layers = []
    for layer in network.layers:
        fits = [x for x in (recode(layer), layer) if not x.codes.max() >> cfg.masks]
        if not fits:
            values = len(np.unique(layer.codes[layer.codes != 0]))
            raise PackError(
                f"layer {layer.name!r} has {values} non-zero values, or one that 16 bits do not "
                f"hold; config {cfg.name} has engines of {cfg.masks} masks: train with --values "
                f"{cfg.masks}, or take a configuration with {BASIS_COUNT} masks"
            )
        layers.append(fits[0])
    return replace(network, layers=tuple(layers))


def _record(
    layer: IntegerLayer, choice: Choice, base: int, stored: bias.BiasWords, cfg: CoreConfig
) -> dict[str, int]:
    """Return the record of a layer whose basis begins at entry ``base``."""
    palette = sum(code << 4 * name for name, code in enumerate(choice.params.palette))
    return {
        "in_features": layer.in_features,
        "in_chunks": cfg.chunks(layer.in_features),
        "planes": layer.planes,
        "out_features": layer.out_features,
        "shift": layer.shift,
        "low": layer.low,
        "high": layer.high,
        "per_row": layer.per_row,
        "logits": layer.logits,
        "format": choice.format,
        "basis_base": base,
        "beats": beat_count(layer.codes.shape, cfg),
        "width": choice.params.width,
        "gap": choice.params.gap,
        "palette": palette,
        "bias_narrow": stored.narrow,
        "bias_shift": stored.shift,
        "spare": 0,
    }


def params_of(record: dict[str, int]) -> Params:
    """Return the parameters of the format that a layer record holds."""
    palette = tuple(record["palette"] >> 4 * name & 15 for name in range(16))
    module = FORMATS[Format(record["format"])]
    return module.Params(width=record["width"], gap=record["gap"], palette=palette)


def basis_entries(layer: IntegerLayer, cfg: CoreConfig, core: int = 0) -> np.ndarray:
    """Return the basis of ``layer`` in the order a core's multipliers need it, ``(entries, 4)``.

    A shared basis has one entry a tile, in every core. A basis per row has one entry a row of the
    core and tile, in the order in which its engines finish: row group, tile, row in the group. A
    row that is only padding has coefficients of 0.
    """
    tiles = cfg.tiles(layer.in_features)
    expanded = np.repeat(layer.basis, tiles, axis=1)  # (rows, planes * tiles, 4)
    if not layer.per_row:
        return expanded.reshape(-1, BASIS_COUNT)
    own = bias.deal(expanded, cfg.cores)[core]
    groups = [
        own[start : start + cfg.engines].swapaxes(0, 1).reshape(-1, BASIS_COUNT)
        for start in range(0, len(own), cfg.engines)
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
        "bias words": (len(image.bias) // cfg.cores, cfg.row_depth),
        "basis entries": (len(image.basis) // cfg.cores, cfg.basis_depth),
        "weight words a bank": (max(map(len, image.weights), default=0), cfg.weight_depth),
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
        packed = ", ".join(f"{name} {n}" for name, n in readable(image.geometry).items())
        wanted = ", ".join(f"{name} {n}" for name, n in readable(geometry_of(cfg)).items())
        raise ImageError(
            f"{source}: packed for a core of {packed}; config {cfg.name} has {wanted}. "
            f"Pack it again with --config {cfg.name}"
        )
    for index, record in enumerate(image.layers):
        if record["format"] not in formats_of(cfg):
            known = record["format"] in tuple(Format)
            name = Format(record["format"]).name.lower() if known else str(record["format"])
            raise ImageError(
                f"{source}: layer {index} is stored as {name}; config {cfg.name} decodes "
                f"{', '.join(cfg.formats)}. Pack it again with --config {cfg.name}"
            )
    try:
        check_capacity(image, cfg)
    except PackError as error:
        raise ImageError(f"{source}: {error}") from None
    return image


def geometry_config(image: Image) -> CoreConfig:
    """Return a configuration with the geometry of ``image``, large enough for it."""
    shape = image.geometry
    masks, name_width = next(key for key, code in CODES.items() if code == shape["codes"])
    return CoreConfig(
        name=image.meta.get("config", "image"),
        lanes=shape["lanes"],
        engines=shape["engines"],
        weight_depth=max(2, *(len(bank) for bank in image.weights), 2),
        row_depth=len(image.bias) // cores_of(shape),
        basis_depth=len(image.basis) // cores_of(shape),
        input_chunks=max(1, image.needs["input_chunks"]),
        hidden_chunks=max(1, image.needs["hidden_chunks"]),
        input_width=1,
        bank_lanes=shape["bank_lanes"],
        formats=formats_for(shape["bank_lanes"]),
        external_weights=bool(shape["external"]),
        masks=masks,
        name_width=name_width,
        cores=cores_of(shape),
    )


def unpack(image: Image, source: str = "image", weights: list[np.ndarray] | None = None) -> Network:
    """Return the network an image holds, from the bytes the chip would see.

    ``weights`` are the banks' words if they are not in the image.

    Raises
    ------
    ImageError
        If the sections do not fit each other, or weight words break a rule of their format; the
        message names layer, row and word.
    """
    names = image.meta.get("names", [f"layer{i}" for i in range(len(image.layers))])
    banks = image.weights if weights is None else weights
    layers: list[IntegerLayer] = []
    at = [0] * len(banks)
    try:
        cfg = geometry_config(image)
        basis = image.basis.reshape(cfg.cores, -1, BASIS_COUNT)
        biases = image.bias.reshape(cfg.cores, -1)
        for record, name in zip(image.layers, names, strict=True):
            narrow, rows = bool(record["bias_narrow"]), record["out_features"]
            taken = bias.word_count(cfg.core_rows(rows), narrow=narrow)
            stored = [
                bias.BiasWords(words[:taken], narrow, record["bias_shift"]) for words in biases
            ]
            biases = biases[:, taken:]
            layers.append(
                IntegerLayer(
                    name=name,
                    codes=_codes_of(record, banks, at, cfg),
                    basis=_basis_of(basis, record, cfg),
                    bias=bias.decode_dealt(stored, rows),
                    shift=record["shift"],
                    low=record["low"],
                    high=record["high"],
                    logits=bool(record["logits"]),
                )
            )
        if biases.size:
            raise ImageError(f"{biases.shape[1]} words of biases behind the last layer")
        for number, (used, bank) in enumerate(zip(at, banks, strict=True)):
            if used != len(bank):
                raise ImageError(f"bank {number}: {len(bank) - used} words behind the last layer")
        return Network(
            layers=tuple(layers),
            quant=_quant(image.meta),
            classes=tuple(image.meta.get("classes", ())),
            metadata=image.meta.get("model", {}),
        )
    except (ValueError, TypeError, KeyError, IndexError, FantasticError) as error:
        raise ImageError(
            f"{source}: the sections do not fit the layer table at layer {len(layers)}: {error}"
        ) from error


def _codes_of(
    record: dict[str, int], banks: list[np.ndarray], at: list[int], cfg: CoreConfig
) -> np.ndarray:
    """Decode a layer, uint8 ``(planes, out, in)``, and move ``at`` behind its words."""
    shape = (record["planes"], record["out_features"], record["in_features"])
    count = beat_count(shape, cfg)
    for what, wanted in (("in_chunks", cfg.chunks(shape[2])), ("beats", count)):
        if record[what] != wanted:
            raise ValueError(f"{what} must be {wanted}, not {record[what]}")
    kind, params = Format(record["format"]), params_of(record)
    if kind in NAMED and cfg.name_width < 4:
        masks = tuple(1 << name % (1 << params.width) for name in range(16))
        if params.width > cfg.name_width or params.palette != masks:
            raise ValueError(f"its {kind.name.lower()} must name masks, with a palette of {masks}")
    module = FORMATS[kind]
    beats = []
    for number, bank in enumerate(banks):
        try:
            words = bank[at[number] :]
            used = module.extent(words, count, cfg.bank_lanes, params)
            beats.append(module.decode(words[:used], count, cfg.bank_lanes, params))
        except FormatError as error:
            row = row_of(min(error.beat, count - 1), number, shape, cfg)
            raise ImageError(
                f"row {row}, word {at[number] + error.offset} of bank {number}: {error.what}"
            ) from None
        at[number] += used
    return from_beats(np.stack(beats), shape, cfg)


def _basis_of(entries: np.ndarray, record: dict[str, int], cfg: CoreConfig) -> np.ndarray:
    """Undo ``basis_entries`` of all cores: int32 ``(1 or rows, planes, 4)``."""
    planes, rows, base = record["planes"], record["out_features"], record["basis_base"]
    tiles = cfg.tiles(record["in_features"])
    count = planes * tiles
    if not record["per_row"]:
        shared = entries[:, base : base + count]
        if (shared != shared[0]).any():
            raise ValueError("a basis that rows share must be the same in all cores")
        expanded = shared[0].reshape(1, count, BASIS_COUNT)
    else:
        groups = []
        each = cfg.core_rows(rows)
        for start in range(0, each, cfg.engines):
            active = min(cfg.engines, each - start)
            part = entries[:, base : base + active * count]
            split = part.reshape(cfg.cores, count, active, BASIS_COUNT)
            groups.append(split.transpose(2, 0, 1, 3).reshape(-1, count, BASIS_COUNT))
            base += active * count
        expanded = np.concatenate(groups)
        if expanded[rows:].any():
            raise ValueError("the basis of rows that are only padding must be 0")
        expanded = expanded[:rows]
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
