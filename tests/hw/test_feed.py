# SPDX-License-Identifier: Apache-2.0
"""From weight words to beats of an engine, and the order in which layers come."""

import itertools
import random
from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Elaboratable, Module

from fantastic4.formats import FORMATS
from fantastic4.layout import LAYER, Format
from fantastic4.pace import BEAT_TO_COMMAND, decode_latency
from fantastic4_hw.decoder.select import PALETTE_FORMATS
from fantastic4_hw.decoder.signature import near_bits
from fantastic4_hw.feed import EngineFeed, LayerFeed
from fantastic4_sim.bench import simulate
from fantastic4_sim.decoding import command_of
from fantastic4_sim.streams import plain, put


class Layer:
    """A layer as each bank holds it: parameters, beats ``(banks, count, lanes)`` and words."""

    def __init__(self, rng, cfg, kind, count):
        names = {Format.TERNARY: 3, Format.TERNARY5: 2}.get(kind, int(rng.integers(1, 16)))
        shape = (cfg.banks, count, cfg.bank_lanes)
        self.beats = rng.integers(1, names + 1, shape, np.uint8)
        self.beats[rng.random(shape) >= rng.uniform(0, 1)] = 0
        module = FORMATS[kind]
        self.kind, self.count = kind, count
        self.params = module.choose(self.beats)
        self.words = [module.encode(bank, self.params).tolist() for bank in self.beats]
        self.joined = self.beats.transpose(1, 0, 2).reshape(count, -1).tolist()

    @property
    def record(self):
        palette = sum(code << 4 * name for name, code in enumerate(self.params.palette))
        fields = dict.fromkeys(LAYER.fields, 0) | {
            "format": self.kind,
            "beats": self.count,
            "width": self.params.width,
            "gap": self.params.gap,
            "palette": palette,
        }
        return LAYER.pack(**fields)


def some_layers(rng, cfg, count, longest=20):
    kinds = [Format[name.upper()] for name in cfg.formats]
    chosen = [kinds[k % len(kinds)] for k in rng.permutation(count)]
    return [Layer(rng, cfg, kind, int(rng.integers(1, longest))) for kind in chosen]


class Walk(Elaboratable):
    """Both feeds together, as the core connects them, with words and a reader.

    Parameters
    ----------
    words : list of list
        Of each bank, once round.
    word_gap, beat_gap : float
        Probability of a pause, each clock, of each bank and of the reader.
    """

    def __init__(self, cfg, layers, words, *, word_gap=0.0, beat_gap=0.0, seed=0):
        self.words, self.word_gap, self.beat_gap = words, word_gap, beat_gap
        self.records = [layer.record for layer in layers]
        self.feed, self.layer_feed = EngineFeed(cfg), LayerFeed(cfg)
        self.dice = random.Random(seed)
        self.faults = 0
        self.commands: list[tuple[int, int]] = []  # clock and beats
        self.asked: list[int] = []
        self.beats: list[list[int]] = []

    def elaborate(self, platform):
        m = Module()
        m.submodules.feed, m.submodules.layer_feed = feed, layers = self.feed, self.layer_feed
        m.d.comb += [
            feed.command.payload.eq(layers.command),
            feed.command.valid.eq(layers.give),
            feed.entry.eq(layers.entry),
            feed.open.eq(layers.open),
            feed.first_layer.eq(layers.first_layer),
            feed.start.eq(layers.start),
            layers.ready.eq(feed.command.ready),
            layers.taken.eq(feed.step),
        ]
        return m

    async def run(self, ctx, count):
        """Start, and read ``count`` beats into ``beats``."""
        feed, layers = self.feed, self.layer_feed
        self.beats = []
        ctx.set(layers.layers, len(self.records))
        ctx.set(layers.start, 1)
        ctx.set(feed.step, 0)
        for words in feed.words:
            ctx.set(words.valid, 0)
        await ctx.tick()
        ctx.set(layers.start, 0)
        streams = [itertools.cycle(words) for words in self.words]
        offered: list[Any] = [None] * len(streams)
        ready_of = Cat(words.ready for words in feed.words)
        index, clock = 0, 0
        told = feed.cfg.told
        coming = deque([False] * (decode_latency(feed.cfg) + told))
        could = False
        while len(self.beats) < count:
            ctx.set(layers.table_record.as_value(), self.records[index])
            for bank, (port, stream) in enumerate(zip(feed.words, streams, strict=True)):
                if offered[bank] is None and self.dice.random() >= self.word_gap:
                    offered[bank] = next(stream)
                    ctx.set(port.payload, offered[bank])
                ctx.set(port.valid, offered[bank] is not None)
            can = bool(ctx.get(feed.can))
            # Decoders that are told hear of the last step too late to say that it was that.
            asked = could and bool(ctx.get(layers.open)) if told else can
            could = can
            asks = asked and self.dice.random() >= self.beat_gap
            ctx.set(feed.step, asks)
            _, _, index, beat, fault, taken, give, beats = await ctx.tick().sample(
                layers.table_index,
                feed.o,
                feed.fault,
                ready_of,
                layers.give,
                layers.command.beats,
            )
            coming.append(asks)
            if asks:
                self.asked.append(clock)
            if coming.popleft():
                self.beats.append(plain(beat))
            if give:
                self.commands.append((clock, beats))
            offered = [None if taken >> bank & 1 else word for bank, word in enumerate(offered)]
            self.faults += fault
            clock += 1

    def simulate(self, *counts):
        """Start and read once for each of ``counts``; return the beats."""
        found = []

        async def read(ctx):
            for count in counts:
                await self.run(ctx, count)
                found.append(self.beats)

        simulate(self, [read])
        return found


