# SPDX-License-Identifier: Apache-2.0
"""Activation memory: two input slots and two hidden buffers, read a chunk a clock."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.timing import ACTIVATION_LATENCY, read_latency
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.copies import copies
from fantastic4_hw.delay import delayed
from fantastic4_hw.shapes import activations, chunk_layout, flags_layout, step_layout

PARTS, PART = 4, 16
"""Address registers of an activation memory at most, and lanes that are enough for one."""


class ChunkWritePort(wiring.PureInterface):
    """What a ``ChunkWriteSignature`` creates."""

    valid: Signal
    slot: Signal
    chunk: Signal
    acts: data.View
    en: Signal


class ChunkWriteSignature(wiring.Signature):
    """A write into a pair of buffers of ``chunks`` chunks.

    ``en`` has a bit a lane, and counts where there is one, ``valid``.
    """

    def __init__(self, cfg: CoreConfig, chunks: int):
        super().__init__(
            {
                "valid": Out(1),
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

    Four stages: the step, the memories, their output registers, and the choice between them. Where
    decoders take longer steps wait before the first of them.

    A write goes through three registers, that of an input, which comes out of one, through two, and
    through one more where steps wait: steps see it ``written`` and ``input_written`` clocks later
    at most, and no step reads what is being written.

    Members
    -------
    steps : ``In(stream, always_ready)``
        Which chunk of which buffer, and its place in the row group.
    chunks : ``Out(stream, always_ready)``
        The activations with their place, ``latency`` clocks later.
    write_input, write_hidden : ``In``
        Writes; only the lanes enabled change.
    hold : ``Out(1)``
        With ``cfg.shared_activations``: no input is written in this clock, as a hidden activation
        is. It must stay.
    """

    steps: stream.Interface
    chunks: stream.Interface
    write_input: ChunkWritePort
    write_hidden: ChunkWritePort
    hold: Signal

    written = 3
    input_written = 2

    @staticmethod
    def latency_of(cfg: CoreConfig) -> int:
        """Return the clocks from a step to its chunk."""
        return read_latency(cfg)

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(cfg), always_ready=True)),
                "chunks": Out(stream.Signature(chunk_layout(cfg), always_ready=True)),
                "write_input": In(ChunkWriteSignature(cfg, cfg.input_chunks)),
                "write_hidden": In(ChunkWriteSignature(cfg, cfg.hidden_chunks)),
                "hold": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        step, valid = self.steps.payload, self.steps.valid
        waits = self.latency_of(self.cfg) - ACTIVATION_LATENCY
        if waits:
            waiting = delayed(m, Cat(valid, step), waits, "waiting", flags=1)
            step, valid = Signal.like(step), waiting[0]
            m.d.comb += step.eq(waiting[1:])
        writes = [self.write_input, _later(m, self.write_hidden, "hidden")]
        if self.cfg.shared_activations:
            found = 2 * [self._shared(m, step, writes, platform)]
        else:
            found = [
                self._separate(m, step, "inputs", self.cfg.input_chunks, writes[0], platform),
                self._separate(m, step, "hidden", self.cfg.hidden_chunks, writes[1], platform),
            ]

        flags = [getattr(step, name) for name in flags_layout(self.cfg)]
        moving = Cat(valid, step.hidden, *flags)
        moving = delayed(m, moving, ACTIVATION_LATENCY - 1, "moving", flags=1)
        chunk = self.chunks.payload
        acts = Signal(chunk.acts.shape(), reset_less=True)
        m.d.sync += acts.eq(Mux(moving[1], found[1], found[0]))
        m.d.comb += [
            chunk.acts.eq(acts),
            Cat(self.chunks.valid, *(getattr(chunk, name) for name in flags_layout(self.cfg))).eq(
                delayed(m, Cat(moving[0], moving[2:]), 1, "read", flags=1)
            ),
        ]
        return m

    def _separate(
        self,
        m: Module,
        step: data.View,
        name: str,
        chunks: int,
        write: ChunkWritePort,
        platform: object,
    ) -> Value:
        """Return what is read of a memory for one of both."""
        # Slot 1 begins at the next power of two, so an address is two fields side by side.
        width = len(write.chunk)
        addr = Cat(step.chunk[:width], step.slot)
        enables = write.en & write.valid.replicate(len(write.en))
        moving = Cat(write.chunk, write.slot), write.acts.as_value(), enables
        return self._memory(m, name, (1 << width) + chunks, addr, *moving, platform)

    def _shared(
        self, m: Module, step: data.View, writes: list[ChunkWritePort], platform: object
    ) -> Value:
        """Return what is read of the one memory for both; drive ``hold``."""
        width = max(len(write.chunk) for write in writes)
        addr = Cat(step.chunk[:width], step.slot, step.hidden)
        lanes = self.cfg.lanes
        m.d.comb += self.hold.eq(writes[1].valid)
        comes: Value = self.write_hidden.valid
        if self.latency_of(self.cfg) > ACTIVATION_LATENCY:  # steps wait, so writes have time
            comes = writes[1].valid
            writes = [_later(m, write, f"later_{n}") for n, write in enumerate(writes)]
        # Which of both is written: for the address, and for lanes in parts.
        which, *hidden = copies(m, comes, 1 + PARTS, "hidden_comes", platform)
        addresses = [Cat(x.chunk, Const(0, width - len(x.chunk)), x.slot) for x in writes]
        acts, enables = [], []
        for lane in range(lanes):
            comes = hidden[lane * PARTS // lanes]
            acts.append(Mux(comes, *(x.acts[lane] for x in reversed(writes))))
            enables.append(Mux(comes, writes[1].en[lane], writes[0].en[lane] & writes[0].valid))
        return self._memory(
            m,
            "storage",
            4 << width,
            addr,
            Cat(Mux(which, *reversed(addresses)), which),
            Cat(acts),
            Cat(enables),
            platform,
        )

    def _memory(
        self,
        m: Module,
        name: str,
        rows: int,
        addr: Value,
        write_addr: Value,
        acts: Value,
        enables: Value,
        platform: object,
    ) -> Value:
        """Return a row, three clocks behind its address; a write goes through two registers.

        There are up to `PARTS` parts of at least `PART` lanes, with registers of their own.
        """
        bits = len(write_addr) + len(acts) + len(enables)
        moving = Signal(bits, name=f"{name}_moving", reset_less=True)
        m.d.sync += moving.eq(Cat(write_addr, acts, enables))
        write_addr, acts, enables = (
            moving[: len(write_addr)],
            moving[len(write_addr) : -len(enables)],
            moving[-len(enables) :],
        )
        found = []
        lanes = max(PART, -(-self.cfg.lanes // PARTS))
        parts = range(0, self.cfg.lanes, lanes)
        own, own_write = (
            copies(m, a, len(parts), f"{name}_{what}", platform)
            for what, a in (("addr", addr), ("write_addr", write_addr))
        )
        for part, low in enumerate(parts):
            high = min(low + lanes, self.cfg.lanes)
            m.submodules[f"{name}_{part}"] = storage = BlockRam(
                rows, 8 * (high - low), granularity=8
            )
            written = Signal(9 * (high - low), name=f"{name}_written_{part}", reset_less=True)
            m.d.sync += written.eq(Cat(acts[8 * low : 8 * high], enables[low:high]))
            m.d.comb += [
                storage.read_addr.eq(own[part]),
                storage.write_addr.eq(own_write[part]),
                Cat(storage.write_data, storage.write_en).eq(written),
            ]
            found.append(storage.read_data)
        return Cat(found)


def _later(m: Module, write: ChunkWritePort, name: str) -> ChunkWritePort:
    """Return a write port of the clock before."""
    later: ChunkWritePort = write.signature.create()
    now, then = (Cat(x.valid, x.slot, x.chunk, x.acts, x.en) for x in (write, later))
    m.d.comb += then.eq(delayed(m, now, 1, name, flags=1))
    return later
