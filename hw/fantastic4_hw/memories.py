# SPDX-License-Identifier: Apache-2.0
"""What the loader needs to write a memory, and the bank an engine's weights come from."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.spram import LoadedMemory

DONT_CARE = {"no_rw_check": 1}
"""Attribute of a memory of which no word is read in the clock in which it is written, or what is
then read is not used. Without it synthesis adds a register and a multiplexer a bit where the block
RAM of a family does not give the old word."""


class WritePort(wiring.PureInterface):
    """What a ``WriteSignature`` creates."""

    addr: Signal
    data: Signal
    en: Signal


class WriteSignature(wiring.Signature):
    """A write port of ``depth`` records of ``width`` bits."""

    def __init__(self, depth: int, width: int):
        super().__init__(
            {"addr": Out(max(1, (depth - 1).bit_length())), "data": Out(width), "en": Out(1)}
        )

    def create(self, *, path: tuple[str | int, ...] = (), src_loc_at: int = 0) -> WritePort:
        """Return an interface with this signature."""
        return WritePort(self, path=path, src_loc_at=1 + src_loc_at)


WORD_FIELDS = {"first": 1}
"""What goes with a weight word: whether it is the first one of the network."""


def word_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of a weight word on its way to a decoder."""
    return data.StructLayout({"data": cfg.word_width, **WORD_FIELDS})


class WeightBank(wiring.Component):
    """Weight words of one bank, read in order and round and round as a stream.

    Two stages behind the address, the memory's own output and a register; both hold when the
    stream stalls. The first word is offered ``latency`` clocks after ``start``, from then on one a
    clock. Behind the last word that was written the first one follows.

    Members
    -------
    start : ``In(1)``
        Begin with the first word again; what was offered or under way is dropped.
    write : ``In``
        The loader's port; words come in order.
    o : ``Out(stream(word_layout(cfg)))``
        Weight words.
    """

    start: Signal
    write: WritePort
    o: stream.Interface

    latency = 3

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        super().__init__(
            {
                "start": In(1),
                "write": In(WriteSignature(cfg.weight_depth, cfg.word_width)),
                "o": Out(stream.Signature(word_layout(cfg))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.storage = storage = LoadedMemory(self.cfg.word_width, self.cfg.weight_depth)
        m.d.comb += [
            storage.write_addr.eq(self.write.addr),
            storage.write_data.eq(self.write.data),
            storage.write_en.eq(self.write.en),
        ]
        last = Signal(range(self.cfg.weight_depth))
        with m.If(self.write.en):
            m.d.sync += last.eq(self.write.addr)

        at = Signal(range(self.cfg.weight_depth))
        fetched = Signal()
        first = Signal()
        move_out = Signal()
        move_in = Signal()
        m.d.comb += [
            move_out.eq(~self.o.valid | self.o.ready),
            move_in.eq(~fetched | move_out),
            storage.addr.eq(at),
            storage.en.eq(move_in),
        ]
        with m.If(move_in):
            m.d.sync += [fetched.eq(1), first.eq(at == 0), at.eq(Mux(at == last, 0, at + 1))]
        with m.If(move_out):
            m.d.sync += [
                self.o.valid.eq(fetched),
                self.o.payload.data.eq(storage.data),
                self.o.payload.first.eq(first),
            ]
        with m.If(self.start):
            m.d.sync += [at.eq(0), fetched.eq(0), self.o.valid.eq(0)]
        return m
