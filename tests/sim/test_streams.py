# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest
from amaranth.hdl import Module, ShapeLike, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.errors import SimulationError
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import get, keeps_promise, put, sink, source, stays_silent

ITEM = data.StructLayout({"value": signed(8), "pair": data.ArrayLayout(4, 2), "last": 1})


class Register(wiring.Component):
    """Holds one payload. ``fault`` breaks one rule of a stream."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, fault: str = "", shape: ShapeLike = ITEM):
        self.fault = fault
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        full, held = Signal(), Signal.like(o.payload)
        m.d.comb += [i.ready.eq(~full | (o.ready & o.valid)), o.valid.eq(full), o.payload.eq(held)]
        with m.If(o.valid & o.ready):
            m.d.sync += full.eq(0)
        with m.If(i.valid & i.ready):
            m.d.sync += [held.eq(i.payload), full.eq(1)]
        age = Signal(2)
        with m.If(o.valid & ~o.ready):
            m.d.sync += age.eq(age + 1)
        if self.fault == "loses":
            m.d.comb += i.ready.eq(1)
        if self.fault == "withdraws":
            m.d.comb += o.valid.eq(full & (age != 1))
        if self.fault == "changes":
            m.d.comb += o.payload.value.eq(held.value ^ age)
        if self.fault == "waits for ready":
            m.d.comb += o.valid.eq(full & o.ready)
        return m


def items(count: int) -> list[dict]:
    return [
        {"value": n % 200 - 100, "pair": [n % 16, n % 7], "last": n % 3 == 0} for n in range(count)
    ]


def run(dut, count=60, **gaps):
    seen: list = []
    simulate(
        dut,
        [
            source(dut.i, items(count), gap=gaps.get("i_gap", 0.0)),
            sink(dut.o, count, seen, gap=gaps.get("o_gap", 0.0), late=gaps.get("late", False)),
        ],
        [keeps_promise(dut.i, "i"), keeps_promise(dut.o, "o")],
        timeout_cycles=1000,
    )
    return seen


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("i_gap", "o_gap"), [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
def test_everything_arrives(i_gap, o_gap, late):
    assert run(Register(), i_gap=i_gap, o_gap=o_gap, late=late) == items(60)


def test_no_gap_means_every_clock():
    dut, cycles = Register(), []

    async def clock(ctx):
        while True:
            await ctx.tick()
            cycles.append(0)

    seen: list = []
    simulate(dut, [source(dut.i, items(60)), sink(dut.o, 60, seen)], [clock])
    assert len(cycles) == 61


def test_gaps_follow_the_seed_and_differ_between_ends():
    def intervals(seed, *, i_gap=0.0, o_gap=0.0):
        """Clocks between payloads taken at the end that pauses."""
        dut, times = Register(), []
        port = dut.i if i_gap else dut.o

        async def watch(ctx):
            clock = 0
            while True:
                *_, valid, ready = await ctx.tick().sample(port.valid, port.ready)
                clock += 1
                if valid and ready:
                    times.append(clock)

        simulate(
            dut,
            [
                source(dut.i, items(40), gap=i_gap, seed=seed),
                sink(dut.o, 40, [], gap=o_gap, seed=seed),
            ],
            [watch],
        )
        return [after - before for before, after in pairwise(times)]

    assert intervals(1, i_gap=0.5) == intervals(1, i_gap=0.5) != intervals(2, i_gap=0.5)
    assert intervals(1, o_gap=0.5) == intervals(1, o_gap=0.5) != intervals(2, o_gap=0.5)
    assert intervals(1, i_gap=0.5) != intervals(1, o_gap=0.5)


def test_a_component_that_loses_payloads_is_seen():
    dut, seen = Register("loses"), []
    with pytest.raises(SimulationError, match="still waiting for sink"):
        simulate(
            dut,
            [source(dut.i, items(60)), sink(dut.o, 60, seen, gap=0.5)],
            timeout_cycles=1000,
        )
    assert 0 < len(seen) < 60


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("withdraws", "o: valid fell before the payload was taken"),
        ("changes", r"o: payload changed from 0x\w+ to 0x\w+ before it was taken"),
    ],
)
def test_keeps_promise_catches(fault, message):
    with pytest.raises(AssertionError, match=message):
        run(Register(fault), o_gap=0.5)


def test_a_late_sink_catches_valid_that_waits_for_ready():
    assert run(Register("waits for ready"), o_gap=0.5) == items(60)
    with pytest.raises(SimulationError, match=r"after 1000 cycles .* sink"):
        run(Register("waits for ready"), late=True)


def test_put_get_and_silence():
    dut = Register(shape=signed(5))

    async def talk(ctx):
        await put(ctx, dut.i, -7)
        assert await get(ctx, dut.o) == -7
        await stays_silent(dut.o, 5)(ctx)
        await put(ctx, dut.i, 3)
        with pytest.raises(AssertionError, match="unexpected payload 3"):
            await stays_silent(dut.o, 5)(ctx)

    simulate(dut, [talk])


class Always(wiring.Component):
    """Adds up what it is given and cannot refuse."""

    i: stream.Interface
    total: Signal

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "total": Out(16)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.i.valid):
            m.d.sync += self.total.eq(self.total + self.i.payload)
        return m


def test_ports_that_are_always_ready():
    dut = Always()

    async def look(ctx):
        await source(dut.i, range(10), gap=0.3)(ctx)
        assert ctx.get(dut.total) == 45

    simulate(dut, [look])
    with pytest.raises(ValueError, match="cannot be stalled"):
        sink(dut.i, 1, [], gap=0.5)
