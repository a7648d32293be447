# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from fantastic4.formats import csr
from fantastic4.formats.errors import FormatError
from fantastic4_hw.decoder.csr import CsrDecoder
from fantastic4_sim.decoding import Gaps, run_layers


def some_beats(rng, count, lanes, density, kinds):
    codes = rng.permutation(np.arange(1, 16, dtype=np.uint8))[:kinds]
    beats = rng.choice(codes, (count, lanes))
    beats[rng.random(beats.shape) >= density] = 0
    return beats


def all_params(lanes):
    for token in csr.WIDTHS[lanes]:
        for width in range(csr.MAX_WIDTH + 1):
            if 1 <= token - width <= csr.MAX_GAP:
                yield width, token - width


def layers_of(rng, lanes, shapes):
    """Layers of (count, density, width, gap)."""
    layers, beats, words = [], [], []
    for count, density, width, gap in shapes:
        data = some_beats(rng, count, lanes, density, (1 << width) - (width == 4))
        palette = np.zeros(16, np.int64)
        used = rng.permutation(np.unique(data[data != 0]))
        palette[: len(used)] = used
        params = csr.Params(width, gap, tuple(palette.tolist()))
        layers.append((params, count))
        beats.append(data)
        words += csr.encode(data, params).tolist()
    return layers, beats, words


def check(trace, beats, words):
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all(), f"layer {index}"
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


@pytest.mark.parametrize("lanes", [4, 8])
def test_every_pair_of_widths(rng, lanes):
    shapes = []
    for index, (width, gap) in enumerate(all_params(lanes)):
        density = [0.0, 0.05, 0.2, 1.0][index % 4]
        shapes += [(int(rng.integers(1, 40)), density, width, gap), (20, 0.1, width, gap)]
    layers, beats, words = layers_of(rng, lanes, shapes)
    check(run_layers(CsrDecoder(lanes), layers, iter([*words, 1, 2, 3])), beats, words)


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize(
    "gaps", [Gaps(0.5), Gaps(0, 0.5), Gaps(0.3, 0.3, 0.9), Gaps(0.9, 0.1), Gaps(0.1, 0.9)]
)
def test_equals_software_under_stalls(rng, lanes, gaps):
    pairs = list(all_params(lanes))
    shapes = [
        (int(count), density, *pairs[rng.integers(len(pairs))])
        for density in (0.0, 0.01, 0.1, 0.4, 1.0)
        for count in (1, 2, rng.integers(3, 60))
    ]
    layers, beats, words = layers_of(rng, lanes, shapes)
    check(run_layers(CsrDecoder(lanes), layers, iter([*words, 1, 2, 3]), gaps), beats, words)


@pytest.mark.parametrize("where", ["first", "last", "end of beat", "none", "late"])
def test_layers_that_end_in_every_way(rng, where):
    layers, beats, words = [], [], []
    params = csr.Params(1, 4, (7, 2, *[0] * 14))
    for count in (1, 2, 3, 4, 5, 30, 31):
        data = np.zeros((count, 8), np.uint8)
        places = {"first": [(0, 0)], "last": [(-1, 7)], "none": [], "late": [(-1, 2)]}
        places["end of beat"] = [(k, 7) for k in range(count)]
        for beat, lane in places[where]:
            data[beat, lane] = 2
        layers.append((params, count))
        beats.append(data)
        words += csr.encode(data, params).tolist()
    for gaps in (Gaps(), Gaps(0.5, 0.2)):
        check(run_layers(CsrDecoder(8), layers, iter([*words, 1]), gaps), beats, words)


