# SPDX-License-Identifier: Apache-2.0
"""The accumulate-then-multiply array's first half: engines in lock step on the same chunk."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.engine import Engine
from fantastic4_hw.shapes import (
    beat_layout,
    chunk_layout,
    flags_layout,
    row_layout,
    step_layout,
    sums_layout,
)


class Array(wiring.Component):
    """Joins a stream of steps with one stream of beats an engine; gives sums row by row.

    A step is taken when every engine has its beat. From there on nothing can stall: the chunk is
    read, and the codes wait for it. So the join keeps tiles far enough apart: the step that ends a
    tile waits until the rows of the tile before have left, one a clock. That is all it waits for: a
    tile of at least as many chunks as the group has rows never waits.

    Of several arrays on the same chunks each waits for the beats of all.

    Members
    -------
    steps : ``In(stream)``
        Which chunk comes next, and its place in the row group.
    chunks : ``In(stream, always_ready)``
        What the activation memory gave for steps that were ``taken``, its ``latency`` clocks later.
    beats : ``In(stream)``, one an engine
        Codes in the order of the steps. With ``cfg.dense_only``, codes come
        ``ActivationMemory.latency`` clocks after they were taken.
    rows : ``Out(stream, always_ready)``
        Sums of a row over a tile; the rows of a group follow each other without a gap.
    fed : ``Out(1)``
        Every engine has its beat.
    hold : ``In(1)``
        An engine of another array has not.
    taken : ``Out(1)``
        A beat was taken from each engine in this clock.
    starved : ``Out(1)``
        A step could have been taken, had every engine had its beat, here and in all other arrays.
    """

    steps: stream.Interface
    chunks: stream.Interface
    beats: list[stream.Interface]
    rows: stream.Interface
    fed: Signal
    hold: Signal
    taken: Signal
    starved: Signal

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        self.latency = self.latency_of(cfg)
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(cfg))),
                "chunks": In(stream.Signature(chunk_layout(cfg), always_ready=True)),
                "beats": In(stream.Signature(beat_layout(cfg))).array(cfg.engines),
                "rows": Out(stream.Signature(row_layout(cfg), always_ready=True)),
                "fed": Out(1),
                "hold": In(1),
                "taken": Out(1),
                "starved": Out(1),
            }
        )

    @staticmethod
    def latency_of(cfg: CoreConfig) -> int:
        """Return the clocks from the last chunk of a tile, read, to its first row."""
        return cfg.tree_levels + Engine.latency + 1

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        step, chunk = self.steps.payload, self.chunks.payload
        flags = [getattr(chunk, name) for name in flags_layout(cfg)]

        # Join: a countdown of the rows that have yet to leave spaces the tiles.
        leaving = Signal(range(cfg.engines + 1))
        fed = self.fed & ~self.hold
        wanted = self.steps.valid & ~(step.last & leaving.any())
        feeding = self.beats[:1] if cfg.lock_step else self.beats
        m.d.comb += [
            self.fed.eq(Cat(beat.valid for beat in feeding).all()),
            self.taken.eq(wanted & fed),
            self.starved.eq(wanted & ~fed),
            self.steps.ready.eq(self.taken),
        ]
        m.d.comb += [beat.ready.eq(self.taken) for beat in self.beats]
        with m.If(self.taken & step.last):
            m.d.sync += leaving.eq(step.rows)
        with m.Elif(leaving.any()):
            m.d.sync += leaving.eq(leaving - 1)

        # The flags travel beside the trees.
        moving = Cat(self.chunks.valid, *flags)
        for level in range(cfg.tree_levels):
            delayed = Signal(len(moving), name=f"flags_{level}")
            m.d.sync += delayed.eq(moving)
            moving = delayed
        valid = moving[0]
        fields, offset = {}, 1
        for name, width in flags_layout(cfg).items():
            fields[name] = moving[offset : offset + width]
            offset += width

        engines = [Engine(cfg) for _ in range(cfg.engines)]
        for index, engine in enumerate(engines):
            m.submodules[f"engine_{index}"] = engine
            m.d.comb += [
                engine.acts.eq(chunk.acts),
                engine.codes.eq(self._delayed(m, index)),
                engine.add.eq(valid),
                engine.clear.eq(fields["first"]),
            ]

        # Finished sums move into a queue of one place an engine, which shifts a row a clock.
        finished = Signal()
        place = Cat(fields[name] for name in ("open", "close", "ends", "rows"))
        ended = Signal.like(place)
        m.d.sync += [finished.eq(valid & fields["last"]), ended.eq(place)]
        held = [Signal(sums_layout(cfg), name=f"held_{e}") for e in range(cfg.engines)]
        row = self.rows.payload
        left = Signal.like(fields["rows"])
        m.d.comb += [row.sums.eq(held[0]), row.final.eq(left == 0)]
        with m.If(finished):
            m.d.sync += [last.eq(engine.sums) for last, engine in zip(held, engines, strict=True)]
            m.d.sync += [
                self.rows.valid.eq(1),
                Cat(row.open, row.close, row.ends, left).eq(ended),
                row.engine.eq(0),
            ]
        with m.Elif(self.rows.valid):
            m.d.sync += [
                self.rows.valid.eq(left != 0),
                left.eq(left - 1),
                row.engine.eq(row.engine + 1),
            ]
            m.d.sync += [held[e].eq(held[e + 1]) for e in range(cfg.engines - 1)]
        return m

    def _delayed(self, m: Module, engine: int) -> Value:
        """Return the codes of an engine when their chunk has been read."""
        codes: Value = self.beats[engine].payload.as_value()
        if self.cfg.dense_only:
            return codes
        for clock in range(ActivationMemory.latency):
            later = Signal(len(codes), name=f"codes_{engine}_{clock}", reset_less=True)
            m.d.sync += later.eq(codes)
            codes = later
        return codes
