# SPDX-License-Identifier: Apache-2.0
"""What the loader needs to write a memory, and the bank an engine's weights come from."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4_hw.blockram import BlockRam


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
        depth = self.cfg.weight_depth
        m.submodules.storage = storage = BlockRam(depth, self.cfg.word_width, loaded=True)
        m.d.comb += [
            storage.write_addr.eq(self.write.addr),
            storage.write_data.eq(self.write.data),
            storage.write_en.eq(self.write.en),
        ]
        last, alone = Signal(range(depth)), Signal()
        with m.If(self.write.en):
            m.d.sync += [last.eq(self.write.addr), alone.eq(self.write.addr == 0)]

        # Whether an address is the first or the last is known a clock ahead, so that nothing but a
        # reset stands before the counter.
        at, following = Signal(range(depth)), Signal(range(depth))
        at_first, at_last = Signal(), Signal()
        restart = Signal()
        fetched, first = Signal(), Signal()
        move_out, move_in = Signal(), Signal()
        m.d.comb += [
            move_out.eq(~self.o.valid | self.o.ready),
            move_in.eq(~fetched | move_out),
            restart.eq(self.start | (move_in & at_last)),
            following.eq(at + 1),
            storage.read_addr.eq(at),
            storage.fetch.eq(move_in),
            storage.move.eq(move_out),
            self.o.payload.data.eq(storage.read_data),
        ]
        with m.If(restart):
            m.d.sync += [at.eq(0), at_first.eq(1), at_last.eq(alone)]
        with m.Elif(move_in):
            m.d.sync += [at.eq(following), at_first.eq(0), at_last.eq(following == last)]
        with m.If(move_in):
            m.d.sync += [fetched.eq(1), first.eq(at_first)]
        with m.If(move_out):
            m.d.sync += [self.o.valid.eq(fetched), self.o.payload.first.eq(first)]
        with m.If(self.start):
            m.d.sync += [fetched.eq(0), self.o.valid.eq(0)]
        return m
