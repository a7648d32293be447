# SPDX-License-Identifier: Apache-2.0
"""The core: every block of the data path, connected."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fantastic4.config import CoreConfig
from fantastic4.layout import LAYER, ErrorCode
from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.array import Array
from fantastic4_hw.feed import EngineFeed, LayerFeed
from fantastic4_hw.inputs import InputWriter
from fantastic4_hw.loader import Loader
from fantastic4_hw.memories import WeightBank, word_layout
from fantastic4_hw.multiply import Multiply
from fantastic4_hw.post import Post
from fantastic4_hw.retire import Retire
from fantastic4_hw.sequencer import Sequencer
from fantastic4_hw.shapes import (
    LOAD_LAYOUT,
    PERF_LAYOUT,
    RESULT_LAYOUT,
    STATUS_LAYOUT,
    input_layout,
    step_layout,
)
from fantastic4_hw.streams import Buffer
from fantastic4_hw.table import LayerTable


class Core(wiring.Component):
    """One accelerator core: multilayer perceptrons of at most 16 layers, loaded at run time.

    Computes one inference at a time and takes the next input meanwhile. An image is taken between
    inferences, when all inputs that were taken before have been computed. Without a network, the
    core takes no input.

    Members
    -------
    load : ``In(stream(LOAD_LAYOUT))``
        Image words.
    input : ``In(stream(input_layout(cfg)))``
        Activations, in frames of ``ceil(in_features / input_width)`` transfers.
    result : ``Out(stream(RESULT_LAYOUT))``
        Outputs of the last layer, ``out_features`` transfers an inference.
    status : ``Out(STATUS_LAYOUT)``
        ``error`` stays until the next image begins.
    perf : ``Out(PERF_LAYOUT)``
        Clocks from the first step to the last result, beats, and clocks in which the array had
        its activations but waited for weights, of the latest inference.
    weights : ``In(stream(word_layout(cfg)))``, one a bank
        Weight words, round and round; only if ``cfg.external_weights``.
    """

    load: stream.Interface
    input: stream.Interface
    result: stream.Interface
    status: data.View
    perf: data.View
    weights: list[stream.Interface]

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        outside = In(stream.Signature(word_layout(cfg))).array(cfg.engines * cfg.banks)
        super().__init__(
            {
                **({"weights": outside} if cfg.external_weights else {}),
                "load": In(stream.Signature(LOAD_LAYOUT)),
                "input": In(stream.Signature(input_layout(cfg))),
                "result": Out(stream.Signature(RESULT_LAYOUT)),
                "status": Out(STATUS_LAYOUT),
                "perf": Out(PERF_LAYOUT),
            }
        )

    @staticmethod
    def row_latency(cfg: CoreConfig) -> int:
        """Return the clocks from a row group's last step to its first row behind ``Post``."""
        return (
            Buffer.latency
            + ActivationMemory.latency
            + Array.latency_of(cfg)
            + Multiply.latency
            + Post.latency
        )

    @staticmethod
    def result_depth(cfg: CoreConfig) -> int:
        """Return the places of the result queue: a ready reader never holds up a row group."""
        return 1 << (Core.row_latency(cfg) + 3 * cfg.engines + 8).bit_length()

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        m.submodules.loader = loader = Loader(cfg)
        m.submodules.inputs = inputs = InputWriter(cfg)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.steps = steps = Buffer(step_layout(cfg))
        m.submodules.activations = activations = ActivationMemory(cfg)
        m.submodules.layer_feed = layer_feed = LayerFeed(cfg)
        m.submodules.array = array = Array(cfg)
        m.submodules.multiply = multiply = Multiply(cfg)
        m.submodules.post = post = Post(cfg)
        m.submodules.retire = retire = Retire(cfg, depth=self.result_depth(cfg))

        # Data path, left to right.
        connect(m, flipped(self.input), inputs.i)
        connect(m, inputs.write, activations.write_input)
        connect(m, sequencer.steps, steps.i)
        connect(m, steps.o, array.steps)
        connect(m, array.reads, activations.steps)
        connect(m, activations.chunks, array.chunks)
        feeds = [self._feed(m, engine, loader, layer_feed) for engine in range(cfg.engines)]
        for engine, feed in enumerate(feeds):
            connect(m, feed.o, array.beats[engine])
        connect(m, array.rows, multiply.rows)
        connect(m, multiply.z, post.z)
        connect(m, post.o, retire.i)
        connect(m, retire.write, activations.write_hidden)
        connect(m, retire.results, flipped(self.result))

        # Image.
        connect(m, flipped(self.load), loader.i)
        connect(m, loader.write_basis, multiply.write_basis)
        connect(m, loader.write_bias, multiply.write_bias)
        self._layer_table(m, loader, sequencer, layer_feed)

        # Control. In lock step, all engines do what one does.
        waited = feeds[:1] if cfg.lock_step else feeds
        m.d.comb += [
            inputs.accept.eq(loader.loaded & ~loader.wanted & ~loader.busy),
            inputs.in_features.eq(self._in_features(m, loader)),
            inputs.release.eq(array.reads.valid & array.reads.payload.release),
            inputs.hold.eq(retire.write.en.any() if cfg.shared_activations else 0),
            loader.grant.eq(inputs.empty & ~sequencer.running),
            layer_feed.start.eq(~loader.loaded),
            layer_feed.layers.eq(loader.layers),
            layer_feed.ready.eq(Cat(feed.command.ready for feed in waited).all()),
            layer_feed.taken.eq(array.taken),
            sequencer.start.eq(
                inputs.full & loader.loaded & Cat(feed.o.valid for feed in waited).all()
            ),
            sequencer.layers.eq(loader.layers),
            sequencer.slot.eq(inputs.slot),
            sequencer.done.eq(retire.done),
            sequencer.chunks_ready.eq(retire.chunks_ready),
            sequencer.drained.eq(retire.drained),
            sequencer.room.eq(retire.room),
            retire.reserve.eq(sequencer.reserve),
            retire.reserve_rows.eq(sequencer.reserve_rows),
            retire.begin.eq(sequencer.begin),
            retire.record.eq(sequencer.layer),
            retire.is_last.eq(sequencer.is_last),
            multiply.begin.eq(sequencer.begin),
            multiply.basis_base.eq(sequencer.layer.basis_base),
            multiply.per_row.eq(sequencer.layer.per_row),
            multiply.bias_narrow.eq(sequencer.layer.bias_narrow),
            multiply.bias_shift.eq(sequencer.layer.bias_shift),
            post.shift.eq(retire.layer.shift),
            post.low.eq(retire.layer.low),
            post.high.eq(retire.layer.high),
        ]
        self._status(m, loader, inputs, sequencer, feeds)
        self._perf(m, sequencer, array, retire)
        return m

    def _feed(self, m: Module, engine: int, loader: Loader, layer_feed: LayerFeed) -> EngineFeed:
        """Return the decoders of an engine, with its weight words and the layers connected."""
        cfg = self.cfg
        m.submodules[f"feed_{engine}"] = feed = EngineFeed(cfg)
        for index in range(cfg.banks):
            number = engine * cfg.banks + index
            if cfg.external_weights:
                connect(m, flipped(self.weights[number]), feed.words[index])
            else:
                m.submodules[f"bank_{number}"] = bank = WeightBank(cfg)
                connect(m, loader.write_weights[number], bank.write)
                connect(m, bank.o, feed.words[index])
                m.d.comb += bank.start.eq(~loader.loaded)
        m.d.comb += [
            feed.start.eq(~loader.loaded),
            feed.command.payload.eq(layer_feed.command),
            feed.command.valid.eq(layer_feed.give),
            feed.entry.eq(layer_feed.entry),
            feed.open.eq(layer_feed.open),
            feed.first_layer.eq(layer_feed.first_layer),
        ]
        return feed

    def _layer_table(
        self, m: Module, loader: Loader, sequencer: Sequencer, layer_feed: LayerFeed
    ) -> None:
        m.submodules.table = table = LayerTable(self.cfg)
        connect(m, loader.write_table, table.write)
        m.d.comb += [
            table.walk_index.eq(sequencer.table_index),
            sequencer.table_record.eq(table.walk_record),
            table.feed_index.eq(layer_feed.table_index),
            layer_feed.table_record.eq(table.feed_record),
        ]

    def _in_features(self, m: Module, loader: Loader) -> Signal:
        """Return the inputs of the first layer, kept where the input writer can see them."""
        first = Signal(LAYER.fields["in_features"])
        with m.If(loader.write_table.en & (loader.write_table.addr == 0)):
            m.d.sync += first.eq(loader.write_table.data)
        return first

    def _status(
        self,
        m: Module,
        loader: Loader,
        inputs: InputWriter,
        sequencer: Sequencer,
        feeds: list[EngineFeed],
    ) -> None:
        wrong_length = Signal()
        wrong_weights = Signal()
        with m.If(loader.busy):
            m.d.sync += [wrong_length.eq(0), wrong_weights.eq(0)]
        with m.Else():
            with m.If(inputs.wrong_length):
                m.d.sync += wrong_length.eq(1)
            with m.If(Cat(feed.fault for feed in feeds).any()):
                m.d.sync += wrong_weights.eq(1)
        m.d.comb += [
            self.status.loaded.eq(loader.loaded),
            self.status.busy.eq(loader.busy | sequencer.running | ~inputs.empty),
            self.status.idle.eq(~self.status.busy),
            self.status.error.eq(loader.error),
        ]
        with m.If(wrong_weights):
            m.d.comb += self.status.error.eq(ErrorCode.WEIGHTS)
        with m.Elif(wrong_length):
            m.d.comb += self.status.error.eq(ErrorCode.INPUT_LENGTH)

    def _perf(self, m: Module, sequencer: Sequencer, array: Array, retire: Retire) -> None:
        cycles = Signal(32)
        beats = Signal(32)
        stalls = Signal(32)
        m.d.sync += [
            cycles.eq(cycles + 1),
            beats.eq(beats + array.taken),
            stalls.eq(stalls + array.starved),
        ]
        with m.If(sequencer.begin):
            m.d.sync += [cycles.eq(1), beats.eq(0), stalls.eq(0)]
        with m.If(retire.done):
            m.d.sync += [
                self.perf.cycles.eq(cycles),
                self.perf.beats.eq(beats),
                self.perf.stalls.eq(stalls),
            ]
