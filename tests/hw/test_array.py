# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fantastic4.timing import read_latency
from fantastic4_hw.array import Array
from fantastic4_hw.delay import delayed
from fantastic4_hw.shapes import beat_layout, chunk_layout, flags_layout, row_layout
from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise, sink, source


class Joined(wiring.Component):
    """An array and what reads its chunks: here a step has them with it, at no address."""

    chunks: stream.Interface
    beats: list[stream.Interface]
    rows: stream.Interface
    taken: Signal

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(
            {
                "chunks": In(stream.Signature(chunk_layout(cfg))),
                "beats": In(stream.Signature(beat_layout(cfg))).array(cfg.engines),
                "rows": Out(stream.Signature(row_layout(cfg), always_ready=True)),
                "taken": Out(1),
            }
        )

    latency = property(lambda self: read_latency(self.cfg) + Array.latency_of(self.cfg))

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = Array(self.cfg)
        clocks = read_latency(self.cfg)
        for e, (beats, inner) in enumerate(zip(self.beats, array.beats, strict=True)):
            codes = delayed(m, beats.payload.as_value(), clocks + e, f"codes_{e}")
            m.d.comb += [
                inner.valid.eq(beats.valid),
                beats.ready.eq(inner.ready),
                inner.payload.as_value().eq(codes),
            ]
        connect(m, array.rows, flipped(self.rows))
        chunk, step = self.chunks.payload, array.steps.payload
        names = flags_layout(self.cfg)
        m.d.comb += [
            array.steps.valid.eq(self.chunks.valid),
            self.chunks.ready.eq(array.steps.ready),
            self.taken.eq(array.taken),
            *(getattr(step, name).eq(getattr(chunk, name)) for name in names),
        ]
        read = Cat(
            array.taken,
            chunk.acts.as_value(),
            *(getattr(step, name) for name in names),
        )
        read = delayed(m, read, clocks, "read", flags=1)
        m.d.comb += Cat(array.chunks.valid, array.chunks.payload).eq(read)
        return m


GEOMETRIES = [(1, 1), (4, 2), (3, 3), (5, 8), (16, 8)]


class Group:
    """A row group: its tiles of random activations and codes, and the rows it must give."""

    def __init__(self, rng, cfg, rows, tile_lengths, *, ends=False, extreme=False):
        self.chunks, self.rows = [], []
        self.beats = [[] for _ in range(cfg.engines)]
        for tile, length in enumerate(tile_lengths):
            sums = [[0] * 4 for _ in range(cfg.engines)]
            place = {
                "open": int(tile == 0),
                "close": int(tile == len(tile_lengths) - 1),
                "ends": int(ends),
            }
            for at in range(length):
                acts = [255] * cfg.lanes if extreme else rng.integers(0, 256, cfg.lanes).tolist()
                flags = {"first": int(at == 0), "last": int(at == length - 1)}
                self.chunks.append({"acts": acts, **flags, **place, "rows": rows - 1})
                for engine, beats in enumerate(self.beats):
                    codes = rng.integers(0, 16, cfg.lanes).tolist()
                    codes = [15] * cfg.lanes if extreme else codes
                    beats.append(codes)
                    for i in range(4):
                        sums[engine][i] += sum(
                            a for a, c in zip(acts, codes, strict=True) if c >> i & 1
                        )
            for engine in range(rows):
                self.rows.append(
                    {
                        "sums": sums[engine],
                        "engine": engine,
                        **place,
                        "final": int(engine == rows - 1),
                    }
                )


def joined(groups, engines):
    """Return chunks, beats of each engine and rows of all groups."""
    chunks = [chunk for group in groups for chunk in group.chunks]
    beats = [[beat for group in groups for beat in group.beats[e]] for e in range(engines)]
    return chunks, beats, [row for group in groups for row in group.rows]


