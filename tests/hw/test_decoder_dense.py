# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fantastic4.formats import dense
from fantastic4_hw.decoder.dense import DenseDecoder
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, sink, source


@pytest.mark.parametrize("lanes", [1, 3, 4, 5, 16])
@pytest.mark.parametrize(("i_gap", "o_gap"), [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
def test_gives_the_codes_that_were_encoded(rng, geometry, lanes, i_gap, o_gap):
    dut = DenseDecoder(geometry(lanes, 1))
    beats = rng.integers(0, 16, (40, lanes), np.uint8)
    words = [int.from_bytes(x.astype("<u4").tobytes(), "little") for x in dense.encode(beats)]
    seen: list = []
    simulate(
        dut,
        [source(dut.i, words, gap=i_gap), sink(dut.o, len(words), seen, gap=o_gap)],
        checkers=[keeps_promise(dut.o)],
    )
    assert seen == beats.tolist()


def test_latency(geometry):
    dut = DenseDecoder(geometry(4, 1))

    async def testbench(ctx):
        for word in (0x4321, 0xFFFF, 0):
            ctx.set(dut.i.payload, word)
            ctx.set(dut.i.valid, 1)
            for ready in (0, 1):
                ctx.set(dut.o.ready, ready)
                *_, valid, first, taken = await ctx.tick().sample(
                    dut.o.valid, dut.o.payload[0], dut.i.ready
                )
                assert (valid, first, taken) == (1, word & 15, ready)

    simulate(dut, [testbench])
    assert dut.latency == 0
