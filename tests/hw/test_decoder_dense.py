# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.formats import dense
from fantastic4.formats.params import Params
from fantastic4_hw.decoder.dense import DenseDecoder
from fantastic4_sim.bench import simulate
from fantastic4_sim.decoding import Gaps, run_layers

COUNTS = [1, 2, 3, 33, 1, 40]


def layers_of(rng, counts, lanes):
    beats = [rng.integers(0, 16, (count, lanes), np.uint8) for count in counts]
    words = np.concatenate([dense.encode(b, Params()) for b in beats]).tolist()
    return [(Params(), count) for count in counts], beats, words


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
@pytest.mark.parametrize(
    "gaps", [Gaps(), Gaps(0.5), Gaps(0, 0.5), Gaps(0.3, 0.3, 0.9), Gaps(0.9, 0.1), Gaps(0.1, 0.9)]
)
def test_equals_software(rng, lanes, gaps):
    layers, beats, words = layers_of(rng, COUNTS, lanes)
    trace = run_layers(DenseDecoder(lanes), layers, iter([*words, 1, 2, 3]), gaps)
    for index, expected in enumerate(beats):
        assert (trace.beats(index) == expected).all()
    assert trace.words == len(words)
    assert not any(layer.faults for layer in trace.layers)


def test_one_beat_a_clock(rng):
    layers, _, words = layers_of(rng, [50, 1, 52], 8)
    dut = DenseDecoder(8)
    trace = run_layers(dut, layers, iter(words))
    for record in trace.layers:
        first = record.taken + dut.command_to_beat
        assert record.offered == list(range(first, first + len(record.beats)))
        assert record.ready == record.asked[-1] + 1


def test_start_forgets(rng):
    early, _, early_words = layers_of(rng, [31], 8)
    layers, beats, words = layers_of(rng, [5, 6], 8)
    for stop in (1, 2, 30, 31):
        cut = (early, iter(early_words), stop)
        trace = run_layers(DenseDecoder(8), layers, iter(words), Gaps(0.2, 0.2), cut=cut)
        assert all((trace.beats(k) == b).all() for k, b in enumerate(beats))


def test_passes_a_word_on_in_the_same_clock():
    dut = DenseDecoder(4)

    async def testbench(ctx):
        for word in (0x4321, 0xFFFF, 0):
            for layer in (0, 1):
                ctx.set(dut.open, layer)
                ctx.set(dut.i.payload, word)
                ctx.set(dut.i.valid, 1)
                for asks in (0, layer):
                    ctx.set(dut.step, asks)
                    *_, can, first, taken, command = await ctx.tick().sample(
                        dut.can, dut.o[0], dut.i.ready, dut.command.ready
                    )
                    assert (can, first, taken) == (layer, word & 15, asks)
                    assert command == 1 - layer

    simulate(dut, [testbench])
