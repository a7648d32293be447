# SPDX-License-Identifier: Apache-2.0
import zlib

import pytest

from fantastic4_hw.checksum import WordChecksum
from fantastic4_sim.bench import simulate


@pytest.mark.parametrize("bytewise", [False, True])
def test_is_that_of_zlib(rng, bytewise):
    """Word after word, and anew after ``start``, also in the middle of one."""
    dut = WordChecksum(bytewise=bytewise)
    words = rng.integers(0, 1 << 32, 20).astype("<u4")
    seen = []

    async def drive(ctx):
        for count in (3, 20):
            for at in range(count):
                ctx.set(dut.data, int(words[at]))
                ctx.set(dut.valid, 1)
                await ctx.tick()
                ctx.set(dut.valid, 0)
                clocks = 0
                while ctx.get(dut.busy):
                    await ctx.tick()
                    clocks += 1
                assert clocks == (5 if bytewise else 0)
                seen.append(ctx.get(dut.crc))
            ctx.set(dut.data, 1)
            ctx.set(dut.valid, 1)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)

    simulate(dut, [drive])
    expected = [zlib.crc32(words[: n + 1].tobytes()) for n in range(20)]
    assert seen == expected[:3] + expected