def banks_of(layers):
    """Words of each bank, once round."""
    found = []
    for bank in range(len(layers[0].words)):
        words = [word for layer in layers for word in layer.words[bank]]
        found.append([{"data": word, "first": int(at == 0)} for at, word in enumerate(words)])
    return found


def beats_of(layers):
    return [beat for layer in layers for beat in layer.joined]


@pytest.mark.parametrize(("lanes", "bank_lanes"), [(4, 4), (8, 4), (16, 8), (12, 4), (3, 1)])
@pytest.mark.parametrize(("word_gap", "beat_gap"), [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)])
def test_joins_banks_and_goes_round(rng, geometry, lanes, bank_lanes, word_gap, beat_gap):
    """Layers of every format, three times round; each bank at its own time."""
    # Only words from outside may be late.
    cfg = geometry(lanes, 1, bank_lanes=bank_lanes, external_weights=word_gap > 0)
    layers = some_layers(rng, cfg, 6)
    expected = beats_of(layers) * 3
    walk = Walk(cfg, layers, banks_of(layers), word_gap=word_gap, beat_gap=beat_gap)
    walk.simulate(len(expected))
    assert walk.beats == expected
    assert walk.faults == 0
    assert [count for _, count in walk.commands[:18]] == [layer.count for layer in layers] * 3


def test_commands_follow_the_last_beat(rng, geometry):
    cfg = geometry(16, 1)
    layers = some_layers(rng, cfg, 10)
    walk = Walk(cfg, layers, banks_of(layers))
    walk.simulate(len(beats_of(layers)) + 1)
    last, clocks = -1, [clock for clock, _ in walk.commands]
    for layer, clock in zip(layers, clocks[1:], strict=False):
        last += layer.count
        assert clock == walk.asked[last] + LayerFeed.beat_to_command
    assert LayerFeed.beat_to_command == BEAT_TO_COMMAND


@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
def test_a_single_layer_goes_round(rng, geometry, kind):
    """The table has one record, and the first word comes again and again."""
    cfg = geometry(8, 1, formats=(kind.name.lower(),))
    layers = [Layer(rng, cfg, kind, 3)]
    walk = Walk(cfg, layers, banks_of(layers))
    walk.simulate(15)
    assert walk.beats == beats_of(layers) * 5
    assert walk.faults == 0


@pytest.mark.parametrize("kind", list(Format), ids=lambda kind: kind.name)
@pytest.mark.parametrize("bank", [0, 1])
@pytest.mark.parametrize("change", ["truncated", "extra", "first missing", "first twice"])
def test_a_first_word_that_is_not_where_it_should_be(rng, geometry, kind, bank, change):
    """A fault by the end of the second time round; beats keep coming."""
    cfg = geometry(16, 1, formats=(kind.name.lower(),))
    layers = [Layer(rng, cfg, kind, 9), Layer(rng, cfg, kind, 12)]
    words = banks_of(layers)
    part = words[bank]
    assert len(part) > 1
    words[bank] = {
        "truncated": part[:-1],
        "extra": [*part, {"data": 0, "first": 0}],
        "first missing": [part[0] | {"first": 0}, *part[1:]],
        "first twice": [*part[:-1], part[-1] | {"first": 1}],
    }[change]
    walk = Walk(cfg, layers, words)
    walk.simulate(21 * 2 + 1)
    assert walk.faults > 0


