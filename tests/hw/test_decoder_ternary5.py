# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.formats import ternary5
from fantastic4.formats.errors import FormatError
from fantastic4_hw.decoder.ternary5 import Ternary5Decoder
from fantastic4_sim.decoding import Gaps, run_layers

COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 33, 1, 40]


def layers_of(rng, counts, lanes):
    beats = [rng.integers(0, 3, (count, lanes), np.uint8) for count in counts]
    words = np.concatenate([ternary5.encode(b, ternary5.Params()) for b in beats]).tolist()
    return [(ternary5.Params(), count) for count in counts], beats, words


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize(
    "gaps", [Gaps(), Gaps(0.5), Gaps(0, 0.5), Gaps(0.3, 0.3, 0.9), Gaps(0.9, 0.1), Gaps(0.1, 0.9)]
)
def test_equals_software(rng, lanes, gaps):
    layers, beats, words = layers_of(rng, COUNTS, lanes)
    trace = run_layers(Ternary5Decoder(lanes), layers, iter([*words, 1, 2, 3]), gaps)
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all()
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


def test_one_beat_a_clock(rng):
    layers, _, words = layers_of(rng, [50, 51, 52], 8)
    dut = Ternary5Decoder(8)
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
        trace = run_layers(Ternary5Decoder(8), layers, iter(words), Gaps(0.2, 0.2), cut=cut)
        assert all((trace.beats(k) == b).all() for k, b in enumerate(beats))


@pytest.mark.parametrize("count", [0, 1, 255])
def test_narrow_counter(rng, count):
    layers, beats, words = layers_of(rng, [count, 3], 8)
    trace = run_layers(Ternary5Decoder(8, count_width=8), layers, iter(words))
    assert trace.beats(0).tolist() == beats[0].tolist()
    assert (trace.beats(1) == beats[1]).all()


@pytest.mark.parametrize("lanes", [4, 8])
def test_every_byte(lanes):
    """Each of the 256 bytes is a layer of four beats and a fifth: what decodes, and what faults."""
    layers, words, expected = [], [], []
    for byte in range(256):
        own = np.zeros(lanes, np.uint8)
        own[byte % lanes] = byte
        values = own.view("<u4" if lanes == 8 else "<u2").astype(np.uint32)
        words += values.tolist()
        layers.append((ternary5.Params(), 5))
        try:
            expected.append(ternary5.decode(values, 5, lanes, ternary5.Params()))
        except FormatError:
            expected.append(None)
    trace = run_layers(Ternary5Decoder(lanes), layers, iter(words))
    assert sum(e is None for e in expected) == 13
    for index, beats in enumerate(expected):
        assert trace.layers[index].faults == (beats is None)
        assert beats is None or (trace.beats(index) == beats).all()


@pytest.mark.parametrize("lanes", [4, 8])
def test_garbage_never_hangs(rng, lanes):
    counts = rng.integers(1, 40, 20).tolist()
    words = (int(w) for w in iter(lambda: rng.integers(1 << 4 * lanes), None))
    layers = [(ternary5.Params(), count) for count in counts]
    trace = run_layers(Ternary5Decoder(lanes), layers, words, Gaps(0.2, 0.2))
    assert [len(record.beats) for record in trace.layers] == counts
    assert sum(record.faults for record in trace.layers) > 0


def test_padding_does_not_reach_the_next_layer(rng):
    layers, beats, words = layers_of(rng, [4, 9], 8)
    full = ternary5.encode(np.full((5, 8), 1, np.uint8), ternary5.Params()).tolist()
    trace = run_layers(Ternary5Decoder(8), layers, iter(full + words[2:]))
    assert (trace.beats(0) == 1).all()
    assert (trace.beats(1) == beats[1]).all()
