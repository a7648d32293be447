# SPDX-License-Identifier: Apache-2.0
"""Activation memory: two input slots and two hidden buffers, read a chunk a clock."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.blockram import BlockRam
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
    """Turns steps into chunks. Cannot stall; takes a step a clock.

    Three stages: the memories, their output registers, and the choice between them. A write is seen
    by steps of the next clock, and no step reads what is being written.

    Members
    -------
    steps : ``In(stream, always_ready)``
        Which chunk of which buffer, and its place in the row group.
    chunks : ``Out(stream, always_ready)``
        The activations with their place, ``latency`` clocks later.
    write_input, write_hidden : ``In``
        Writes; only the lanes enabled change. With ``cfg.shared_activations`` not both in a clock.
    """

    steps: stream.Interface
    chunks: stream.Interface
    write_input: ChunkWritePort
    write_hidden: ChunkWritePort

    latency = 3

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(cfg), always_ready=True)),
                "chunks": Out(stream.Signature(chunk_layout(cfg), always_ready=True)),
                "write_input": In(ChunkWriteSignature(cfg, cfg.input_chunks)),
                "write_hidden": In(ChunkWriteSignature(cfg, cfg.hidden_chunks)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        step = self.steps.payload
        found = []
        separate = (
            ("inputs", self.cfg.input_chunks, self.write_input),
            ("hidden", self.cfg.hidden_chunks, self.write_hidden),
        )
        for name, depth, write in () if self.cfg.shared_activations else separate:
            # Slot 1 begins at the next power of two, so an address is two fields side by side.
            width = len(write.chunk)
            m.submodules[name] = storage = BlockRam(
                (1 << width) + depth, 8 * self.cfg.lanes, granularity=8
            )
            m.d.comb += [
                storage.read_addr.eq((step.slot << width) | step.chunk[:width]),
                storage.write_addr.eq((write.slot << width) | write.chunk),
                storage.write_data.eq(write.acts),
                storage.write_en.eq(write.en),
            ]
            found.append(storage.read_data)
        if self.cfg.shared_activations:
            found = 2 * [self._shared(m)]

        flags = [getattr(step, name) for name in flags_layout(self.cfg)]
        moving = Cat(self.steps.valid, step.hidden, *flags)
        for clock in range(self.latency - 1):
            later = Signal(len(moving), name=f"moving_{clock}")
            m.d.sync += later.eq(moving)
            moving = later
        chunk = self.chunks.payload
        m.d.sync += [
            chunk.acts.eq(Mux(moving[1], found[1], found[0])),
            Cat(self.chunks.valid, *(getattr(chunk, name) for name in flags_layout(self.cfg))).eq(
                Cat(moving[0], moving[2:])
            ),
        ]
        return m

    def _shared(self, m: Module) -> Value:
        """Return what is read of the one memory for both."""
        step, writes = self.steps.payload, (self.write_input, self.write_hidden)
        width = max(len(write.chunk) for write in writes)
        m.submodules.storage = storage = BlockRam(4 << width, 8 * self.cfg.lanes, granularity=8)
        m.d.comb += storage.read_addr.eq(Cat(step.chunk[:width], step.slot, step.hidden))
        hidden = self.write_hidden.en.any()
        for chosen, write in zip((~hidden, hidden), writes, strict=True):
            with m.If(chosen):
                chunk = Cat(write.chunk, Const(0, width - len(write.chunk)))
                m.d.comb += [
                    storage.write_addr.eq(Cat(chunk, write.slot, hidden)),
                    storage.write_data.eq(write.acts),
                    storage.write_en.eq(write.en),
                ]
        return storage.read_data
