# SPDX-License-Identifier: Apache-2.0
"""Running a weight decoder through layers, with every port stalling at random."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fantastic4_sim.bench import simulate
from fantastic4_sim.streams import keeps_promise

ROUND = 20
"""Clocks between two commands at least."""

QUIET = 40
"""Clocks behind the last beat in which no other may follow."""


@dataclass(frozen=True)
class Gaps:
    """Probability that in a clock a port pauses."""

    words: float = 0.0
    beats: float = 0.0
    commands: float = 0.0


@dataclass
class Record:
    """What a decoder did in a layer, by the clock."""

    taken: int = -1
    """The command was taken."""
    offered: list[int] = field(default_factory=list)
    """A beat was first offered."""
    handed: list[int] = field(default_factory=list)
    """A beat was handed on."""
    beats: list[list[int]] = field(default_factory=list)
    faults: int = 0


@dataclass
class Trace:
    """What a decoder did."""

    layers: list[Record]
    words: int = 0
    """Words taken."""

    def beats(self, layer: int) -> np.ndarray:
        """Return the beats of a layer, uint8 ``(count, lanes)``."""
        return np.array(self.layers[layer].beats, np.uint8)


Layers = Sequence[tuple[Any, int]]
"""Parameters with ``width``, ``gap`` and ``palette``, and number of beats, of each layer."""


def run_layers(
    dut: Any,
    layers: Layers,
    words: Iterator[int],
    gaps: Gaps | None = None,
    *,
    cut: tuple[Layers, Iterator[int], int] | None = None,
    seed: int = 0,
    timeout_cycles: int = 100_000,
) -> Trace:
    """Give ``dut`` a command a layer, and ``words`` as it asks for them, until all beats are out.

    A command is offered at the earliest 20 clocks behind the one before, so that the palette can
    go round; for some clocks behind the last beat it is checked that no other follows.

    Parameters
    ----------
    dut : fantastic4_hw.decoder.signature.Decoder
    layers : Layers
    words : iterator of int
        Where it ends, no more words are offered.
    gaps : Gaps, optional
    cut : (Layers, iterator of int, int), optional
        Layers and words to begin with, given up by ``start`` after so many beats.
    """
    trace = Trace([Record() for _ in layers])
    driver = _Driver(dut, gaps or Gaps(), random.Random(f"run_layers {seed}"))

    async def run_layers_testbench(ctx: Any) -> None:
        if cut is not None:
            early, early_words, beats = cut
            await driver.run(ctx, early, early_words, Trace([Record() for _ in early]), beats)
            await driver.restart(ctx)
        await driver.run(ctx, layers, words, trace, None)

    simulate(
        dut,
        [run_layers_testbench],
        checkers=[keeps_promise(dut.o)],
        timeout_cycles=timeout_cycles,
    )
    return trace


class _Driver:
    """Drives all ports of a decoder, clock by clock."""

    def __init__(self, dut: Any, gaps: Gaps, dice: random.Random):
        self.dut, self.gaps, self.dice = dut, gaps, dice
        self.clock, self.index = 0, dice.randrange(16)

    async def run(
        self, ctx: Any, layers: Layers, words: Iterator[int], trace: Trace, stop: int | None
    ) -> None:
        dut, gaps, dice = self.dut, self.gaps, self.dice
        given, wait, quiet, total = 0, 0, 0, 0
        word: int | None = None
        palette: tuple[int, ...] = (0,) * 16
        offering, new_beat = False, True
        while quiet < QUIET:
            if (
                not offering
                and given < len(layers)
                and wait <= 0
                and dice.random() >= gaps.commands
            ):
                params, count = layers[given]
                fields = {"format": 0, "width": params.width, "gap": params.gap, "beats": count}
                ctx.set(dut.command.payload, fields)
                palette, offering = params.palette, True
            ctx.set(dut.command.valid, offering)
            if word is None and dice.random() >= gaps.words:
                word = next(words, None)
            ctx.set(dut.i.valid, word is not None)
            ctx.set(dut.i.payload, dice.getrandbits(4 * dut.lanes) if word is None else word)
            ready = dice.random() >= gaps.beats
            ctx.set(dut.o.ready, ready)
            ctx.set(dut.entry, {"index": self.index, "code": palette[self.index]})
            *_, command_ready, word_ready, valid, payload, fault = await ctx.tick().sample(
                dut.command.ready, dut.i.ready, dut.o.valid, dut.o.payload, dut.fault
            )
            if valid:
                assert given, "a beat before the first command"
                record = trace.layers[given - 1]
                assert len(record.beats) < layers[given - 1][1], "more beats than the command says"
                if new_beat:
                    record.offered.append(self.clock)
                new_beat = ready
                if ready:
                    record.handed.append(self.clock)
                    record.beats.append([int(payload[lane]) for lane in range(dut.lanes)])
                    total += 1
            if fault:
                trace.layers[given - 1].faults += 1
            if word is not None and word_ready:
                word = None
                trace.words += 1
            if offering and command_ready:
                done = given == 0 or len(trace.layers[given - 1].beats) == layers[given - 1][1]
                assert done, "a command was taken before the layer was done"
                trace.layers[given].taken = self.clock
                given, offering, wait = given + 1, False, ROUND
            wait -= 1
            self.clock += 1
            self.index = (self.index + 1) % 16
            if total == stop:
                return
            complete = given == len(layers) and len(trace.layers[-1].beats) == layers[-1][1]
            quiet = quiet + 1 if complete else 0

    async def restart(self, ctx: Any) -> None:
        dut = self.dut
        ctx.set(dut.command.valid, 0)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
