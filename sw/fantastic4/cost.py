# SPDX-License-Identifier: Apache-2.0
"""Bits and cycles predicted from an image, and what a core takes of a chip.

The simulator is held against the cycles, synthesis against the rest.
"""

from dataclasses import dataclass

import numpy as np

from fantastic4.area import Area, estimate
from fantastic4.bias import word_count
from fantastic4.formats.beats import to_beats
from fantastic4.image import Image
from fantastic4.layout import LAYER, Format
from fantastic4.network import IntegerLayer, Network
from fantastic4.pack import geometry_config, unpack
from fantastic4.selection import candidates, formats_of
from fantastic4.timing import Timing, timing

__all__ = [
    "Area",
    "LayerBits",
    "Timing",
    "bits_per_weight",
    "code_entropy",
    "estimate",
    "layer_entropy",
    "network_entropy",
    "storage",
    "timing",
]


@dataclass(frozen=True)
class LayerBits:
    """What one layer occupies on the chip.

    Parameters
    ----------
    name : str
    in_features, out_features, weights : int
    format : str
        Name of the storage format, lower case.
    stored_bits : int
        Everything the chip stores for the layer: weight words of all engines (padding
        included), basis, biases, layer record.
    weight_bits : int
        The weight words alone.
    alternatives : dict
        The weight words of each format that could store the layer, bits by name.
    entropy : float
        First-order entropy of the codes, bits a weight.
    density : float
        Share of codes that are not zero.
    """

    name: str
    in_features: int
    out_features: int
    weights: int
    format: str
    stored_bits: int
    weight_bits: int
    alternatives: dict[str, int]
    entropy: float
    density: float

    @property
    def bits_per_weight(self) -> float:
        """``stored_bits`` a weight."""
        return self.stored_bits / self.weights


def code_entropy(codes: np.ndarray) -> float:
    """Return the first-order entropy of ``codes`` (any shape, values 0..15), bits a code."""
    counts = np.bincount(codes.ravel(), minlength=16)
    shares = counts[counts > 0] / codes.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def storage(image: Image) -> list[LayerBits]:
    """Return what each layer of ``image`` occupies."""
    network = unpack(image)
    cfg = geometry_config(image)
    found = []
    for layer, record in zip(network.layers, image.layers, strict=True):
        tiles = layer.planes * cfg.tiles(layer.in_features)
        rows = cfg.core_rows(layer.out_features)
        entries = cfg.cores * tiles * (rows if record["per_row"] else 1)
        words = {
            choice.format: choice.words
            for choice in candidates(to_beats(layer.codes, cfg), formats_of(cfg))
        }
        bits = {kind.name.lower(): count * cfg.word_width for kind, count in words.items()}
        bias_words = word_count(rows, narrow=bool(record["bias_narrow"]))
        bias_bits = 32 * cfg.cores * bias_words
        weight_bits = bits[Format(record["format"]).name.lower()]
        found.append(
            LayerBits(
                name=layer.name,
                in_features=layer.in_features,
                out_features=layer.out_features,
                weights=layer.weights,
                format=Format(record["format"]).name.lower(),
                stored_bits=weight_bits + 64 * entries + bias_bits + LAYER.width,
                weight_bits=weight_bits,
                alternatives=bits,
                entropy=layer_entropy(layer),
                density=float(np.count_nonzero(layer.codes) / layer.codes.size),
            )
        )
    return found


def layer_entropy(layer: IntegerLayer) -> float:
    """Return the first-order entropy of a layer, bits a weight (planes added up)."""
    return sum(code_entropy(plane) for plane in layer.codes)


def network_entropy(network: Network) -> float:
    """Return the first-order entropy of all layers, each with its own statistics, bits a weight."""
    bits = sum(layer_entropy(layer) * layer.weights for layer in network.layers)
    return bits / network.weights


def bits_per_weight(layers: list[LayerBits]) -> float:
    """Return what is stored for all ``layers``, bits a weight."""
    return sum(layer.stored_bits for layer in layers) / sum(layer.weights for layer in layers)
