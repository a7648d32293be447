# SPDX-License-Identifier: Apache-2.0
"""What a model or an image holds, as plain records: what the command line shows."""

import hashlib
from typing import Any

import numpy as np

from fantastic4 import bias, cost, modelfile
from fantastic4.image import Image, readable
from fantastic4.layout import VERSION, Format
from fantastic4.network import IntegerLayer, Network
from fantastic4.pack import unpack


def layer_record(layer: IntegerLayer) -> dict[str, Any]:
    """Return what a layer is, wherever it is stored.

    The ``basis`` is one list of four numbers a plane; of a basis per row, the range of each.
    """
    return {
        "name": layer.name,
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "weights": layer.weights,
        "planes": layer.planes,
        "basis_kind": "per row" if layer.per_row else "shared",
        "basis": basis_values(layer),
        "shift": layer.shift,
        "clamp": None if layer.logits else [layer.low, layer.high],
        "logits": layer.logits,
        "entropy": cost.layer_entropy(layer),
        "density": float(np.count_nonzero(layer.codes) / layer.codes.size),
    }


def basis_values(layer: IntegerLayer) -> list[list[Any]]:
    """Return the basis of each plane: four numbers, or four pairs (least, greatest) of all rows."""
    if not layer.per_row:
        return layer.basis[0].tolist()
    return np.stack([layer.basis.min(axis=0), layer.basis.max(axis=0)], axis=-1).tolist()


def network_record(network: Network) -> dict[str, Any]:
    """Return what a network is, wherever it is stored."""
    return {
        "in_features": network.in_features,
        "out_features": network.out_features,
        "classes": list(network.classes),
        "weights": network.weights,
        "entropy": cost.network_entropy(network),
        "layers": [layer_record(layer) for layer in network.layers],
        "metadata": network.metadata,
    }


def model_record(raw: bytes, network: Network) -> dict[str, Any]:
    """Return what a model file of bytes ``raw`` holds.

    Bits per weight count 4-bit codes, basis and biases; a core adds padding, or saves with a
    better format. Those ``in_file`` are of the codes alone, as the file keeps them.
    """
    record = {
        "kind": "model",
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bits_per_weight": sum(map(dense_bits, network.layers)) / network.weights,
        "code_bits_in_file": modelfile.code_bits(raw) / network.weights,
        **network_record(network),
    }
    for found, layer in zip(record["layers"], network.layers, strict=True):
        found["format"] = Format.DENSE.name.lower()
        found["stored_bits"] = dense_bits(layer)
        found["bits_per_weight"] = dense_bits(layer) / layer.weights
    return record


def dense_bits(layer: IntegerLayer) -> int:
    """Return the bits of a layer's 4-bit codes, basis and biases."""
    biases = 32 * len(bias.encode(layer.bias).words)
    return 4 * layer.codes.size + 16 * layer.basis.size + biases


def image_record(raw: bytes, image: Image) -> dict[str, Any]:
    """Return what an image of bytes ``raw`` holds; bits per weight count all that is stored."""
    network = unpack(image)
    stored = cost.storage(image)
    record = {
        "kind": "image",
        "bytes": len(raw),
        "format_version": VERSION,
        "config": image.meta.get("config"),
        "geometry": readable(image.geometry),
        "crc32": f"{int.from_bytes(raw[-4:], 'little'):08x}",
        "bits_per_weight": cost.bits_per_weight(stored),
        **network_record(network),
    }
    for layer, bits in zip(record["layers"], stored, strict=True):
        layer["format"] = bits.format
        layer["stored_bits"] = bits.stored_bits
        layer["bits_per_weight"] = bits.bits_per_weight
        layer["alternatives"] = {
            name: (bits.stored_bits - bits.weight_bits + other) / bits.weights
            for name, other in bits.alternatives.items()
            if name != bits.format
        }
    return record
