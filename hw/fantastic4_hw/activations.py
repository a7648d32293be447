# SPDX-License-Identifier: Apache-2.0
"""Activation memory: two input slots and two hidden buffers, read a chunk a clock."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.memories import DONT_CARE
from fantastic4_hw.shapes import activations, chunk_layout, flags_layout, step_layout


class ChunkWritePort(wiring.PureInterface):
    """What a ``ChunkWriteSignature`` creates."""

    slot: Signal
    chunk: Signal
    acts: data.View
    en: Signal


class ChunkWriteSignature(wiring.Signature):
    """A write into a pair of buffers of ``chunks`` chunks; ``en`` has a bit a lane."""

    def __init__(self, cfg: CoreConfig, chunks: int):
        super().__init__(
            {
                "slot": Out(1),
                "chunk": Out(max(1, (chunks - 1).bit_length())),
                "acts": Out(activations(cfg.lanes)),
                "en": Out(cfg.lanes),
            }
        )

    def create(self, *, path: tuple[str | int, ...] = (), src_loc_at: int = 0) -> ChunkWritePort:
        """Return an interface with this signature."""
        return ChunkWritePort(self, path=path, src_loc_at=1 + src_loc_at)


class ActivationMemory(wiring.Component):
    """Turns steps into chunks.

    Two stages, the memories' own output and a register; both hold when the chunks stall. A write
    is seen by steps taken in the next clock.

    Members
    -------
    steps : ``In(stream)``
        Which chunk of which buffer, and its place in the row group.
    chunks : ``Out(stream)``
        The activations with their place.
    write_input, write_hidden : ``In``
        Writes; only the lanes enabled change. With ``cfg.shared_activations`` not both in a clock.
    """

    steps: stream.Interface
    chunks: stream.Interface
    write_input: ChunkWritePort
    write_hidden: ChunkWritePort

    latency = 2

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(cfg))),
                "chunks": Out(stream.Signature(chunk_layout(cfg))),
                "write_input": In(ChunkWriteSignature(cfg, cfg.input_chunks)),
                "write_hidden": In(ChunkWriteSignature(cfg, cfg.hidden_chunks)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        step = self.steps.payload
        fetched, from_hidden = Signal(), Signal()
        move_out, move_in = Signal(), Signal()
        m.d.comb += [
            move_out.eq(~self.chunks.valid | self.chunks.ready),
            move_in.eq(~fetched | move_out),
            self.steps.ready.eq(move_in),
        ]

        found = []
        for name, depth, write in (
            ()
            if self.cfg.shared_activations
            else (
                ("inputs", self.cfg.input_chunks, self.write_input),
                ("hidden", self.cfg.hidden_chunks, self.write_hidden),
            )
        ):
            # Slot 1 begins at the next power of two, so an address is two fields side by side.
            width = len(write.chunk)
            storage = memory.Memory(
                shape=8 * self.cfg.lanes, depth=(1 << width) + depth, init=[], attrs=DONT_CARE
            )
            m.submodules[name] = storage
            reader, writer = storage.read_port(), storage.write_port(granularity=8)
            m.d.comb += [
                reader.addr.eq((step.slot << width) | step.chunk[:width]),
                reader.en.eq(move_in),
                writer.addr.eq((write.slot << width) | write.chunk),
                writer.data.eq(write.acts),
                writer.en.eq(write.en),
            ]
            found.append(reader.data)
        if self.cfg.shared_activations:
            found = 2 * [self._shared(m, move_in)]

        flags = {name: Signal(width, name=name) for name, width in flags_layout(self.cfg).items()}
        with m.If(move_in):
            m.d.sync += [fetched.eq(self.steps.valid), from_hidden.eq(step.hidden)]
            m.d.sync += [flag.eq(getattr(step, name)) for name, flag in flags.items()]
        chunk = self.chunks.payload
        with m.If(move_out):
            m.d.sync += [
                self.chunks.valid.eq(fetched),
                chunk.acts.eq(Mux(from_hidden, found[1], found[0])),
            ]
            m.d.sync += [getattr(chunk, name).eq(flag) for name, flag in flags.items()]
        return m

    def _shared(self, m: Module, move_in: Signal) -> Signal:
        """Return what is read of the one memory for both."""
        step, writes = self.steps.payload, (self.write_input, self.write_hidden)
        width = max(len(write.chunk) for write in writes)
        storage = memory.Memory(
            shape=8 * self.cfg.lanes, depth=4 << width, init=[], attrs=DONT_CARE
        )
        m.submodules.storage = storage
        reader, writer = storage.read_port(), storage.write_port(granularity=8)
        m.d.comb += [
            reader.addr.eq(Cat(step.chunk[:width], step.slot, step.hidden)),
            reader.en.eq(move_in),
        ]
        hidden = self.write_hidden.en.any()
        for choose, write in zip((~hidden, hidden), writes, strict=True):
            with m.If(choose):
                chunk = Cat(write.chunk, Const(0, width - len(write.chunk)))
                m.d.comb += [
                    writer.addr.eq(Cat(chunk, write.slot, hidden)),
                    writer.data.eq(write.acts),
                    writer.en.eq(write.en),
                ]
        return reader.data
