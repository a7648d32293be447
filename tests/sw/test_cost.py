# SPDX-License-Identifier: Apache-2.0
from math import log2

import numpy as np
import pytest

from fantastic4.config import TINY
from fantastic4.cost import (
    bits_per_weight,
    code_entropy,
    layer_entropy,
    network_entropy,
    storage,
)
from fantastic4.image import parse
from fantastic4.layout import LAYER, Format
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack


def network():
    """Two layers whose codes can be counted by hand."""
    codes = np.zeros((1, 3, 5), np.uint8)
    codes[0, 0] = [1, 1, 2, 2, 2]
    first = IntegerLayer("a", codes, np.ones((3, 1, 4), np.int32), np.zeros(3, np.int64))
    planes = np.array([[[1, 2, 3]], [[0, 0, 0]]], np.uint8)
    second = IntegerLayer("b", planes, np.ones((1, 2, 4), np.int32), np.zeros(1, np.int64))
    return Network((first, second), InputQuant(np.ones(1), np.zeros(1)))


def test_bits_of_a_small_network():
    """Layer a: 2 groups of 2 chunks, 2 engines, 16 bits a word; 3 basis entries, 2 bias words."""
    a, b = storage(parse(pack(network(), TINY, Format.DENSE)))
    assert (a.name, a.in_features, a.out_features, a.weights, a.format) == ("a", 5, 3, 15, "dense")
    assert a.weight_bits == 2 * 2 * 2 * 16
    assert a.stored_bits == a.weight_bits + 3 * 64 + 2 * 32 + LAYER.width
    assert a.bits_per_weight == a.stored_bits / 15
    assert a.density == 5 / 15
    # Layer b: one group of one chunk in each of 2 planes; one shared basis entry a plane.
    assert b.weight_bits == 2 * 2 * 16
    assert b.stored_bits == b.weight_bits + 2 * 64 + 32 + LAYER.width
    assert b.density == 3 / 6
    assert bits_per_weight([a, b]) == (a.stored_bits + b.stored_bits) / 18


def test_stored_bits_are_the_records_of_the_image():
    image = parse(pack(network(), TINY, Format.DENSE))
    total = sum(x.stored_bits for x in storage(image))
    weights = sum(len(bank) for bank in image.weights) * TINY.word_width
    assert total == weights + 64 * len(image.basis) + 32 * len(image.bias) + LAYER.width * len(
        image.layers
    )


def test_entropy():
    assert code_entropy(np.arange(16, dtype=np.uint8)) == 4
    assert code_entropy(np.zeros((3, 4), np.uint8)) == 0
    assert code_entropy(np.array([0, 0, 0, 5], np.uint8)) == pytest.approx(
        -0.75 * log2(0.75) - 0.25 * log2(0.25)
    )
    first, second = network().layers
    a = -(10 / 15 * log2(10 / 15) + 2 / 15 * log2(2 / 15) + 3 / 15 * log2(3 / 15))
    assert layer_entropy(first) == pytest.approx(a)
    assert layer_entropy(second) == pytest.approx(log2(3))
    assert network_entropy(network()) == pytest.approx((15 * a + 3 * log2(3)) / 18)
