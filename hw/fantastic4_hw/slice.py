# SPDX-License-Identifier: Apache-2.0
"""What each core of a configuration has for itself: weights, engines, multipliers."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fantastic4.config import CoreConfig
from fantastic4.layout import BASIS_WORDS, LAYER
from fantastic4.pace import TOLD, decode_latency
from fantastic4.timing import WRITTEN_AT_ONCE, read_latency
from fantastic4_hw.array import Array
from fantastic4_hw.decoder.select import brings_words
from fantastic4_hw.decoder.signature import COMMAND_LAYOUT, ENTRY_LAYOUT
from fantastic4_hw.delay import delayed
from fantastic4_hw.feed import EngineFeed, by_bank
from fantastic4_hw.memories import (
    WeightBanks,
    WordWritePort,
    WordWriteSignature,
    WritePort,
    WriteSignature,
    word_layout,
)
from fantastic4_hw.multiply import Multiply
from fantastic4_hw.post import Post
from fantastic4_hw.shapes import chunk_layout, finished_layout, step_layout
from fantastic4_hw.weights import DenseWeights

SLICE = "fantastic4_slice"
"""Name of a slice's module where it is instantiated by name."""


def slice_ports(cfg: CoreConfig) -> dict[str, wiring.Member]:
    """Return the ports of a slice."""
    banks = cfg.engines * cfg.banks
    if cfg.external_weights:
        words = {"weights": In(stream.Signature(word_layout(cfg))).array(banks)}
    else:
        write = WordWriteSignature(cfg.weight_depth, cfg.word_width)
        words = {"write_weights": In(write).array(banks)}
    return {
        "start": In(1),
        "give": In(1),
        "command": In(COMMAND_LAYOUT),
        "entry": In(ENTRY_LAYOUT),
        "open": In(1),
        "first_layer": In(1),
        "ready": Out(1),
        **words,
        "write_basis": In(WriteSignature(cfg.basis_depth, 32 * BASIS_WORDS)),
        "write_bias": In(WriteSignature(cfg.row_depth, cfg.bias_width)),
        "steps": In(stream.Signature(step_layout(cfg))),
        "chunks": In(stream.Signature(chunk_layout(cfg))),
        "fed": Out(1),
        "others": In(1),
        "taken": Out(1),
        "starved": Out(1),
        "begins": In(1),
        "basis_base": In(LAYER.fields["basis_base"]),
        "per_row": In(1),
        "bias_narrow": In(1),
        "bias_shift": In(LAYER.fields["bias_shift"]),
        "shift": In(LAYER.fields["shift"]),
        "low": In(8),
        "high": In(8),
        "row": Out(finished_layout(cfg)),
        "row_valid": Out(1),
        "fault": Out(1),
    }


class SlicePorts(wiring.Component):
    """The ports of a slice.

    Members
    -------
    start : ``In(1)``
        There is no network: decoders and banks forget what they hold. Falls no earlier than
        ``written_after`` clocks behind the last write.
    give, command, entry, open, first_layer : ``In``, ready : ``Out(1)``
        Between ``LayerFeed`` and the decoders.
    write_weights, write_basis, write_bias : ``In``
        The loader's ports; of ``write_weights`` one a bank, none with external weights.
    weights : ``In(stream(word_layout(cfg)))``, one a bank
        With external weights only.
    steps, chunks : ``In(stream)``
        As of ``Array``, the same for all slices; ``chunks`` never wait.
    fed : ``Out(1)``, others : ``In(1)``
        Every engine has its beat, here and in all other slices.
    taken, starved : ``Out(1)``
        As of ``Array``.
    begins, basis_base, per_row, bias_narrow, bias_shift : ``In``
        As of ``Multiply``; ``begins`` is its ``begin``, a word that Verilog keeps for itself.
    shift, low, high : ``In``
        As of ``Post``.
    row : ``Out(finished_layout(cfg))``, row_valid : ``Out(1)``
        A finished row in this clock.
    fault : ``Out(1)``
        For one clock: weight words broke a rule.
    """

    start: Signal
    give: Signal
    command: data.View
    entry: data.View
    open: Signal
    first_layer: Signal
    ready: Signal
    write_weights: list[WordWritePort]
    write_basis: WritePort
    write_bias: WritePort
    weights: list[stream.Interface]
    steps: stream.Interface
    chunks: stream.Interface
    fed: Signal
    others: Signal
    taken: Signal
    starved: Signal
    begins: Signal
    basis_base: Signal
    per_row: Signal
    bias_narrow: Signal
    bias_shift: Signal
    shift: Signal
    low: Signal
    high: Signal
    row: data.View
    row_valid: Signal
    fault: Signal

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(slice_ports(cfg))

    def elaborate(self, platform: object) -> Module:
        """Return the gateware of a kind of slice."""
        raise NotImplementedError


