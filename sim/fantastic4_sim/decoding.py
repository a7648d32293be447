# SPDX-License-Identifier: Apache-2.0
"""Running a weight decoder through layers, with every port stalling at random."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fantastic4.formats.beats import beats_a_word
from fantastic4.formats.params import Params
from fantastic4.layout import Format
from fantastic4_hw.decoder.select import PALETTE_FORMATS
from fantastic4_hw.decoder.signature import BEATS_WIDTH, near_bits
from fantastic4_sim.bench import simulate

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
    ready: int = -1
    """All beats having been asked for, the next command could have been taken."""
    offered: list[int] = field(default_factory=list)
    """A beat could first be asked for."""
    asked: list[int] = field(default_factory=list)
    """A beat was asked for."""
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


Layers = Sequence[tuple[Params, int]]
"""Parameters and number of beats of each layer."""


def run_layers(
    dut: Any,
    layers: Layers,
    words: Iterator[int],
    gaps: Gaps | None = None,
    *,
    formats: Sequence[Format] | None = None,
    cut: tuple[Layers, Iterator[int], int] | None = None,
    seed: int = 0,
    timeout_cycles: int = 100_000,
) -> Trace:
    """Give ``dut`` a command a layer, and ``words`` as it asks for them, until all beats are out.

    Everything else is as ``LayerFeed`` has it: a command is offered once it can be taken, and its
    payload stays until the next one; the palette follows it; ``open`` lasts until the last beat.
    It is checked that a beat that can be asked for stays so until it is, and that for some clocks
    behind the last one there is no other.

    Parameters
    ----------
    dut : fantastic4_hw.decoder.signature.Decoder
    layers : Layers
    words : iterator of int
        Where it ends, no more words are offered.
    gaps : Gaps, optional
    formats : sequence of Format, optional
        Of each layer, for a decoder of several; those without a palette are given none.
    cut : (Layers, iterator of int, int), optional
        Layers and words to begin with, given up by ``start`` after so many beats. They are of the
        first of ``formats``.
    seed : int
        Of the pauses.
    """
    trace = Trace([Record() for _ in layers])
    driver = _Driver(dut, gaps or Gaps(), random.Random(f"run_layers {seed}"))

    async def run_layers_testbench(ctx: Any) -> None:
        if cut is not None:
            early, early_words, beats = cut
            before = Trace([Record() for _ in early])
            kinds = None if formats is None else [formats[0]] * len(early)
            await driver.run(ctx, early, kinds, early_words, before, beats)
            await driver.restart(ctx)
        await driver.run(ctx, layers, formats, words, trace, None)

    simulate(dut, [run_layers_testbench], timeout_cycles=timeout_cycles)
    return trace


def command_of(params: Params, count: int, kind: Format, lanes: int) -> dict[str, int]:
    """Return the command of a layer of ``count`` beats of ``lanes`` codes.

    Of formats without blocks it says what those of *bitmask* would be.
    """
    span = beats_a_word(Format.BITMASK2 if kind == Format.BITMASK2 else Format.BITMASK, lanes)
    return {
        "format": kind,
        "width": params.width,
        "gap": params.gap,
        "beats": count,
        "last": (count - 1) % (1 << BEATS_WIDTH),
        "blocks": -(-count // span) % 8,
        "near": count < 1 << near_bits(kind, lanes),
    }


class _Driver:
    """Drives all ports of a decoder, clock by clock."""

    def __init__(self, dut: Any, gaps: Gaps, dice: random.Random):
        self.dut, self.gaps, self.dice = dut, gaps, dice
        self.clock = 0

    async def run(
        self,
        ctx: Any,
        layers: Layers,
        formats: Sequence[Format] | None,
        words: Iterator[int],
        trace: Trace,
        stop: int | None,
    ) -> None:
        dut, gaps, dice = self.dut, self.gaps, self.dice
        given, quiet, total = 0, 0, 0
        left = 0  # beats of the layer that have not been handed on
        word: int | None = None
        entries: Iterator[dict[str, int]] = iter(())
        new_beat = True
        coming: deque[Record | None] = deque([None] * dut.latency)  # whose beat comes when
        kind = Format.DENSE
        while quiet < QUIET:
            ctx.set(dut.open, left > 0)
            ctx.set(dut.entry, next(entries, None) or self._no_entry())
            if word is None and dice.random() >= gaps.words:
                word = next(words, None)
            ctx.set(dut.i.valid, word is not None)
            ctx.set(dut.i.payload, dice.getrandbits(4 * dut.lanes) if word is None else word)
            can = bool(ctx.get(dut.can))
            asks = can and dice.random() >= gaps.beats
            ctx.set(dut.step, asks)

            idle = ctx.get(dut.command.ready)
            assert not (idle and left), "a command may be taken before the layer is done"
            if idle and given and trace.layers[given - 1].ready < 0:
                trace.layers[given - 1].ready = self.clock
            offering = idle and given < len(layers) and dice.random() >= gaps.commands
            ctx.set(dut.command.valid, offering)
            if offering:
                kind = Format.DENSE if formats is None else formats[given]
                ctx.set(dut.command.payload, command_of(*layers[given], kind, dut.lanes))

            *_, word_ready, beat, fault = await ctx.tick().sample(dut.i.ready, dut.o, dut.fault)
            coming.append(trace.layers[given - 1] if asks else None)
            of = coming.popleft()
            if of is not None:
                of.beats.append([int(beat[lane]) for lane in range(dut.lanes)])
            assert can or new_beat, "a beat has gone before it was asked for"
            if can:
                assert left, "more beats than the command says"
                record = trace.layers[given - 1]
                if new_beat:
                    record.offered.append(self.clock)
                new_beat = asks
                if asks:
                    record.asked.append(self.clock)
                    total += 1
                    left -= 1
                    few = 1 << near_bits(kind, dut.lanes)
                    ctx.set(dut.command.payload.near, left < few)
            if fault:
                trace.layers[given - 1].faults += 1
            if word is not None and word_ready:
                word = None
                trace.words += 1
            if offering:
                params, left = layers[given]
                trace.layers[given].taken = self.clock
                if formats is None or formats[given] in PALETTE_FORMATS:
                    entries = palette_of(params)
                given += 1
            self.clock += 1
            if total == stop:
                return
            quiet = quiet + 1 if given == len(layers) and not left else 0

    def _no_entry(self) -> dict[str, int]:
        return {"index": self.dice.randrange(16), "code": self.dice.randrange(16), "write": 0}

    async def restart(self, ctx: Any) -> None:
        """Say ``start`` for a clock, whatever else is going on in it."""
        dut = self.dut
        ctx.set(dut.command.valid, 0)
        ctx.set(dut.step, 0)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        self.clock += 1


def palette_of(params: Params) -> Iterator[dict[str, int]]:
    """Give the palette, entry by entry."""
    return iter([{"index": n, "code": code, "write": 1} for n, code in enumerate(params.palette)])