def test_start_begins_anew(rng, geometry):
    """In the middle of any layer; what decoders and the layer feed had is dropped."""
    cfg = geometry(16, 1, external_weights=True)
    layers = some_layers(rng, cfg, 5, longest=12)
    expected = beats_of(layers)
    stops = [*range(0, len(expected), 2), len(expected) + 2]
    walk = Walk(cfg, layers, banks_of(layers), word_gap=0.1, beat_gap=0.2)
    found = walk.simulate(*stops)
    assert found == [(expected * 2)[:stop] for stop in stops]
    assert walk.faults == 0


def test_layers_of_one_beat(rng, geometry):
    """As close as commands get: the table answers a clock later."""
    cfg = geometry(8, 1, formats=("dense",))
    layers = [Layer(rng, cfg, Format.DENSE, count) for count in (1, 1, 2, 1)]
    walk = Walk(cfg, layers, banks_of(layers))
    walk.simulate(20)
    assert walk.beats == beats_of(layers) * 4


def test_layer_feed_alone(rng, geometry):
    """Order, palette, ``open`` and ``first_layer``, for any number of layers."""
    cfg = geometry(8, 1)
    blocked = (Format.BITMASK, Format.BITMASK2)
    edges = [(kind, (1 << near_bits(kind, 8)) + n) for kind in blocked for n in (-1, 0, 1)]
    for number in (1, 2, 5, 16, len(edges)):
        layers = some_layers(rng, cfg, number, longest=6)
        if number == len(edges):
            layers = [Layer(rng, cfg, kind, count) for kind, count in edges]
        dut = LayerFeed(cfg)
        given, palettes = [], []

        async def drive(ctx, layers=layers, dut=dut, given=given, palettes=palettes):
            ctx.set(dut.start, 1)
            ctx.set(dut.layers, len(layers))
            await ctx.tick()
            ctx.set(dut.start, 0)
            left, index, after, command = 0, 0, 99, None
            while len(given) < 2 * len(layers) + 1:
                ctx.set(dut.table_record.as_value(), layers[index].record)
                layer = layers[(len(given) - 1) % len(layers)]
                has_palette = bool(given) and layer.kind in PALETTE_FORMATS
                taken = left > 0 and (not has_palette or after >= 16) and rng.random() < 0.7
                ctx.set(dut.ready, left == 0)
                ctx.set(dut.taken, taken)
                *_, index, give, found, entry, opened, first = await ctx.tick().sample(
                    dut.table_index, dut.give, dut.command, dut.entry, dut.open, dut.first_layer
                )
                assert opened == (left > 0)
                assert bool(entry.write) == (has_palette and after < 16)
                if entry.write:
                    palettes[-1].append((entry.index, entry.code))
                held = plain(found)
                near = held.pop("near")
                if left:
                    few = layer.kind in blocked and left < 1 << near_bits(
                        layer.kind, cfg.bank_lanes
                    )
                    assert near == few, f"{left} beats of {layer.kind.name} are left"
                left -= taken
                after += 1
                if command is not None and left:
                    assert held == command, "the command holds still"
                if give:
                    command = held
                    given.append((command, first))
                    palettes.append([])
                    left, after = command["beats"], 0

        simulate(dut, [drive])
        for at, ((command, first), palette) in enumerate(zip(given, palettes, strict=True)):
            layer = layers[at % number]
            wanted = command_of(layer.params, layer.count, layer.kind, cfg.bank_lanes)
            assert command | {"near": wanted["near"]} == wanted
            assert first == (at % number == 0)
            whole = list(enumerate(layer.params.palette))
            last = at == len(given) - 1
            assert palette == (whole if layer.kind in PALETTE_FORMATS and not last else [])


def test_ready_when_every_bank_is(rng, geometry):
    """A bank whose words are late holds up the others' commands and beats."""
    cfg = geometry(16, 1, formats=("dense",), external_weights=True)
    dut = EngineFeed(cfg)
    layer = Layer(rng, cfg, Format.DENSE, 2)

    async def testbench(ctx):
        command = command_of(layer.params, 2, Format.DENSE, cfg.bank_lanes)
        ctx.set(dut.first_layer, 1)
        await put(ctx, dut.command, command)
        ctx.set(dut.open, 1)
        ctx.set(dut.words[0].payload, {"data": layer.words[0][0], "first": 1})
        ctx.set(dut.words[0].valid, 1)
        for _ in range(5):
            *_, can, taken, ready = await ctx.tick().sample(
                dut.can, dut.words[0].ready, dut.command.ready
            )
            assert (can, taken, ready) == (0, 0, 0)
        ctx.set(dut.words[1].payload, {"data": layer.words[1][0], "first": 1})
        ctx.set(dut.words[1].valid, 1)
        assert ctx.get(dut.can)
        assert plain(ctx.get(dut.o)) == layer.joined[0]

    simulate(dut, [testbench])
