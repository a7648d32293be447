# SPDX-License-Identifier: Apache-2.0
"""What formats take, told from counts alone: against what the packer makes of real codes."""

import numpy as np
import pytest

from fantastic4 import cost
from fantastic4.config import find_config
from fantastic4.entropy import entropy
from fantastic4.estimate import code_bits, format_bits, layer_bits, stored_information
from fantastic4.formats.beats import to_beats
from fantastic4.layout import LAYER
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack, read_image
from fantastic4.selection import candidates, formats_of


def drawn(rng, values, density, shape=(1, 256, 512)):
    names = rng.integers(1, values + 1, shape)
    return np.where(rng.random(shape) < density, names, 0).astype(np.uint8)


def counted(codes):
    return np.bincount(codes.ravel(), minlength=16)


@pytest.mark.parametrize("values", [1, 2, 3, 7, 15])
@pytest.mark.parametrize("density", [0.01, 0.06, 0.15, 0.3, 0.7, 1.0])
def test_formats_take_what_is_estimated(rng, values, density):
    cfg = find_config("full")
    codes = drawn(rng, values, density)
    found = format_bits(counted(codes))
    made = {
        choice.format.name.lower(): choice.words * cfg.word_width / codes.size
        for choice in candidates(to_beats(codes, cfg), formats_of(cfg))
    }
    assert made.keys() <= found.keys()
    for kind, bits in made.items():
        assert found[kind] == pytest.approx(bits, rel=0.08, abs=0.005), kind


def test_a_layer_takes_what_is_estimated(rng):
    cfg = find_config("full")
    planes = np.concatenate([drawn(rng, 2, 0.2), drawn(rng, 15, 0.9)])
    basis = np.ones((1, 2, 4), np.int32)
    layer = IntegerLayer("a", planes, basis, np.zeros(256, np.int64), shift=20)
    network = Network((layer,), InputQuant(np.ones(1), np.zeros(1)))
    stored = cost.storage(read_image(pack(network, cfg), cfg))
    assert layer_bits(planes) <= cost.bits_per_weight(stored)  # it has one format for both planes
    alone = Network(
        (IntegerLayer("a", planes[:1], basis[:, :1], np.zeros(256, np.int64), shift=20),),
        network.quant,
    )
    stored = cost.storage(read_image(pack(alone, cfg), cfg))
    assert layer_bits(planes[:1]) == pytest.approx(cost.bits_per_weight(stored), rel=0.05)


def test_basis_record_and_biases_count():
    assert layer_bits(np.zeros((1, 4, 8), np.uint8)) == (64 + LAYER.width + 16 * 4) / 32
    assert layer_bits(np.zeros((2, 4, 8), np.uint8)) > layer_bits(np.zeros((1, 4, 8), np.uint8))


def test_zeros_alone_take_hardly_anything():
    counts = np.zeros(16, int)
    counts[0] = 1000
    assert code_bits(counts) == 0
    assert stored_information(counts)[0] == 0
    assert np.isinf(stored_information(counts)[1:]).all()


@pytest.mark.parametrize("density", [0.02, 0.12, 0.3, 0.5])
def test_codes_answer_for_what_is_stored(rng, density):
    """The bits of all codes are those of the smallest format, names as wide as they need be."""
    counts = counted(drawn(rng, 2, density))
    bits = stored_information(counts)
    used = np.isfinite(bits)
    total = float(counts[used] @ bits[used]) / counts.sum()
    last = float(counts[1:3].max() / counts.sum())  # needs no name, were it alone
    sparse = {k: v for k, v in format_bits(counts).items() if k in ("bitmask", "bitmask2", "csr")}
    assert total + last == pytest.approx(min(sparse.values()))


def test_a_rarer_code_never_takes_less():
    counts = np.array([5000, *range(1500, 0, -100)])
    bits = stored_information(counts)
    assert (np.diff(bits[1:]) >= 0).all()
    assert bits[1:] - bits[1] == pytest.approx([0, 1, 2, 2, *[3] * 4, *[4] * 7])


def test_no_format_is_far_below_the_entropy(rng):
    for density in (0.05, 0.2, 0.6):
        codes = drawn(rng, 2, density)
        assert code_bits(counted(codes)) > 0.97 * entropy(codes)
