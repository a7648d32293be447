# SPDX-License-Identifier: Apache-2.0
"""The accumulate-then-multiply array's first half: engines in lock step on the same chunk."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.delay import delayed
from fantastic4_hw.engine import Engine
from fantastic4_hw.mux import of_four
from fantastic4_hw.shapes import (
    beat_layout,
    chunk_layout,
    flags_layout,
    row_layout,
    rows_shape,
    step_layout,
)


class Array(wiring.Component):
    """Joins a stream of steps with one stream of beats an engine; gives sums row by row.

    A step is taken when every engine has its beat. From there on nothing can stall: the chunk is
    read, and decoders make the codes for it. So the join keeps tiles far enough apart: the step
    that ends a tile waits until the rows of the tile before have left, one a clock. That is all it
    waits for: a tile of at least as many chunks as the group has rows never waits.

    Of several arrays on the same chunks each waits for the beats of all.

    Members
    -------
    steps : ``In(stream)``
        Which chunk comes next, and its place in the row group.
    chunks : ``In(stream, always_ready)``
        What the activation memory gave for steps that were ``taken``, its ``latency`` clocks later.
    beats : ``In(stream)``, one an engine
        Codes in the order of the steps. Those of engine ``e`` come as late as their chunk does,
        ``read_latency(cfg) + e`` clocks after they were taken.
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
        return cfg.tree_levels + Engine.latency + cfg.collect_levels

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        step, chunk = self.steps.payload, self.chunks.payload
        flags = [getattr(chunk, name) for name in flags_layout(cfg)]

        # Join: a countdown of the rows that have yet to leave spaces the tiles.
        leaving, crowded = Signal(range(cfg.engines + 1), reset_less=True), Signal()
        fed = self.fed & ~self.hold
        wanted = self.steps.valid & ~(step.last & crowded)
        feeding = self.beats[:1] if cfg.steady else self.beats
        m.d.comb += [
            self.fed.eq(Cat(beat.valid for beat in feeding).all()),
            self.taken.eq(wanted & fed),
            self.starved.eq(wanted & ~fed),
            self.steps.ready.eq(self.taken),
        ]
        m.d.comb += [beat.ready.eq(self.taken) for beat in self.beats]
        with m.If(self.taken & step.last):
            m.d.sync += [leaving.eq(step.rows), crowded.eq(step.rows.any())]
        with m.Elif(crowded):
            m.d.sync += [leaving.eq(leaving - 1), crowded.eq(leaving != 1)]

        # The flags travel beside the trees.
        moving = Cat(self.chunks.valid, *flags)
        moving = delayed(m, moving, cfg.tree_levels, "flags", flags=1)
        fields, offset = {}, 1
        for name, width in flags_layout(cfg).items():
            fields[name] = moving[offset : offset + width]
            offset += width

        sums = self._engines(m, moving[0], fields["first"])
        place = Cat(fields[name] for name in ("open", "close", "ends"))
        self._rows(m, moving[0] & fields["last"], fields["rows"], place, sums, platform)
        return m

    def _engines(self, m: Module, add: Value, clear: Value) -> list[Value]:
        """Return the sums of each engine.

        An engine hands chunk and flags on to the next one, which is a clock behind: no wire leads
        from the activation memory to all of them, and no two of the registers are alike.
        """
        passed: Value = Cat(add, clear, self.chunks.payload.acts)
        sums: list[Value] = []
        for index in range(self.cfg.engines):
            if index:
                later = Signal(len(passed), name=f"passed_{index}", reset_less=True)
                m.d.sync += later.eq(passed)
                passed = later
            m.submodules[f"engine_{index}"] = engine = Engine(self.cfg)
            m.d.comb += [
                Cat(engine.add, engine.clear, engine.acts).eq(passed),
                engine.codes.eq(self.beats[index].payload),
            ]
            sums.append(engine.sums.as_value())
        return sums

    def _rows(
        self,
        m: Module,
        ending: Value,
        rows: Value,
        place: Value,
        sums: list[Value],
        platform: object,
    ) -> None:
        """Collect sums in the clocks in which they are ready, one engine after the other.

        With ``ending`` engine 0 takes the total that ends a tile, of ``rows + 1`` rows.
        """
        going = Signal()
        behind, which, placed = (
            Signal(shape, name=name, reset_less=True)
            for name, shape in (
                ("behind", rows.shape()),
                ("which", rows_shape(self.cfg)),
                ("placed", place.shape()),
            )
        )
        m.d.sync += [going.eq(going & (behind != 0)), behind.eq(behind - 1), which.eq(which + 1)]
        with m.If(ending):
            m.d.sync += [going.eq(1), behind.eq(rows), which.eq(0), placed.eq(place)]

        row = self.rows.payload
        moving: Value = Cat(going, which, placed, behind == 0)
        for level in range(self.cfg.collect_levels):
            select = moving[1 : 1 + len(which)][2 * level : 2 * level + 2]
            chosen = []
            for at in range(0, len(sums), 4):
                found = Signal(len(row.sums.as_value()), name=f"sums_{level}_{at}", reset_less=True)
                m.d.sync += found.eq(_one_of(m, select, sums[at : at + 4], platform))
                chosen.append(found)
            sums = chosen
            moving = delayed(m, moving, 1, f"place_{level}", flags=1)
        m.d.comb += [
            row.sums.eq(sums[0]),
            Cat(self.rows.valid, row.engine, row.open, row.close, row.ends, row.final).eq(moving),
        ]


def _one_of(m: Module, select: Value, values: list[Value], platform: object) -> Value:
    """Return the one of up to four ``values`` that ``select`` names."""
    if len(values) == 1:
        return values[0]
    if len(values) == 2:
        return Mux(select[0], values[1], values[0])
    return of_four(m, select, values + [values[0]] * (4 - len(values)), platform)
