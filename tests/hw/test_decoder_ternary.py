# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.formats import ternary
from fantastic4_hw.decoder.ternary import TernaryDecoder
from fantastic4_sim.decoding import Gaps, run_layers

COUNTS = [1, 2, 3, 33, 1, 40]


def layers_of(rng, counts, lanes):
    beats = [rng.integers(0, 4, (count, lanes), np.uint8) for count in counts]
    words = np.concatenate([ternary.encode(b, ternary.Params()) for b in beats]).tolist()
    return [(ternary.Params(), count) for count in counts], beats, words


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize(
    "gaps", [Gaps(), Gaps(0.5), Gaps(0, 0.5), Gaps(0.3, 0.3, 0.9), Gaps(0.9, 0.1), Gaps(0.1, 0.9)]
)
def test_equals_software(rng, lanes, gaps):
    layers, beats, words = layers_of(rng, COUNTS, lanes)
    trace = run_layers(TernaryDecoder(lanes), layers, iter([*words, 1, 2, 3]), gaps)
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all()
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


def test_one_beat_a_clock(rng):
    layers, _, words = layers_of(rng, [50, 51, 52], 8)
    dut = TernaryDecoder(8)
    trace = run_layers(dut, layers, iter(words))
    for record in trace.layers:
        first = record.taken + dut.command_to_beat
        assert record.offered == list(range(first, first + len(record.beats)))
    for before, after in zip(trace.layers, trace.layers[1:], strict=False):
        assert after.taken == before.handed[-1] + dut.beat_to_command


def test_start_forgets(rng):
    early, _, early_words = layers_of(rng, [31], 8)
    layers, beats, words = layers_of(rng, [5, 6], 8)
    for stop in (1, 2, 30, 31):
        cut = (early, iter(early_words), stop)
        trace = run_layers(TernaryDecoder(8), layers, iter(words), Gaps(0.2, 0.2), cut=cut)
        assert all((trace.beats(k) == b).all() for k, b in enumerate(beats))


@pytest.mark.parametrize("count", [0, 1, 255])
def test_narrow_counter(rng, count):
    layers, beats, words = layers_of(rng, [count, 3], 8)
    trace = run_layers(TernaryDecoder(8, count_width=8), layers, iter(words))
    assert trace.beats(0).tolist() == beats[0].tolist()
    assert (trace.beats(1) == beats[1]).all()
