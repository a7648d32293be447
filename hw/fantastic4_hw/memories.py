# SPDX-License-Identifier: Apache-2.0
"""What the loader needs to write a memory, and the bank an engine's weights come from."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig
from fantastic4.timing import WRITTEN_AT_ONCE
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.devices import masked_sum


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


class WordWritePort(WritePort):
    """What a ``WordWriteSignature`` creates."""

    first: Signal


class WordWriteSignature(wiring.Signature):
    """A write port of ``depth`` weight words of ``width`` bits, which come in their order.

    ``addr`` is how far a word is from the last one, a number of one bit more than an address: 0 for
    the last, -1 for the one before it. ``first`` says that it is the first.
    """

    def __init__(self, depth: int, width: int):
        super().__init__(
            {
                "addr": Out(max(1, (depth - 1).bit_length()) + 1),
                "data": Out(width),
                "en": Out(1),
                "first": Out(1),
            }
        )

    def create(self, *, path: tuple[str | int, ...] = (), src_loc_at: int = 0) -> WordWritePort:
        """Return an interface with this signature."""
        return WordWritePort(self, path=path, src_loc_at=1 + src_loc_at)


def row_of(place: Value, depth: int) -> Value:
    """Return the row of a memory of ``depth`` rows for the ``addr`` of a `WordWriteSignature`.

    It is that number modulo a power of two, and of what lies beyond ``depth`` moved down.
    """
    bits = len(place) - 1
    beyond = (1 << bits) - depth
    if not beyond:
        return place[:bits]
    low = (beyond & -beyond).bit_length() - 1
    high = place[low:bits]
    moved = Mux(high.any(), high - (beyond >> low), 0)
    return Cat(place[:low], moved[: len(high)])


def written_after(cfg: CoreConfig) -> int:
    """Return the clocks from a write at a slice's port until each of its weight banks has it."""
    return -(-cfg.engines * cfg.banks // WRITTEN_AT_ONCE) + 1


WORD_FIELDS = {"first": 1}
"""What goes with a weight word: whether it is the first one of the network."""


def word_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of a weight word on its way to a decoder."""
    return data.StructLayout({"data": cfg.word_width, **WORD_FIELDS})


class RoundCounter(wiring.Component):
    """Address of words that are read round and round, from the first to the last written.

    Words lie where their distance from the last one says (`row_of`), so the address itself is a
    count, whose sign tells the last word from the others: nothing is compared, and what follows is
    one sum.

    Members
    -------
    start : ``In(1)``
        Begin with the first word again. Ends when words have been written.
    write_addr, write_first, write_en : ``In``
        Of the words' write port.
    step : ``In(1)``
        On to the next word.
    ready : ``Out(1)``
        There is a word at hand; from the second clock behind ``start`` on. No ``step`` before, or
        with ``pulled`` always.
    addr : ``Out``, at_first : ``Out(1)``
        The word at hand; it is the first.
    """

    start: Signal
    write_addr: Signal
    write_first: Signal
    write_en: Signal
    step: Signal
    ready: Signal
    addr: Signal
    at_first: Signal

    def __init__(self, depth: int, *, pulled: bool = False):
        self.depth, self.pulled = depth, pulled
        bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "start": In(1),
                "write_addr": In(bits + 1),
                "write_first": In(1),
                "write_en": In(1),
                "step": In(1),
                "ready": Out(1),
                "addr": Out(bits),
                "at_first": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        begin = Signal(len(self.write_addr), reset_less=True)
        with m.If(self.write_en & self.write_first):
            m.d.sync += begin.eq(self.write_addr)
        at = Signal(len(begin), reset_less=True)
        ready, at_first = Signal(reset_less=True), Signal(reset_less=True)
        at_last = ~at[-1]
        # Behind the last word, at 0, comes ``begin``, and behind all others their place and one.
        one, ones = Const(1, 1), at_last.replicate(len(at) - 1)
        added = Cat(Mux(at_last, begin[0], 1), begin[1:])
        following = masked_sum(m, at, one, added, Cat(one, ones), platform)
        m.d.comb += self.addr.eq(row_of(at, self.depth))
        m.d.comb += [self.ready.eq(ready), self.at_first.eq(at_first)]
        if self.pulled:
            with m.If(self.step):
                m.d.sync += [at.eq(following), at_first.eq(at_last), ready.eq(1)]
            with m.If(self.start):
                m.d.sync += [at.eq(0), ready.eq(0)]
            return m
        m.d.sync += ready.eq(~self.start)
        with m.If(self.start):
            m.d.sync += at.eq(0)
        with m.Elif(self.step | ~ready):
            m.d.sync += [at.eq(following), at_first.eq(at_last)]
        return m


class BankReader(wiring.Component):
    """Address and handshake of weight memories that are read round and round.

    Members
    -------
    start : ``In(1)``
        Begin with the first word again; what was offered or under way is dropped.
    write_addr, write_first, write_en : ``In``
        Of the words' write port.
    addr : ``Out``, move : ``Out(1)``
        For a `BlockRam` of two stages, both of which move together.
    valid, first : ``Out(1)``, ``ready`` : ``In(1)``
        The word it gives is offered; it is the first of the network; it is taken. With ``brought``
        nothing moves but with ``ready``.
    """

    start: Signal
    write_addr: Signal
    write_first: Signal
    write_en: Signal
    addr: Signal
    move: Signal
    valid: Signal
    first: Signal
    ready: Signal

    def __init__(self, depth: int, *, brought: bool = False):
        self.depth, self.brought = depth, brought
        bits = max(1, (depth - 1).bit_length())
        pins = {"start": In(1), "write_addr": In(bits + 1), "write_first": In(1)}
        pins |= {"write_en": In(1), "addr": Out(bits)}
        pins |= {"move": Out(1), "valid": Out(1), "first": Out(1), "ready": In(1)}
        super().__init__(pins)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.round = at = RoundCounter(self.depth, pulled=True)
        fetched, valid = Signal(reset_less=True), Signal(reset_less=True)
        first, offered = Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            self.valid.eq(valid),
            self.first.eq(offered),
            self.move.eq(self.ready if self.brought else ~valid | self.ready),
            at.start.eq(self.start),
            at.write_addr.eq(self.write_addr),
            at.write_first.eq(self.write_first),
            at.write_en.eq(self.write_en),
            at.step.eq(self.move),
            self.addr.eq(at.addr),
        ]
        # Once there is a word there always is one: what is read before the first does not count.
        with m.If(self.move):
            m.d.sync += [
                Cat(fetched, valid).eq(Cat(at.ready, fetched)),
                Cat(first, offered).eq(Cat(at.at_first, first)),
            ]
        with m.If(self.start):
            m.d.sync += [fetched.eq(0), valid.eq(0)]
        return m


class WeightBanks(wiring.Component):
    """Weight words of ``count`` banks, each read in order and round and round as a stream.

    Two stages behind the address, those of the memory; both hold when the stream stalls. The first
    words are offered ``latency`` clocks after ``start``, from then on one a clock. Behind the last
    word that was written the first one follows. With ``brought`` words move only when they are
    asked for, the first ones too.

    All banks are read alike, so they must have as many words, and their words be taken in the same
    clock: what the first stream says counts for all. Banks that go their own way are several
    components of one bank.

    Members
    -------
    start : ``In(1)``
        Begin with the first word again; what was offered or under way is dropped.
    write : ``In``, one a bank
        The loader's ports.
    o : ``Out(stream(word_layout(cfg)))``, one a bank
        Weight words.
    """

    start: Signal
    write: list[WordWritePort]
    o: list[stream.Interface]

    latency = 4

    def __init__(self, cfg: CoreConfig, count: int = 1, *, brought: bool = False):
        self.cfg, self.count, self.brought = cfg, count, brought
        super().__init__(
            {
                "start": In(1),
                "write": In(WordWriteSignature(cfg.weight_depth, cfg.word_width)).array(count),
                "o": Out(stream.Signature(word_layout(cfg))).array(count),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.reader = reader = BankReader(self.cfg.weight_depth, brought=self.brought)
        m.d.comb += [
            reader.start.eq(self.start),
            reader.write_addr.eq(self.write[0].addr),
            reader.write_first.eq(self.write[0].first),
            reader.write_en.eq(self.write[0].en),
            reader.ready.eq(self.o[0].ready),
        ]
        for index, (write, o) in enumerate(zip(self.write, self.o, strict=True)):
            storage = BlockRam(self.cfg.weight_depth, self.cfg.word_width, loaded=True, stalls=True)
            m.submodules[f"storage_{index}"] = storage
            m.d.comb += [
                storage.write_addr.eq(row_of(write.addr, self.cfg.weight_depth)),
                storage.write_data.eq(write.data),
                storage.write_en.eq(write.en),
                storage.read_addr.eq(reader.addr),
                storage.fetch.eq(reader.move),
                storage.move.eq(reader.move),
                o.payload.data.eq(storage.read_data),
                o.payload.first.eq(reader.first),
                o.valid.eq(reader.valid),
            ]
        return m
