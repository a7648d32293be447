# SPDX-License-Identifier: Apache-2.0
"""Several decoders as one: the command says which works."""

import itertools

import numpy as np
import pytest

from fantastic4.formats import FORMATS
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4_hw.decoder.select import DECODERS, SelectDecoder, count_width
from fantastic4_sim.decoding import Gaps, run_layers

SETS = [(kind,) for kind in Format] + list(itertools.combinations(Format, 2)) + [tuple(Format)]


def names(formats):
    return tuple(kind.name.lower() for kind in formats)


def layers_of(rng, kinds, lanes=8):
    """Random layers of these formats: parameters and counts, beats, words."""
    layers, beats, words = [], [], []
    for kind in kinds:
        most = {Format.TERNARY: 3, Format.TERNARY5: 2}.get(kind, int(rng.integers(1, 16)))
        data = rng.integers(1, most + 1, (int(rng.integers(1, 16)), lanes), np.uint8)
        data[rng.random(data.shape) >= rng.uniform(0, 1)] = 0
        params = FORMATS[kind].choose(data)
        layers.append((params, len(data)))
        beats.append(data)
        words += FORMATS[kind].encode(data, params).tolist()
    return layers, beats, words


def check(trace, beats, words):
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all()
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


@pytest.mark.parametrize("formats", SETS, ids=lambda formats: "+".join(names(formats)))
def test_layers_in_any_order(rng, geometry, formats):
    """Only words from outside may be late."""
    gaps = [Gaps(), Gaps(0.3, 0.3, 0.3)][len(formats) % 2]
    cfg = geometry(8, 1, formats=names(formats), external_weights=gaps.words > 0)
    dut = SelectDecoder(cfg)
    kinds = [formats[k] for k in rng.integers(0, len(formats), 12)]
    layers, beats, words = layers_of(rng, kinds)
    trace = run_layers(dut, layers, iter([*words, 1, 2, 3]), gaps, formats=kinds)
    check(trace, beats, words)


@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
def test_start_forgets_whichever_works(rng, geometry, kind):
    dut_cfg = geometry(8, 1, formats=names(Format), external_weights=True)
    early, _, early_words = layers_of(rng, [kind] * 3)
    for last in Format:
        kinds = [kind, last, kind]
        layers, beats, words = layers_of(rng, kinds)
        cut = (early, iter(early_words), int(rng.integers(1, sum(count for _, count in early))))
        dut = SelectDecoder(dut_cfg)
        trace = run_layers(dut, layers, iter(words), Gaps(0.1, 0.3), formats=kinds, cut=cut)
        check(trace, beats, words)


def test_garbage_never_hangs(rng, geometry):
    """Any words in any format, with parameters that no packer gives."""
    dut = SelectDecoder(geometry(8, 1, formats=names(Format), external_weights=True))
    kinds = [Format(int(kind)) for kind in rng.integers(0, len(Format), 25)]
    layers = []
    for _ in kinds:
        palette = tuple(rng.integers(0, 16, 16).tolist())
        params = Params(int(rng.integers(8)), int(rng.integers(16)), palette)
        layers.append((params, int(rng.integers(1, 30))))
    words = (int(word) for word in iter(lambda: rng.integers(1 << 32), None))
    trace = run_layers(dut, layers, words, Gaps(0.1, 0.1), formats=kinds)
    assert [len(record.beats) for record in trace.layers] == [count for _, count in layers]


@pytest.mark.parametrize("depth", [2, 3, 1000, 1024, 65535])
def test_counters_are_wide_enough_for_a_full_bank(geometry, depth):
    """A bank of nothing but masks, or of dense words: so many beats a word, and not one more."""
    cfg = geometry(8, 1, weight_depth=depth)
    for kind in DECODERS:
        width = count_width(cfg, kind)
        beats, bits = {Format.BITMASK2: (16, 4), Format.DENSE: (1, 0)}.get(kind, (4, 2))
        assert beats * depth < 1 << width
        assert depth < 1 << width - bits
    assert count_width(cfg, Format.CSR) == 24
    assert count_width(geometry(8, 1, external_weights=True), Format.DENSE) == 24
