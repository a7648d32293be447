# SPDX-License-Identifier: Apache-2.0
"""Model files: an integer network as safetensors, with a digest of its contents; numpy only.

Tensors: ``codes`` uint8, the stream of `fantastic4.codec` that holds the codes of all layers;
``layers.N.basis`` int16, ``layers.N.bias`` int32, ``quant.gain`` and ``quant.offset`` float64. The
file's metadata has one text, ``fantastic4``: a JSON object with everything else and ``sha256``, the
digest of that object without it and of all tensors, the codes as ``layers.N.codes``, decoded. The
same network always gives the same bytes. Version 1, which can still be read, has the tensors
``layers.N.codes`` themselves.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from fantastic4 import codec
from fantastic4.errors import ModelError
from fantastic4.files import replace_file
from fantastic4.network import InputQuant, IntegerLayer, Network

FORMAT = "fantastic4-model"
VERSION = 2
PLAIN = 1
"""The version whose codes are not compressed."""

SUFFIX = ".safetensors"
CODES = "codes"
"""The tensor of compressed codes."""

_FIELDS = {"name": str, "shift": int, "low": int, "high": int, "logits": bool}
_TYPES = {
    "codes": (np.uint8, np.uint8),
    "basis": (np.int16, np.int32),
    "bias": (np.int32, np.int64),
}
"""Each tensor of a layer: its type in the file and in `IntegerLayer`."""


def save(network: Network, path: str | Path) -> None:
    """Write ``network`` to ``path``, in one step: a reader never sees half a file.

    Raises
    ------
    ModelError
        If the metadata is not plain JSON or the file cannot be written.
    """
    path = Path(path)
    tensors = {"quant.gain": network.quant.gain, "quant.offset": network.quant.offset}
    tensors = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
    for number, layer in enumerate(network.layers):
        for part, (stored, _) in _TYPES.items():
            tensors[f"layers.{number}.{part}"] = getattr(layer, part).astype(stored)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "layers": [{key: getattr(layer, key) for key in _FIELDS} for layer in network.layers],
        "classes": list(network.classes),
        "metadata": network.metadata,
    }
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    try:
        content["sha256"] = _digest(content, tensors)
        text = json.dumps(content, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: metadata must be plain JSON: {error}") from error
    stream = codec.encode([layer.codes for layer in network.layers])
    others = {name: value for name, value in tensors.items() if not _is_codes(name)}
    data = save_tensors(others | {CODES: np.frombuffer(stream, np.uint8)}, {"fantastic4": text})
    try:
        replace_file(path, data)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}") from error


def load(path: str | Path) -> Network:
    """Return the network in the file ``path``.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a model file of this version, lacks something, or was
        altered since it was written.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    try:
        tensors = load_tensors(data)
        texts = _header(data).get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a model file or is damaged: {error}") from error
    content = _content(path, texts)
    if content["version"] != PLAIN:
        tensors = _decoded(path, tensors)
    if content.pop("sha256", None) != _digest(content, tensors):
        raise ModelError(f"{path} was altered since it was written: its sha256 does not match")
    try:
        return _network(content, tensors)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} is malformed: {error}") from error


def code_bits(data: bytes) -> int:
    """Return the bits that the codes take in the model file ``data``, all that is theirs counted.

    That is the stream with its shapes, tables and checksum, and the entry in the file's header.
    """
    header = _header(data)
    entries = {name: header[name] for name in header if name == CODES or _is_codes(name)}
    text = json.dumps(entries, separators=(",", ":"))
    stored = sum(end - begin for begin, end in (x["data_offsets"] for x in entries.values()))
    return 8 * (stored + len(text) - 1)  # without the braces, with a comma


def _header(data: bytes) -> dict[str, Any]:
    """Return the JSON object at the start of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size])


def _is_codes(name: str) -> bool:
    """Return whether the tensor ``name`` has the codes of one layer."""
    return name.startswith("layers.") and name.endswith(".codes")


def _decoded(path: Path, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return ``tensors`` with the codes of each layer in place of the stream."""
    others = {name: value for name, value in tensors.items() if name != CODES}
    if CODES not in tensors:
        raise ModelError(f"{path} lacks {CODES!r}")
    try:
        layers = codec.decode(tensors[CODES].tobytes())
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return others | {f"layers.{number}.codes": codes for number, codes in enumerate(layers)}


def _content(path: Path, texts: dict[str, str]) -> dict[str, Any]:
    """Return the JSON object among the metadata's ``texts``, if of this format and version."""
    try:
        content = json.loads(texts["fantastic4"], parse_constant=_no_constant)
        found, version = content["format"], content["version"]
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path} is safetensors, but not a model file written by fantastic4"
        ) from error
    if found != FORMAT:
        raise ModelError(f"{path}: format must be {FORMAT!r}, not {found!r}")
    if version not in (PLAIN, VERSION):
        raise ModelError(
            f"{path}: this program reads versions {PLAIN} and {VERSION} of the format, "
            f"not {version!r}; a newer release may read it"
        )
    return content


def _no_constant(name: str) -> None:
    """Refuse NaN and infinities, which are not JSON."""
    raise ValueError(f"{name} is not JSON")


def _network(content: dict[str, Any], tensors: dict[str, np.ndarray]) -> Network:
    """Return the network; ``KeyError`` if something is missing."""
    layers = []
    for number, fields in enumerate(content["layers"]):
        arrays = {}
        for part, (stored, used) in _TYPES.items():
            tensor = tensors[f"layers.{number}.{part}"]
            if tensor.dtype != stored:
                raise ModelError(
                    f"layers.{number}.{part} must be {np.dtype(stored)}, not {tensor.dtype}"
                )
            arrays[part] = tensor.astype(used)
        given = {key: fields[key] for key in _FIELDS}
        for key, value in given.items():
            if type(value) is not _FIELDS[key]:
                raise ModelError(f"{key} of layer {number} must be a JSON {_FIELDS[key].__name__}")
        layers.append(IntegerLayer(**given, **arrays))
    quant = InputQuant(tensors["quant.gain"], tensors["quant.offset"])
    classes, metadata = tuple(content["classes"]), content["metadata"]
    if not all(isinstance(name, str) for name in classes) or not isinstance(metadata, dict):
        raise ModelError("classes must be texts and metadata an object")
    network = Network(tuple(layers), quant, classes, metadata)
    for what, values in (("quant.gain", quant.gain), ("quant.offset", quant.offset)):
        if values.shape not in ((1,), (network.in_features,)) or not np.isfinite(values).all():
            raise ModelError(f"{what} must be 1 or {network.in_features} finite numbers")
    return network


def _digest(content: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of ``content`` and ``tensors``, their names, types and shapes included."""
    text = json.dumps(content, allow_nan=False, sort_keys=True)
    state = hashlib.sha256(text.encode())
    for name, value in sorted(tensors.items()):
        head = json.dumps([name, value.dtype.str, value.shape])
        state.update(f"\n{head}\n".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()