def random_groups(rng, cfg, count):
    """Groups of any number of rows, tiles shorter and longer than that, and extremes."""
    return [
        Group(
            rng,
            cfg,
            int(rng.integers(1, cfg.engines + 1)),
            rng.integers(1, 2 * cfg.engines + 1, rng.integers(1, 4)).tolist(),
            ends=bool(rng.integers(2)),
            extreme=bool(rng.random() < 0.2),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(("lanes", "engines"), GEOMETRIES)
@pytest.mark.parametrize(("chunk_gap", "beat_gap"), [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)])
def test_rows_of_groups(rng, geometry, lanes, engines, chunk_gap, beat_gap):
    # With weights from outside no bank can be relied on to have its beat when another has.
    cfg = geometry(lanes, engines, external_weights=True)
    dut = Joined(cfg)
    chunks, beats, expected = joined(random_groups(rng, cfg, 12), engines)
    seen: list = []
    feeds = [
        source(dut.beats[e], beats[e], gap=beat_gap if e % 2 == 0 else 0, seed=e)
        for e in range(engines)
    ]
    simulate(
        dut,
        [
            source(dut.chunks, chunks, gap=chunk_gap),
            *feeds,
            sink(dut.rows, len(expected), seen),
        ],
    )
    assert seen == expected


@pytest.mark.parametrize(("lanes", "engines"), GEOMETRIES)
def test_clocks(rng, geometry, lanes, engines):
    """Beats go one a clock; only a tile shorter than the rows before it waits, and no longer."""
    cfg = geometry(lanes, engines)
    dut = Joined(cfg)
    shapes = [(engines, [engines, 2 * engines]), (engines, [1, 1]), (1, [1, 1, 1]), (engines, [2])]
    groups = [Group(rng, cfg, rows, lengths) for rows, lengths in shapes]
    chunks, beats, expected = joined(groups, engines)

    taken_at, clock, free = [], -1, 0
    for chunk in chunks:
        clock = clock + 1 if not chunk["last"] else max(clock + 1, free)
        taken_at.append(clock)
        free = clock + chunk["rows"] + 1 if chunk["last"] else free
    rows_at = []
    for at, chunk in zip(taken_at, chunks, strict=True):
        if chunk["last"]:
            rows_at += [at + dut.latency + row for row in range(chunk["rows"] + 1)]

    seen_taken: list[int] = []
    seen_rows: list[int] = []

    async def watch(ctx):
        for clock in range(rows_at[-1] + 4):
            *_, taken, valid = await ctx.tick().sample(dut.taken, dut.rows.valid)
            if taken:
                seen_taken.append(clock)
            if valid:
                seen_rows.append(clock)

    feeds = [source(dut.beats[e], beats[e]) for e in range(engines)]
    simulate(dut, [source(dut.chunks, chunks), *feeds, watch])
    assert seen_taken == taken_at
    assert seen_rows == rows_at
    assert len(expected) == len(rows_at)


def test_takes_nothing_until_all_are_there(rng, geometry):
    cfg = geometry(4, 3)
    dut = Joined(cfg)
    group = Group(rng, cfg, 3, [4])
    seen: list = []

    async def late_beats(ctx):
        for _ in range(20):
            *_, chunk_taken, beat_taken, taken = await ctx.tick().sample(
                dut.chunks.ready, dut.beats[0].ready, dut.taken
            )
            assert (chunk_taken, beat_taken, taken) == (0, 0, 0)
        await source(dut.beats[2], group.beats[2])(ctx)

    simulate(
        dut,
        [
            source(dut.chunks, group.chunks),
            source(dut.beats[0], group.beats[0]),
            source(dut.beats[1], group.beats[1]),
            late_beats,
            sink(dut.rows, 3, seen),
        ],
        checkers=[keeps_promise(dut.rows)],
    )
    assert seen == group.rows


def test_latency_adds_up(geometry):
    for lanes, levels in ((1, 1), (4, 2), (5, 3), (16, 4)):
        assert Array.latency_of(geometry(lanes, 2)) == levels + 2