@pytest.mark.parametrize("lanes", [4, 8])
def test_ready_times_are_exact(rng, lanes):
    pairs = list(all_params(lanes))
    shapes = [
        (200, density, *pairs[rng.integers(len(pairs))])
        for density in (0.0, 0.01, 0.05, 0.1, 0.12, 0.15, 0.2, 0.3, 1.0)
    ]
    layers, beats, words = layers_of(rng, lanes, shapes)
    beats[5][:60], beats[6][50:90] = 0, 0
    words = np.concatenate([csr.encode(b, p) for b, (p, _) in zip(beats, layers, strict=True)])
    dut = CsrDecoder(lanes)
    trace = run_layers(dut, layers, iter(words.tolist()))
    check(trace, beats, words)
    for record, data, (params, _) in zip(trace.layers, beats, layers, strict=True):
        expected = record.taken + csr.ready_times(data, params)
        assert record.offered == expected.tolist()
    for before, after in itertools.pairwise(trace.layers):
        assert after.taken == before.asked[-1] + dut.beat_to_command


@pytest.mark.parametrize("density", [0.0, 0.02, 0.06])
def test_one_beat_a_clock(rng, density):
    beats = some_beats(rng, 600, 8, density, 3)
    params = csr.choose(beats)
    trace = run_layers(CsrDecoder(8), [(params, 600)], iter(csr.encode(beats, params).tolist()))
    offered = trace.layers[0].offered
    assert offered[-1] - offered[0] <= 599 + 3


PARAMS = csr.Params(2, 4, (1, 2, 3, *[0] * 13))


def word_of(*tokens):
    """A word of (gap, name)."""
    word = 0
    for slot, (gap, name) in enumerate(tokens):
        planes = [gap >> b & 1 for b in range(4)] + [name >> 1, name & 1]
        word |= sum(bit << plane * 5 + slot for plane, bit in enumerate(planes))
    return word


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([word_of((0, 1), (0, 3), (15, 0))], "outside the palette"),
        ([word_of((14, 1), (1, 0))], "behind the last position"),
        ([word_of((15, 0), (14, 0))], "behind the last position"),
    ],
)
def test_faults(rng, words, message):
    with pytest.raises(FormatError, match=message):
        csr.decode(np.array(words, np.uint32), 2, 8, PARAMS)
    good = some_beats(rng, 9, 8, 0.1, 3) % 4
    words = [*words, *csr.encode(good, PARAMS).tolist()]
    trace = run_layers(CsrDecoder(8), [(PARAMS, 2), (PARAMS, 9)], iter(words))
    assert trace.layers[0].faults == 1
    assert trace.layers[1].faults == 0
    assert (trace.beats(1) == good).all()


@pytest.mark.parametrize("lanes", [4, 8])
def test_garbage_never_hangs(rng, lanes):
    """Also with commands that no packer gives: a gap of no bits, tokens of no known width."""
    layers = []
    for _ in range(30):
        palette = tuple(rng.integers(0, 16, 16).tolist())
        params = csr.Params(int(rng.integers(8)), int(rng.integers(16)), palette)
        layers.append((params, int(rng.integers(1, 40))))
    words = (int(w) for w in iter(lambda: rng.integers(1 << 4 * lanes) & -rng.integers(2), None))
    trace = run_layers(CsrDecoder(lanes), layers, words, Gaps(0.2, 0.2))
    assert [len(record.beats) for record in trace.layers] == [count for _, count in layers]


def test_start_forgets(rng):
    early, _, early_words = layers_of(rng, 8, [(60, 0.5, 2, 4)])
    layers, beats, words = layers_of(rng, 8, [(30, 0.2, 1, 5), (30, 0.05, 4, 4)])
    for stop in (1, 20, 59, 60):
        cut = (early, iter(early_words), stop)
        trace = run_layers(CsrDecoder(8), layers, iter(words), Gaps(0.1, 0.4), cut=cut)
        check(trace, beats, words)


@pytest.mark.parametrize("count", [0, 1, 255])
def test_narrow_counter(rng, count):
    layers, beats, words = layers_of(rng, 8, [(count, 0.1, 2, 4), (3, 0.5, 1, 5)])
    trace = run_layers(CsrDecoder(8, count_width=8), layers, iter(words))
    assert trace.beats(0).tolist() == beats[0].tolist()
    assert (trace.beats(1) == beats[1]).all()
