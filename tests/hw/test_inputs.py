# SPDX-License-Identifier: Apache-2.0
import pytest

from fantastic4_hw.inputs import InputWriter
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import put


def transfers(frame, width):
    """A frame as the stream takes it; what pads the last transfer is not zero."""
    padded = frame + [0xAA] * (-len(frame) % width)
    parts = [padded[k : k + width] for k in range(0, len(padded), width)]
    return [{"data": part, "last": k == len(parts) - 1} for k, part in enumerate(parts)]


class Slots:
    """What the write port has written, as the activation memory would hold it."""

    def __init__(self, dut):
        self.dut = dut
        self.content = [{}, {}]

    async def watch(self, ctx):
        port, lanes = self.dut.write, self.dut.cfg.lanes
        while True:
            *_, en, slot, chunk, acts, valid = await ctx.tick().sample(
                port.en, port.slot, port.chunk, port.acts, port.valid
            )
            for lane in range(lanes):
                if valid and en >> lane & 1:
                    self.content[slot][chunk * lanes + lane] = acts[lane]


def frames(rng, features, width):
    """Frames of the right length between such that are too short or too long."""
    steps = -(-features // width)
    counts = [steps, 1, steps, steps + 1, steps, steps - 1, 3 * steps + 2, steps, steps, 2 * steps]
    found = []
    for count in [*counts, steps]:
        if count > 0:
            size = features if count == steps else count * width
            found.append((rng.integers(0, 256, size).tolist(), count == steps))
    return found


@pytest.mark.parametrize(
    ("lanes", "width", "features"),
    [(4, 1, 13), (4, 2, 13), (4, 4, 16), (3, 3, 7), (5, 1, 5), (16, 4, 33), (1, 1, 6), (4, 4, 1)],
)
@pytest.mark.parametrize(("i_gap", "slow"), [(0, 0), (0.5, 0), (0, 0.97), (0.3, 0.9)])
def test_frames(rng, geometry, lanes, width, features, i_gap, slow):
    """Good frames arrive in order, each in the slot that is named; others are reported."""
    cfg = geometry(lanes, 2, input_width=width, input_chunks=8)
    dut = InputWriter(cfg)
    slots = Slots(dut)
    offered = frames(rng, features, width)
    good = [frame for frame, right in offered if right]
    seen, reports = [], 0

    async def feed(ctx):
        ctx.set(dut.in_features, features)
        await ctx.tick()
        ctx.set(dut.accept, 1)
        for frame, _ in offered:
            for transfer in transfers(frame, width):
                while rng.random() < i_gap:
                    await ctx.tick()
                await put(ctx, dut.i, transfer)

    async def consume(ctx):
        while len(seen) < len(good):
            *_, full, slot = await ctx.tick().sample(dut.full, dut.slot)
            if full and rng.random() >= slow:
                seen.append([slots.content[slot].get(k) for k in range(features)])
                ctx.set(dut.release, 1)
                await ctx.tick()
                ctx.set(dut.release, 0)
        for _ in range(3):
            *_, full = await ctx.tick().sample(dut.full)
            assert not full

    async def count_reports(ctx):
        nonlocal reports
        while True:
            *_, wrong = await ctx.tick().sample(dut.wrong_length)
            reports += wrong

    simulate(dut, [feed, consume], checkers=[slots.watch, count_reports])
    assert seen == good
    assert reports == len(offered) - len(good)


def test_two_slots_and_no_more(geometry):
    """A third frame waits at its first transfer until a slot is released."""
    dut = InputWriter(geometry(4, 2, input_width=4))

    async def testbench(ctx):
        ctx.set(dut.in_features, 8)
        await ctx.tick()
        ctx.set(dut.accept, 1)
        assert ctx.get(dut.empty)
        for k in range(4):
            assert not ctx.get(dut.full) or k >= 2
            await put(ctx, dut.i, {"data": [k] * 4, "last": k % 2})
            assert not ctx.get(dut.empty)
        for _ in range(10):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        assert ctx.get(dut.slot) == 0
        ctx.set(dut.release, 1)
        await ctx.tick()
        ctx.set(dut.release, 0)
        assert ctx.get(dut.slot) == 1
        assert ctx.get(dut.i.ready)

    simulate(dut, [testbench])


def test_a_frame_begins_only_when_accepted_and_then_goes_on(geometry):
    dut = InputWriter(geometry(4, 2, input_width=4))

    async def testbench(ctx):
        ctx.set(dut.in_features, 8)
        ctx.set(dut.i.valid, 1)
        for _ in range(5):
            *_, ready, empty = await ctx.tick().sample(dut.i.ready, dut.empty)
            assert (ready, empty) == (0, 1)
        ctx.set(dut.accept, 1)
        await ctx.tick()
        ctx.set(dut.accept, 0)
        ctx.set(dut.i.payload.last, 1)
        *_, ready, empty = await ctx.tick().sample(dut.i.ready, dut.empty)
        assert (ready, empty) == (1, 0)
        for clock in range(5):  # it is full in the second clock behind the last transfer
            *_, ready, full, empty = await ctx.tick().sample(dut.i.ready, dut.full, dut.empty)
            assert (ready, full, empty) == (0, clock > 0, 0)

    simulate(dut, [testbench])


def test_takes_a_transfer_a_clock(geometry):
    """A frame is not held up by the one before it."""
    dut = InputWriter(geometry(4, 2, input_width=1))

    async def testbench(ctx):
        ctx.set(dut.in_features, 5)
        ctx.set(dut.accept, 1)
        ctx.set(dut.i.valid, 1)
        for clock in range(50):
            ctx.set(dut.i.payload.last, clock % 5 == 4)
            *_, ready, full = await ctx.tick().sample(dut.i.ready, dut.full)
            assert ready
            ctx.set(dut.release, int(full and clock % 5 == 1))

    simulate(dut, [testbench])
