# SPDX-License-Identifier: Apache-2.0
"""The core, or several: every block of the data path, connected."""

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fantastic4.config import CoreConfig
from fantastic4.layout import LAYER, ErrorCode
from fantastic4.timing import ACTIVATION_LATENCY, result_depth
from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.array import Array
from fantastic4_hw.delay import delayed
from fantastic4_hw.feed import LayerFeed
from fantastic4_hw.inputs import InputWriter
from fantastic4_hw.loader import Loader
from fantastic4_hw.memories import word_layout
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
from fantastic4_hw.slice import Slice, SlicePorts
from fantastic4_hw.streams import Runway
from fantastic4_hw.table import LayerTable


class Core(wiring.Component):
    """An accelerator: multilayer perceptrons of at most 16 layers, loaded at run time.

    Of ``cfg.cores`` cores each has its own part, a ``Slice``; all else they share, and they work in
    lock step on the same activations.

    Parameters
    ----------
    cfg : CoreConfig
    make_slice : callable
        Gives what each core has for itself: ``Slice``, or a stand-in with its ports.

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

    def __init__(self, cfg: CoreConfig, make_slice: Callable[[CoreConfig], SlicePorts] = Slice):
        self.cfg = cfg
        self.make_slice = make_slice
        outside = In(stream.Signature(word_layout(cfg))).array(cfg.group_rows * cfg.banks)
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
            Runway.latency
            + ActivationMemory.latency_of(cfg)
            + Array.latency_of(cfg)
            + Multiply.latency
            + Post.latency
        )

    @staticmethod
    def result_depth(cfg: CoreConfig) -> int:
        """Return the places of the result queue, as ``timing`` counts on them."""
        return result_depth(cfg)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        cfg = self.cfg
        m.submodules.loader = loader = Loader(cfg)
        m.submodules.inputs = inputs = InputWriter(cfg)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.steps = steps = Runway(step_layout(cfg))
        m.submodules.activations = activations = ActivationMemory(cfg)
        m.submodules.layer_feed = layer_feed = LayerFeed(cfg)
        m.submodules.retire = retire = Retire(cfg, depth=result_depth(cfg))
        start, fed = Signal(init=1), Signal()
        """There is no network: all begins anew; every bank has its beat."""
        slices = [
            self._slice(m, number, loader, layer_feed, sequencer, retire, start)
            for number in range(cfg.cores)
        ]

        # Data path, left to right.
        connect(m, flipped(self.input), inputs.i)
        connect(m, inputs.write, activations.write_input)
        connect(m, sequencer.steps, steps.i)
        m.d.comb += [
            steps.o.ready.eq(slices[0].steps.ready),
            activations.steps.valid.eq(slices[0].taken),
            activations.steps.payload.eq(steps.o.payload),
        ]
        for number, part in enumerate(slices):
            # Slices move in lock step: what one of them says of a clock all of them say.
            others = [] if cfg.lock_step else [x.fed for x in slices if x is not part]
            m.d.comb += [
                part.steps.payload.eq(steps.o.payload),
                part.steps.valid.eq(steps.o.valid),
                part.chunks.payload.eq(activations.chunks.payload),
                part.chunks.valid.eq(activations.chunks.valid),
                part.others.eq(Cat(others).all()),
                retire.i.payload[number].eq(part.row),
            ]
        m.d.comb += retire.i.valid.eq(slices[0].row_valid)
        connect(m, retire.write, activations.write_hidden)
        connect(m, retire.results, flipped(self.result))

        # Image.
        connect(m, flipped(self.load), loader.i)
        self._layer_table(m, loader, sequencer, layer_feed)

        # Control. With banks in lock step, all slices do what one does.
        waited = slices[:1] if cfg.lock_step else slices
        quiet = Signal()
        """No input is there, and none may come."""
        m.d.comb += [
            inputs.in_features.eq(self._in_features(m, loader)),
            inputs.hold.eq(activations.hold),
            loader.grant.eq(quiet & ~inputs.accept),
            layer_feed.start.eq(start),
            layer_feed.layers.eq(loader.layers),
            layer_feed.ready.eq(Cat(part.ready for part in waited).all()),
            layer_feed.taken.eq(slices[0].taken),
            sequencer.start.eq(inputs.full & fed),
            sequencer.layers.eq(loader.layers),
            sequencer.slot.eq(inputs.slot),
            sequencer.done.eq(retire.done),
            sequencer.chunks_ready.eq(retire.chunks_ready),
            sequencer.drained.eq(retire.drained),
            sequencer.room_for_one.eq(retire.room_for_one),
            sequencer.room_for_two.eq(retire.room_for_two),
            sequencer.space_for_one.eq(steps.space_for_one),
            sequencer.space_for_two.eq(steps.space_for_two),
            retire.reserve.eq(sequencer.reserve),
            retire.reserve_rows.eq(sequencer.reserve_rows),
            retire.record.eq(sequencer.layer),
            retire.is_last.eq(sequencer.is_last),
        ]
        # What reaches far and has time goes through a register.
        waits = ActivationMemory.latency_of(cfg) - ACTIVATION_LATENCY
        read = delayed(m, slices[0].taken & steps.o.payload.release, waits, "read", flags=1)
        m.d.sync += [
            start.eq(~loader.loaded),
            quiet.eq(inputs.empty & ~inputs.accept & ~sequencer.running),
            fed.eq(loader.loaded & Cat(part.fed for part in waited).all()),
            inputs.accept.eq(loader.loaded & ~loader.wanted & ~loader.busy),
            inputs.release.eq(read),
            retire.begin.eq(sequencer.begin),
        ]
        self._status(m, loader, inputs, sequencer, slices)
        self._perf(m, sequencer, slices[0], retire)
        return m

    def _slice(
        self,
        m: Module,
        number: int,
        loader: Loader,
        layer_feed: LayerFeed,
        sequencer: Sequencer,
        retire: Retire,
        start: Signal,
    ) -> SlicePorts:
        """Return a core's own part, connected with all that is the same for each."""
        m.submodules[f"slice_{number}"] = part = self.make_slice(self.cfg)
        connect(m, loader.write_basis[number], part.write_basis)
        connect(m, loader.write_bias[number], part.write_bias)
        for bank in range(self.cfg.engines * self.cfg.banks):
            # Rows are dealt to the cores first, and each core deals its own to its engines.
            engine, index = divmod(bank, self.cfg.banks)
            outside = (engine * self.cfg.cores + number) * self.cfg.banks + index
            if self.cfg.external_weights:
                connect(m, flipped(self.weights[outside]), part.weights[bank])
            else:
                connect(m, loader.write_weights[outside], part.write_weights[bank])
        m.d.comb += [
            part.start.eq(start),
            part.give.eq(layer_feed.give),
            part.command.eq(layer_feed.command),
            part.entry.eq(layer_feed.entry),
            part.open.eq(layer_feed.open),
            part.first_layer.eq(layer_feed.first_layer),
            part.begins.eq(retire.begin),
            part.basis_base.eq(sequencer.layer.basis_base),
            part.per_row.eq(sequencer.layer.per_row),
            part.bias_narrow.eq(sequencer.layer.bias_narrow),
            part.bias_shift.eq(sequencer.layer.bias_shift),
            part.shift.eq(retire.layer.shift),
            part.low.eq(retire.layer.low),
            part.high.eq(retire.layer.high),
        ]
        return part

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
        """Return the inputs of the first layer, kept where the input writer can see them.

        What the loader writes stays for another clock.
        """
        first, written = Signal(LAYER.fields["in_features"], reset_less=True), Signal()
        m.d.sync += written.eq(loader.write_table.en & (loader.write_table.addr == 0))
        with m.If(written):
            m.d.sync += first.eq(loader.write_table.data)
        return first

    def _status(
        self,
        m: Module,
        loader: Loader,
        inputs: InputWriter,
        sequencer: Sequencer,
        slices: list[SlicePorts],
    ) -> None:
        wrong_length = Signal()
        wrong_weights = Signal()
        with m.If(loader.busy):
            m.d.sync += [wrong_length.eq(0), wrong_weights.eq(0)]
        with m.Else():
            with m.If(inputs.wrong_length):
                m.d.sync += wrong_length.eq(1)
            with m.If(Cat(part.fault for part in slices).any()):
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

    def _perf(self, m: Module, sequencer: Sequencer, array: SlicePorts, retire: Retire) -> None:
        cycles, beats, stalls = (
            Signal(32, name=name, reset_less=True) for name in ("cycles", "beats", "stalls")
        )
        begins, ends, takes, starves = (
            Signal(name=x) for x in ("begins", "ends", "takes", "starves")
        )
        latest = Signal(PERF_LAYOUT, reset_less=True)
        m.d.comb += self.perf.eq(latest)
        m.d.sync += [
            Cat(begins, ends).eq(Cat(sequencer.begin, retire.done)),
            Cat(takes, starves).eq(Cat(array.taken, array.starved)),
            cycles.eq(cycles + 1),
            beats.eq(beats + takes),
            stalls.eq(stalls + starves),
        ]
        with m.If(begins):
            m.d.sync += [cycles.eq(1), beats.eq(0), stalls.eq(0)]
        with m.If(ends):
            m.d.sync += latest.eq(Cat(cycles, beats, stalls))