class Slice(SlicePorts):
    """``engines`` engines with their weights, four multipliers and post-processing.

    Takes a step when all slices can, gives a finished row a clock, and is told everything else.
    """

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.array = array = Array(self.cfg)
        m.submodules.multiply = multiply = Multiply(self.cfg)
        m.submodules.post = post = Post(self.cfg)
        if self.cfg.dense_only:
            ready, fault = self._dense(m, array)
        else:
            ready, fault = self._decoded(m, array, platform)

        connect(m, flipped(self.steps), array.steps)
        m.d.comb += [
            array.chunks.payload.eq(self.chunks.payload),
            array.chunks.valid.eq(self.chunks.valid),
            self.chunks.ready.eq(1),
        ]
        connect(m, array.rows, multiply.rows)
        connect(m, multiply.z, post.z)
        connect(m, flipped(self.write_basis), multiply.write_basis)
        connect(m, flipped(self.write_bias), multiply.write_bias)
        m.d.comb += [
            self.fed.eq(array.fed),
            array.hold.eq(~self.others),
            self.taken.eq(array.taken),
            self.starved.eq(array.starved),
            self.ready.eq(ready),
            self.row.eq(post.o.payload),
            self.row_valid.eq(post.o.valid),
            self.fault.eq(fault),
            multiply.begin.eq(self.begins),
            multiply.basis_base.eq(self.basis_base),
            multiply.per_row.eq(self.per_row),
            multiply.bias_narrow.eq(self.bias_narrow),
            multiply.bias_shift.eq(self.bias_shift),
            post.shift.eq(self.shift),
            post.low.eq(self.low),
            post.high.eq(self.high),
        ]
        return m

    def _dense(self, m: Module, array: Array) -> tuple[Value, Value]:
        """Add weights without decoders; return whether they take a command, and their fault."""
        m.submodules.weights = weights = DenseWeights(self.cfg)
        self._write(m, weights.write)
        for beats, codes in zip(array.beats, weights.codes, strict=True):
            m.d.comb += [beats.valid.eq(weights.fed), beats.payload.eq(codes)]
        m.d.comb += [
            weights.start.eq(self.start),
            weights.give.eq(self.give),
            weights.open.eq(self.open),
            weights.first_layer.eq(self.first_layer),
            weights.taken.eq(array.taken),
        ]
        return weights.ready, weights.fault

    def _decoded(self, m: Module, array: Array, platform: object) -> tuple[Value, Value]:
        """Add banks and decoders; return whether all take a command, and any fault.

        Decoders of a steady core need not be asked for their beats: once the first of them has one
        they all have. What they are told reaches each engine a clock after the one before, as
        chunks do, and their beats come as much later.
        """
        cfg = self.cfg
        layer = (self.command, self.entry, self.open, self.first_layer)
        told: Value = Cat(self.start, self.give, array.taken, *layer)
        feeds: list[EngineFeed] = []
        memories: list[WordWritePort] = []
        for engine, beats in enumerate(array.beats):
            m.submodules[f"feed_{engine}"] = feed = EngineFeed(cfg)
            feeds.append(feed)
            if cfg.told and engine:
                told = delayed(m, told, 1, f"told_{engine}")
            layer = (feed.command.payload, feed.entry, feed.open, feed.first_layer)
            m.d.comb += Cat(feed.start, feed.command.valid, feed.step, *layer).eq(told)
            memories += self._words(m, engine, feed, platform)
            waits = read_latency(cfg) - decode_latency(cfg)
            waits += -TOLD if cfg.told else engine
            codes = delayed(m, feed.o.as_value(), waits, f"codes_{engine}")
            m.d.comb += beats.payload.as_value().eq(codes)
        if memories:
            self._write(m, memories)
        if cfg.told:
            can = Signal()
            m.d.sync += can.eq(feeds[0].can)
            m.d.comb += [beats.valid.eq(can & self.open) for beats in array.beats]
        else:
            pairs = zip(feeds, array.beats, strict=True)
            m.d.comb += [beats.valid.eq(feed.can) for feed, beats in pairs]
        ready = Cat(feed.command.ready for feed in (feeds[:1] if cfg.told else feeds)).all()
        return ready, Cat(feed.fault for feed in feeds).any()

    def _words(
        self, m: Module, engine: int, feed: EngineFeed, platform: object
    ) -> list[WordWritePort]:
        """Give an engine the weight words of its banks, from outside or from memories; return how
        these are written.
        """
        cfg = self.cfg
        first = engine * cfg.banks
        if cfg.external_weights:
            for index, port in enumerate(feed.words):
                connect(m, flipped(self.weights[first + index]), port)
            return []
        together = cfg.banks if cfg.lock_step else 1
        memories: list[WordWritePort] = []
        start = by_bank(m, cfg, feed.start, f"start_{engine}", platform)
        for index in range(0, cfg.banks, together):
            banks = WeightBanks(cfg, together, brought=brings_words(cfg))
            m.submodules[f"banks_{first + index}"] = banks
            memories += banks.write
            m.d.comb += banks.start.eq(start[index])
            for words, port in zip(banks.o, feed.words[index : index + together], strict=True):
                connect(m, words, port)
        return memories

    def _write(self, m: Module, memories: list[WordWritePort]) -> None:
        """Connect the weight memories' write ports, a bank each, with the loader's.

        A write goes from each four banks to the next, a clock each: from the loader alone it would
        reach over the whole chip.
        """
        ports = self.write_weights
        addr: Value = Cat(ports[0].addr, ports[0].first)
        word: Value = ports[0].data
        enables: Value = Cat(port.en for port in ports)
        for first in range(0, len(memories), WRITTEN_AT_ONCE):
            own_addr = Signal(len(addr), name=f"write_addr_{first}", reset_less=True)
            own_word = Signal(len(word), name=f"write_data_{first}", reset_less=True)
            ahead = Signal(len(enables), name=f"write_en_{first}", reset_less=True)
            # Only what is meant for this slice: registers that are alike would become one.
            with m.If(enables.any() if first == 0 and self.cfg.cores > 1 else 1):
                m.d.sync += [own_addr.eq(addr), own_word.eq(word)]
            m.d.sync += ahead.eq(enables)
            here = memories[first : first + WRITTEN_AT_ONCE]
            for bank, memory in enumerate(here):
                m.d.comb += [
                    Cat(memory.addr, memory.first).eq(own_addr),
                    memory.data.eq(own_word),
                    memory.en.eq(ahead[bank]),
                ]
            addr, word, enables = own_addr, own_word, ahead[len(here) :]


def flat_ports(ports: Any) -> list[tuple[str, wiring.Member, Value]]:
    """Return the ports of a component or an interface one by one, named as in Verilog.

    What is constant is no port: ready of a stream that always is.
    """
    flat = [
        ("__".join(map(str, path)), member, Value.cast(value))
        for path, member, value in ports.signature.flatten(ports)
    ]
    return [port for port in flat if not isinstance(port[2], Const)]


class NamedSlice(SlicePorts):
    """A slice that is a module ``SLICE`` made elsewhere: the same text serves all of them."""

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        ports: dict[str, Value] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for name, member, value in flat_ports(self):
            ports[f"{'i' if member.flow == In else 'o'}_{name}"] = value
        m.submodules.slice = Instance(SLICE, **ports)
        return m
