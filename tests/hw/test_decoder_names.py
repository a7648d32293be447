# SPDX-License-Identifier: Apache-2.0
"""Decoders of masks whose names stand for masks, and those that decode dense layers, too."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import FULL
from fantastic4.formats import FORMATS
from fantastic4.formats.names import choose_masks
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4.pace import beat_latency, first_beat
from fantastic4_hw.decoder.masked import MaskedDecoder
from fantastic4_hw.decoder.select import DECODERS
from fantastic4_sim.decoding import Gaps, run_layers

SHAPES = [(Format.BITMASK, lanes) for lanes in (1, 2, 4, 8)]
SHAPES += [(Format.BITMASK2, lanes) for lanes in (4, 8)]
CASES = [(kind, lanes, width) for kind, lanes in SHAPES for width in (1, 2, 4)]
GAPS = [Gaps(), Gaps(0, 0.5), Gaps(0, 0.3, 0.9)]
LATE = [Gaps(0.5), Gaps(0.3, 0.3, 0.9)]
AT_HAND = [True, False]


def decoder(kind, lanes, name_width, at_hand):
    kind_of = DECODERS[kind]
    assert issubclass(kind_of, MaskedDecoder)
    return kind_of(lanes, name_width=name_width, dense=True, at_hand=at_hand)


def layers_of(rng, kind, lanes, name_width, shapes):
    """Layers of (count, density, width of a name); a width of None is a dense layer."""
    layers, kinds, beats, words = [], [], [], []
    for count, density, width in shapes:
        if width is None:
            codes = np.arange(16)
        elif name_width == 4:
            codes = rng.permutation(np.arange(1, 16))[: [1, 2, 4, 8, 15][width]]
        else:
            codes = 1 << np.arange(1 << width)
        data = rng.choice(codes.astype(np.uint8), (count, lanes))
        data[rng.random(data.shape) >= density] = 0
        used = Format.DENSE if width is None else kind
        params = Params()
        if width is not None:
            params = FORMATS[kind].choose(data)
            if name_width < 4:
                params = Params(width, palette=tuple(codes.tolist() * (16 >> width)))
        kinds.append(used)
        layers.append((params, count))
        beats.append(data)
        words += FORMATS[used].encode(data, params).tolist()
    return layers, kinds, beats, words


def check(trace, beats, words):
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all(), f"layer {index}"
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


def widths_of(name_width):
    return [None, *range(name_width + 1)]


@pytest.mark.parametrize(("kind", "lanes", "name_width"), CASES)
@pytest.mark.parametrize(
    ("at_hand", "gaps"),
    [*((hand, g) for hand in AT_HAND for g in GAPS), *((False, g) for g in LATE)],
)
def test_every_layer_behind_every_other(rng, kind, lanes, name_width, at_hand, gaps):
    """Nothing of a layer reaches the next one, wherever it ends, dense or not."""
    widths = widths_of(name_width)
    shapes = []
    for first in widths:
        for second in widths:
            density = float(rng.choice([0.3, 0.6, 1.0]))
            shapes += [(int(rng.integers(1, 14)), density, width) for width in (first, second)]
    shapes = shapes if gaps == Gaps() else shapes[:: 1 + name_width // 2]
    layers, kinds, beats, words = layers_of(rng, kind, lanes, name_width, shapes)
    dut = decoder(kind, lanes, name_width, at_hand)
    check(run_layers(dut, layers, iter([*words, 1, 2]), gaps, formats=kinds), beats, words)


@pytest.mark.parametrize(("kind", "lanes", "name_width"), CASES)
@pytest.mark.parametrize("at_hand", AT_HAND)
def test_clocks_are_exact(rng, kind, lanes, name_width, at_hand):
    """First beat, a beat a clock but for the pauses there are, and the next command."""
    shapes = [(50, 0.7, width) for width in widths_of(name_width)] + [(40, 1.0, None)]
    layers, kinds, beats, words = layers_of(rng, kind, lanes, name_width, shapes)
    dut = decoder(kind, lanes, name_width, at_hand)
    formats = ("dense", kind.name.lower())
    cfg = replace(FULL, bank_lanes=lanes, name_width=name_width, formats=formats)
    cfg = replace(cfg, external_weights=not at_hand)
    assert dut.command_to_beat == first_beat(kind, cfg)
    assert dut.dense_to_beat == first_beat(Format.DENSE, cfg)
    assert dut.latency == beat_latency(kind, cfg)
    trace = run_layers(dut, layers, iter(words), formats=kinds)
    check(trace, beats, words)
    for record, data, (params, count), used in zip(trace.layers, beats, layers, kinds, strict=True):
        pauses = np.zeros(count, int)
        if used != Format.DENSE:
            pauses = FORMATS[kind].pauses(data, params)
            assert params.width > 2 or not pauses.any()
        first = record.taken + first_beat(used, cfg)
        assert record.offered == (first + np.arange(count) + np.cumsum(pauses)).tolist()
        assert record.ready == record.asked[-1] + dut.beat_to_command


@pytest.mark.parametrize(("kind", "lanes", "name_width"), CASES)
@pytest.mark.parametrize("at_hand", AT_HAND)
def test_start_forgets(rng, kind, lanes, name_width, at_hand):
    for width in widths_of(name_width):
        other = widths_of(name_width)[int(rng.integers(name_width + 2))]
        for stop in (1, 2, 19, 20):
            early, used, _, early_words = layers_of(
                rng, kind, lanes, name_width, [(20, 0.8, width)]
            )
            shapes = [(12, 0.6, width), (12, 0.5, other)]
            layers, kinds, beats, words = layers_of(rng, kind, lanes, name_width, shapes)
            assert used == kinds[:1]
            cut = (early, iter(early_words), stop)
            dut = decoder(kind, lanes, name_width, at_hand)
            gaps = Gaps(0 if at_hand else 0.1, 0.4)
            trace = run_layers(dut, layers, iter(words), gaps, formats=kinds, cut=cut)
            check(trace, beats, words)


@pytest.mark.parametrize(("kind", "lanes", "name_width"), CASES)
@pytest.mark.parametrize("at_hand", AT_HAND)
def test_garbage_never_hangs(rng, kind, lanes, name_width, at_hand):
    layers, kinds = [], []
    for _ in range(20):
        layers.append((Params(int(rng.integers(8))), int(rng.integers(1, 40))))
        kinds.append(kind if rng.integers(3) else Format.DENSE)
    words = (int(w) for w in iter(lambda: rng.integers(1 << 4 * lanes) & -rng.integers(2), None))
    dut = decoder(kind, lanes, name_width, at_hand)
    gaps = Gaps(0 if at_hand else 0.2, 0.2)
    trace = run_layers(dut, layers, words, gaps, formats=kinds)
    assert [len(record.beats) for record in trace.layers] == [count for _, count in layers]


@pytest.mark.parametrize(("kind", "lanes"), SHAPES)
@pytest.mark.parametrize("pauses", [0.0, 0.7])
@pytest.mark.parametrize("at_hand", AT_HAND)
def test_every_number_of_blocks(rng, kind, lanes, pauses, at_hand):
    """Blocks are counted modulo 8: by as many beats as there may be near the end, and more."""
    span = 4 if kind == Format.BITMASK else 2 * lanes
    counts = [c for b in range(1, 19) for c in (span * b, span * b - int(rng.integers(1, span)))]
    shapes = [(count, rng.choice([0, 0.3, 1]), 1) for count in counts]
    shapes += [(count, 0.5, None) for count in range(1, 20)]
    layers, kinds, beats, words = layers_of(rng, kind, lanes, 2, shapes)
    dut = decoder(kind, lanes, 2, at_hand)
    trace = run_layers(dut, layers, iter([*words, 1, 2]), Gaps(0, pauses), formats=kinds)
    check(trace, beats, words)


def test_names_that_stand_for_masks():
    codes = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    assert choose_masks(codes, 1) == Params(1, palette=(1, 2) * 8)
    assert choose_masks(codes // 2, 1) == Params(0, palette=(1,) * 16)
    assert choose_masks(0 * codes, 1) == Params(0, palette=(1,) * 16)
    assert choose_masks(2 * codes, 1) is None
    assert choose_masks(2 * codes, 2) == Params(2, palette=(1, 2, 4, 8) * 4)
    assert choose_masks(codes + 1, 2) is None
