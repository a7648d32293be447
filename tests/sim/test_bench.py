# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.errors import SimulationError
from fantastic4_sim.bench import simulate


class Counter(wiring.Component):
    step: Signal
    count: Signal

    def __init__(self):
        super().__init__({"step": In(4), "count": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.count.eq(self.count + self.step)
        return m


class Inverter(wiring.Component):
    """Has no clock."""

    a: Signal
    b: Signal

    def __init__(self):
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(~self.a)
        return m


async def forever(ctx):
    while True:
        await ctx.tick()


def test_testbenches_run_and_failures_come_through():
    dut = Counter()

    async def count(ctx):
        ctx.set(dut.step, 3)
        for _ in range(5):
            await ctx.tick()
        assert ctx.get(dut.count) == 15, "not fifteen"
        ctx.set(dut.step, 4)
        await ctx.tick()
        assert ctx.get(dut.count) == 20, "not twenty"

    with pytest.raises(AssertionError, match="not twenty"):
        simulate(dut, [count])


def test_a_failing_checker_ends_the_simulation():
    async def never_two(ctx):
        while True:
            *_, count = await ctx.tick().sample(dut.count)
            assert count != 2, "saw two"

    async def step(ctx):
        ctx.set(dut.step, 1)
        await forever(ctx)

    dut = Counter()
    with pytest.raises(AssertionError, match="saw two"):
        simulate(dut, [step], [never_two])


def test_the_watchdog_names_who_hangs():
    async def done(ctx):
        await ctx.tick()

    message = "^Counter: after 50 cycles still waiting for forever$"
    with pytest.raises(SimulationError, match=message):
        simulate(Counter(), [done, forever], timeout_cycles=50)


def test_no_clock_is_needed():
    dut = Inverter()

    async def look(ctx):
        for value in range(16):
            ctx.set(dut.a, value)
            await ctx.tick()
            assert ctx.get(dut.b) == 15 - value

    simulate(dut, [look])


@pytest.mark.parametrize(("wanted", "files"), [("1", ["Counter.vcd"]), ("0", [])])
def test_waveform_on_request(monkeypatch, tmp_path, wanted, files):
    async def tick(ctx):
        await ctx.tick()

    monkeypatch.setenv("FANTASTIC4_VCD", wanted)
    simulate(Counter(), [tick], traces=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == files
