# SPDX-License-Identifier: Apache-2.0
import pytest

from fantastic4.layout import LAYER
from fantastic4_hw.following import RECORD_TIME
from fantastic4_hw.sequencer import Sequencer
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import plain

GEOMETRIES = [(1, 1), (4, 2), (5, 3), (16, 8)]


def record(cfg, in_features, out_features, planes=1, basis_base=0):
    values = {
        **dict.fromkeys(LAYER.fields, 0),
        "in_features": in_features,
        "in_chunks": cfg.chunks(in_features),
        "planes": planes,
        "out_features": out_features,
        "high": 255,
        "basis_base": basis_base,
    }
    return values


def network(cfg, widths, planes):
    return [
        record(cfg, columns, rows, count, basis_base=7 * index)
        for index, (columns, rows, count) in enumerate(
            zip(widths, widths[1:], planes, strict=False)
        )
    ]


def steps_of(cfg, layers, slot):
    """All steps of an inference, each with its layer and whether it ends a group."""
    for index, layer in enumerate(layers):
        for start in range(0, layer["out_features"], cfg.engines):
            left = layer["out_features"] - start
            for plane in range(layer["planes"]):
                for chunk in range(layer["in_chunks"]):
                    tile, at = divmod(chunk, cfg.tile_chunks)
                    last_chunk = chunk == layer["in_chunks"] - 1
                    last_tile = tile == (layer["in_chunks"] - 1) // cfg.tile_chunks
                    step = {
                        "chunk": chunk,
                        "hidden": int(index > 0),
                        "slot": slot if index == 0 else (index - 1) % 2,
                        "first": int(at == 0),
                        "last": int(at == cfg.tile_chunks - 1 or last_chunk),
                        "open": int(plane == 0 and tile == 0),
                        "close": int(plane == layer["planes"] - 1 and last_tile),
                        "ends": int(left <= cfg.engines),
                        "release": int(
                            index == 0
                            and left <= cfg.engines
                            and plane == layer["planes"] - 1
                            and last_chunk
                        ),
                        "rows": min(left, cfg.engines) - 1,
                    }
                    yield index, step, plane == layer["planes"] - 1 and last_chunk


class Surroundings:
    """Layer table, and a data path that finishes rows some clocks after their group's last step.

    Room in the result queue comes and goes, if ``room`` is less than 1, and so do places for steps,
    if ``gap`` is more than 0.
    """

    def __init__(self, dut, rng, layers, *, gap, room, delay):
        self.dut, self.rng, self.layers = dut, rng, layers
        self.gap, self.room, self.delay = gap, room, delay
        self.steps, self.reserved, self.released, self.begun = [], [], [], 0
        self.done_inferences = 0
        self.known = 0  # chunks the sequencer has been told of
        self.may = False, False  # whether a step may be given: there is a place, there is room

    async def run(self, ctx, inferences, clocks=200_000):
        dut, cfg, layers = self.dut, self.dut.cfg, self.layers
        ctx.set(dut.layers, len(layers))
        ctx.set(dut.table_record, layers[0])
        await ctx.tick().repeat(RECORD_TIME)
        total = sum(1 for _ in steps_of(cfg, layers, 0))
        expected = [(i, step, end) for i, step, end in steps_of(cfg, layers, 0)]
        table_index, taken, finishing = 0, 0, []  # finishing: [clock, layer, rows]
        layer, rows_done = 0, 0
        room = 1
        settled = None
        for clock in range(clocks):
            ctx.set(dut.table_record, layers[min(table_index, len(layers) - 1)])
            ctx.set(dut.start, self.begun < inferences)
            ctx.set(dut.slot, self.done_inferences % 2)
            space = 2 if self.rng.random() >= self.gap else int(self.rng.integers(3))
            ctx.set(dut.space_for_one, space >= 1)
            ctx.set(dut.space_for_two, space >= 2)
            room = room or int(self.rng.random() < self.room)
            may = self.may
            # rows leave one by one
            drained = 0
            if finishing and finishing[0][0] <= clock:
                rows_done += 1
                finishing[0][1] -= 1
                if not finishing[0][1]:
                    finishing.pop(0)
                drained = int(rows_done == layers[layer]["out_features"])
            ctx.set(dut.drained, drained)
            ctx.set(dut.done, int(drained and layer == len(layers) - 1))
            reserves = ctx.get(dut.reserve)
            if reserves:
                room = int(self.room == 1)
            # What is right in this clock is offered, and the other is no hint.
            ctx.set(dut.room_for_one, 1 - room if reserves else room)
            ctx.set(dut.room_for_two, room if reserves else 1 - room)
            self.may = space - ctx.get(dut.steps.valid) > 0, room
            signals = (dut.begin, dut.reserve, dut.reserve_rows, dut.is_last)
            (
                *_,
                valid,
                step,
                index,
                begin,
                reserve,
                rows,
                is_last,
                current,
            ) = await ctx.tick().sample(
                dut.steps.valid,
                dut.steps.payload,
                dut.table_index,
                *signals,
                dut.layer,
            )
            self.begun += begin
            settled = None if begin else settled
            chunks_now = computed_chunks(cfg, layers[layer]["out_features"], rows_done)
            if valid:
                layer_of, _, ends = expected[taken]
                assert is_last == (layer_of == len(layers) - 1)
                assert plain(current)["basis_base"] == layers[layer_of]["basis_base"] or (
                    layer_of != settled
                )
                assert may[0], "a step without a place for it"
                assert may[1] or not is_last, "a step without room for its results"
                settled = layer_of
                if layer_of > layer:
                    assert step.chunk < self.known, "a chunk that is not computed yet"
                self.steps.append(plain(step))
                assert step.release == (
                    layer_of == 0 and (taken + 1 == total or expected[taken + 1][0] > 0)
                )
                assert reserve == (ends and layer_of == len(layers) - 1)
                self.released += [len(self.steps)] if step.release else []
                if reserve:
                    self.reserved.append(rows)
                if ends:
                    count = expected[taken][1]["rows"] + 1
                    free = finishing[-1][0] if finishing else 0
                    finishing.append([max(clock + self.delay, free), count])
                taken += 1
            assert valid or not reserve
            # what the sequencer may know in the next clock
            if drained:
                self.known, rows_done = 0, 0
                if layer == len(layers) - 1:
                    layer, taken = 0, 0
                    self.done_inferences += 1
                    if self.done_inferences == inferences:
                        return
                else:
                    layer += 1
                ctx.set(dut.chunks_ready, 0)
            else:
                self.known = chunks_now
                ctx.set(dut.chunks_ready, chunks_now)
            table_index = index
        raise AssertionError("the sequencer hangs")


