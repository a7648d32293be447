# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.config import FULL
from fantastic4.formats import ternary
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4.pace import first_beat
from fantastic4_hw.decoder.ternary import TernaryDecoder
from fantastic4_sim.decoding import Gaps, run_layers

COUNTS = [1, 2, 3, 33, 1, 40]
KINDS = [Format.TERNARY] * 3


def layers_of(rng, counts, lanes):
    layers, beats, words = [], [], []
    for count in counts:
        palette = [0, *rng.permutation(np.arange(1, 16))[:3].tolist(), *[0] * 12]
        beats.append(np.array(palette, np.uint8)[rng.integers(0, 4, (count, lanes))])
        params = Params(palette=tuple(palette))
        layers.append((params, count))
        words += ternary.encode(beats[-1], params).tolist()
    return layers, beats, words


@pytest.mark.parametrize("lane", range(4))
@pytest.mark.parametrize("at", [0, 1, 6])
def test_a_name_without_a_code_is_a_fault(rng, lane, at):
    """Wherever it stands; the layers before and behind have none."""
    layers, beats, words = layers_of(rng, [5, 7, 4], 4)
    params, count = layers[1]
    beats[1][beats[1] == params.palette[3]] = 0
    beats[1][at, lane] = params.palette[3]
    words[3:7] = ternary.encode(beats[1], params).tolist()
    layers[1] = Params(palette=(*params.palette[:3], *[0] * 13)), count
    trace = run_layers(TernaryDecoder(4), layers, iter(words), Gaps(0.2, 0.2), formats=KINDS)
    assert [record.faults for record in trace.layers] == [0, 1, 0]
    beats[1][at, lane] = 0
    assert all((trace.beats(k) == b).all() for k, b in enumerate(beats))


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
    assert dut.command_to_beat == first_beat(Format.TERNARY, FULL)
    trace = run_layers(dut, layers, iter(words))
    for record in trace.layers:
        first = record.taken + dut.command_to_beat
        assert record.offered == list(range(first, first + len(record.beats)))
    for before, after in zip(trace.layers, trace.layers[1:], strict=False):
        assert after.taken == before.asked[-1] + dut.beat_to_command


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
