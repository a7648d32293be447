# SPDX-License-Identifier: Apache-2.0
"""Both bit masks: of one level and of two."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import FULL, formats_for
from fantastic4.formats import FORMATS
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4.pace import WIDE, first_beat
from fantastic4_hw.decoder.masked import MaskedDecoder
from fantastic4_hw.decoder.select import DECODERS
from fantastic4_sim.decoding import Gaps, run_layers

KINDS = [(Format.BITMASK, lanes) for lanes in (1, 2, 4, 8)]
KINDS += [(Format.BITMASK2, lanes) for lanes in (4, 8)]
LARGE = [(kind, lanes) for kind, lanes in KINDS if lanes > 2]
NAMES = {0: 1, 1: 2, 2: 4, 3: 7, 4: 15}


def core(lanes):
    return replace(FULL, bank_lanes=lanes, formats=formats_for(lanes))


def some_beats(rng, count, lanes, density, names):
    codes = rng.permutation(np.arange(1, 16, dtype=np.uint8))[:names]
    beats = rng.choice(codes, (count, lanes))
    beats[rng.random(beats.shape) >= density] = 0
    return beats


def params_of(rng, beats, width):
    """Names in any order; those that are not in use are marked by 0, the last ones."""
    period = np.zeros(1 << width, np.int64)
    used = np.unique(beats[beats != 0])
    spare = np.setdiff1d(np.arange(1, 16), used)
    names = max(len(used), int(rng.integers(1, NAMES[width] + 1)))
    period[:names] = rng.permutation([*used, *spare[: names - len(used)]])
    return Params(width, palette=tuple(np.resize(period, 16).tolist()))


def run(kind, lanes, layers, words, *settings, **others):
    dut = DECODERS[kind](lanes)
    return run_layers(dut, layers, words, *settings, formats=[kind] * len(layers), **others)


def layers_of(rng, kind, lanes, shapes):
    """Layers of (count, density, width)."""
    layers, beats, words = [], [], []
    for count, density, width in shapes:
        data = some_beats(rng, count, lanes, density, NAMES[width])
        params = params_of(rng, data, width)
        layers.append((params, count))
        beats.append(data)
        words += FORMATS[kind].encode(data, params).tolist()
    return layers, beats, words


def check(trace, beats, words):
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all(), f"layer {index}"
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
@pytest.mark.parametrize(
    "gaps", [Gaps(), Gaps(0.5), Gaps(0, 0.5), Gaps(0.3, 0.3, 0.9), Gaps(0.9, 0.1), Gaps(0.1, 0.9)]
)
def test_equals_software(rng, kind, lanes, gaps):
    """Widths change from layer to layer, and layers end everywhere in a block."""
    shapes = [
        (int(count), density, int(rng.integers(5)))
        for density in (0.0, 0.05, 0.3, 0.7, 1.0)
        for count in (1, 2, rng.integers(3, 10), rng.integers(10, 60))
    ]
    layers, beats, words = layers_of(rng, kind, lanes, shapes)
    check(run(kind, lanes, layers, iter([*words, 1, 2, 3]), gaps), beats, words)


@pytest.mark.parametrize(("kind", "lanes"), LARGE)
@pytest.mark.parametrize("width", range(5))
def test_every_pair_of_widths_and_every_end(rng, kind, lanes, width):
    """Nothing of a layer reaches the next one, whatever it has not used up."""
    shapes = []
    for count in range(1, 10):
        other = (count + width) % 5
        shapes += [(count, [0.3, 0.6, 1.0][count % 3], width), (4 + count % 4, 0.6, other)]
    layers, beats, words = layers_of(rng, kind, lanes, shapes)
    check(run(kind, lanes, layers, iter([*words, 1, 2, 3])), beats, words)


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
@pytest.mark.parametrize("width", range(5))
def test_clocks_are_exact(rng, kind, lanes, width):
    """First beat, one beat a clock but for the pauses ``pauses`` names, and the next command."""
    shapes = [(80, density, width) for density in (0.0, 0.3, 0.9, 1.0)] + [(8, 1.0, width)]
    layers, beats, words = layers_of(rng, kind, lanes, shapes)
    dut = DECODERS[kind](lanes)
    assert isinstance(dut, MaskedDecoder)
    assert dut.command_to_beat == first_beat(kind, core(lanes))
    trace = run_layers(dut, layers, iter(words), formats=[kind] * len(layers))
    check(trace, beats, words)
    paused = 0
    for record, data, (params, count) in zip(trace.layers, beats, layers, strict=True):
        pauses = FORMATS[kind].pauses(data, params)
        first = record.taken + dut.command_to_beat
        assert record.offered == (first + np.arange(count) + np.cumsum(pauses)).tolist()
        assert record.ready == record.asked[-1] + dut.beat_to_command
        paused += int(pauses.sum())
    assert (paused > 0) == (width >= WIDE[kind])


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
def test_a_refused_beat_costs_nothing_else(rng, kind, lanes):
    """A reader that pauses once gets everything a clock later, and no more than that."""
    layers, beats, words = layers_of(rng, kind, lanes, [(60, 0.5, 3)])
    trace = run(kind, lanes, layers, iter(words), Gaps(0, 0.3))
    check(trace, beats, words)
    record = trace.layers[0]
    steps = [
        after - before for before, after in zip(record.asked, record.offered[1:], strict=False)
    ]
    assert steps == [1] * 59


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
@pytest.mark.parametrize("gaps", [Gaps(), Gaps(0.2, 0.2)])
def test_garbage_never_hangs(rng, kind, lanes, gaps):
    """Any words, also with commands that no packer gives; then a good layer is exact."""
    layers = []
    for _ in range(25):
        palette = tuple(rng.integers(0, 16, 16).tolist())
        layers.append((Params(int(rng.integers(8)), 0, palette), int(rng.integers(1, 40))))
    words = (int(w) for w in iter(lambda: rng.integers(1 << 4 * lanes) & -rng.integers(2), None))
    trace = run(kind, lanes, layers, words, gaps)
    assert [len(record.beats) for record in trace.layers] == [count for _, count in layers]


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
@pytest.mark.parametrize("width", range(5))
def test_a_name_without_a_code_is_a_fault(rng, kind, lanes, width):
    """Wherever it stands; the layer before and that behind it have none."""
    for at in (0, 1, 20, 39):
        layers, beats, words = layers_of(rng, kind, lanes, [(10, 0.5, 2), (40, 0.4, width)])
        beats[1][at] = beats[1][beats[1] != 0][0]
        rare = beats[1][at, 0]
        params = FORMATS[kind].choose(beats[1])
        words = words[: len(FORMATS[kind].encode(beats[0], layers[0][0]))]
        words += FORMATS[kind].encode(beats[1], params).tolist()
        nameless = tuple(0 if code == rare else code for code in params.palette)
        layers = [layers[0], (Params(params.width, palette=nameless), 40), layers[0]]
        words += FORMATS[kind].encode(beats[0], layers[0][0]).tolist()
        trace = run(kind, lanes, layers, iter(words), Gaps(0.1, 0.1))
        assert [record.faults > 0 for record in trace.layers] == [False, True, False]
        beats[1][beats[1] == rare] = 0
        assert (trace.beats(1) == beats[1]).all()
        assert (trace.beats(2) == beats[0]).all()


@pytest.mark.parametrize(("kind", "lanes"), KINDS)
def test_a_good_layer_follows_a_bad_one(rng, kind, lanes):
    """The bad one takes as many words as its masks ask for: ``extent`` says how many."""
    bad, count = Params(3, palette=(1, 2, 3, 4, 5, 0, 0, 0) * 2), 32
    garbage = rng.integers(0, 1 << 4 * lanes, 200).astype(np.uint32)
    used = FORMATS[kind].extent(garbage, count, lanes, bad)
    layers, beats, words = layers_of(rng, kind, lanes, [(20, 0.5, 2), (20, 0.5, 4)])
    stream = [*garbage[:used].tolist(), *words]
    trace = run(kind, lanes, [(bad, count), *layers], iter(stream), Gaps(0.2, 0.2))
    assert trace.words == len(stream)
    for index, expected in enumerate(beats):
        assert (trace.beats(index + 1) == expected).all()


@pytest.mark.parametrize(("kind", "lanes"), LARGE)
def test_start_forgets(rng, kind, lanes):
    for width in range(5):
        early, _, early_words = layers_of(rng, kind, lanes, [(60, 0.7, (width + 3) % 5)])
        shapes = [(30, 0.6, width), (30, 0.3, (width + 1) % 5)]
        layers, beats, words = layers_of(rng, kind, lanes, shapes)
        for stop in (1, 2, 3, 21, 59, 60):
            cut = (early, iter(early_words), stop)
            check(run(kind, lanes, layers, iter(words), Gaps(0.1, 0.4), cut=cut), beats, words)


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Format.BITMASK, count) for count in (1, 249, 252)]
    + [(Format.BITMASK2, count) for count in (1, 225, 240)],
)
def test_narrow_counter(rng, kind, count):
    """Up to as many beats as the masks, or flags, of a full bank are for."""
    layers, beats, words = layers_of(rng, kind, 8, [(count, 0.5, 2), (3, 0.5, 1)])
    dut = DECODERS[kind](8, count_width=8)
    trace = run_layers(dut, layers, iter(words), formats=[kind] * 2)
    assert trace.beats(0).tolist() == beats[0].tolist()
    assert (trace.beats(1) == beats[1]).all()