def computed_chunks(cfg, rows, done):
    """Chunks that ``done`` rows complete."""
    return cfg.chunks(done) if done == rows else done // cfg.lanes


@pytest.mark.parametrize(("lanes", "engines"), GEOMETRIES)
@pytest.mark.parametrize(
    ("gap", "room", "delay"), [(0, 1, 20), (0.4, 1, RECORD_TIME), (0.3, 0.1, 12)]
)
def test_steps(rng, geometry, lanes, engines, gap, room, delay):
    cfg = geometry(lanes, engines)
    dut = Sequencer(cfg)
    layers = network(cfg, [17, 9, 2 * engines, 1, 5, engines + 1], [1, 2, 1, 1, 3])
    around = Surroundings(dut, rng, layers, gap=gap, room=room, delay=delay)

    async def drive(ctx):
        await around.run(ctx, 3)

    simulate(dut, [drive])
    expected = [step for k in range(3) for _, step, _ in steps_of(cfg, layers, k % 2)]
    assert around.steps == expected
    groups = -(-layers[-1]["out_features"] // engines)
    rows = [min(engines, layers[-1]["out_features"] - engines * k) for k in range(groups)]
    assert around.reserved == rows * 3
    assert len(around.released) == 3


@pytest.mark.parametrize("widths", [[3, 3], [1024, 2], [1100, 2], [20, 530, 2]])
def test_tiles(rng, geometry, widths):
    cfg = geometry(16, 8, input_chunks=128, hidden_chunks=128)
    dut = Sequencer(cfg)
    layers = network(cfg, widths, [2, 1])
    around = Surroundings(dut, rng, layers, gap=0, room=1, delay=5)

    async def drive(ctx):
        await around.run(ctx, 2)

    simulate(dut, [drive])
    assert around.steps == [step for k in (0, 1) for _, step, _ in steps_of(cfg, layers, k)]


@pytest.mark.parametrize("widths", [[30, 6], [1, 2, 60, 6], [1, 60, 6]])
@pytest.mark.parametrize("room", [1, 0.1])
def test_layers_that_are_soon_over(rng, geometry, widths, room):
    """The record of the next layer comes later than the last step of a first layer of one step."""
    cfg = geometry(4, 2)
    dut = Sequencer(cfg)
    layers = network(cfg, widths, [1] * 3)
    around = Surroundings(dut, rng, layers, gap=0, room=room, delay=RECORD_TIME)

    async def drive(ctx):
        await around.run(ctx, 6)

    simulate(dut, [drive])
    assert around.steps == [step for k in range(6) for _, step, _ in steps_of(cfg, layers, k % 2)]


def test_sixteen_layers(rng, geometry):
    cfg = geometry(1, 1)
    dut = Sequencer(cfg)
    layers = network(cfg, [2] * 17, [1] * 16)
    around = Surroundings(dut, rng, layers, gap=0.2, room=1, delay=RECORD_TIME)

    async def drive(ctx):
        await around.run(ctx, 2)

    simulate(dut, [drive])
    assert around.steps == [step for k in (0, 1) for _, step, _ in steps_of(cfg, layers, k)]


def test_a_step_a_clock_from_the_one_behind_begin(geometry):
    cfg = geometry(4, 2)
    dut = Sequencer(cfg)
    layers = network(cfg, [30, 6], [1])
    count = sum(1 for _ in steps_of(cfg, layers, 0))

    async def testbench(ctx):
        ctx.set(dut.layers, 1)
        ctx.set(dut.table_record, layers[0])
        for free in (dut.room_for_one, dut.room_for_two, dut.space_for_one, dut.space_for_two):
            ctx.set(free, 1)
        await ctx.tick().repeat(RECORD_TIME)
        assert not ctx.get(dut.running)
        ctx.set(dut.start, 1)
        *_, begin = await ctx.tick().sample(dut.begin)
        assert begin
        for _ in range(count):
            *_, valid, begin = await ctx.tick().sample(dut.steps.valid, dut.begin)
            assert (valid, begin) == (1, 0)
        for _ in range(5):
            *_, valid, begin, running = await ctx.tick().sample(
                dut.steps.valid, dut.begin, dut.running
            )
            assert (valid, begin, running) == (0, 0, 1)
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)
        *_, begin = await ctx.tick().sample(dut.begin)
        assert begin

    simulate(dut, [testbench])
