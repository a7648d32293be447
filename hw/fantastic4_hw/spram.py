# SPDX-License-Identifier: Apache-2.0
"""Memory that is loaded first and read afterwards, so that a single port is enough for it.

iCE40 UltraPlus has four large memories, SPRAM of 16,384 words of 16 bits. They have one port, and
logic synthesis does not make them of a memory that has two.
"""

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fantastic4_hw.devices import family_of

SPRAM_DEPTH = 1 << 14
SPRAM_WIDTH = 16

LARGE = 4096
"""Words from which on a memory goes into SPRAM; block RAM would hold it by the dozen only."""


class LoadedMemory(wiring.Component):
    """Words that are written one after another, and read when that is done.

    With ``family`` ``ice40`` and `LARGE` words it is made of SPRAM, otherwise it is a memory with a
    port for each; both give the same data as long as nothing is read while ``write_en``.

    Parameters
    ----------
    width, depth : int
        Bits of a word, and words.

    Members
    -------
    write_addr, write_data, write_en : ``In``
    addr : ``In``, en : ``In(1)``
        Read this word. In a clock with ``write_en`` nothing is read.
    data : ``Out``
        The word read last, from the clock after ``en``; undefined after a write.
    """

    write_addr: Signal
    write_data: Signal
    write_en: Signal
    addr: Signal
    en: Signal
    data: Signal

    def __init__(self, width: int, depth: int):
        self.width = width
        self.depth = depth
        address = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "write_addr": In(address),
                "write_data": In(width),
                "write_en": In(1),
                "addr": In(address),
                "en": In(1),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        if family_of(platform) == "ice40" and self.depth >= LARGE:
            self._spram(m)
            return m
        m.submodules.storage = storage = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write, read = storage.write_port(), storage.read_port()
        m.d.comb += [
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            write.en.eq(self.write_en),
            read.addr.eq(self.addr),
            read.en.eq(self.en),
            self.data.eq(read.data),
        ]
        return m

    def _spram(self, m: Module) -> None:
        """Cells side by side for the width, one behind the other for the depth."""
        addr = Signal(max(self.addr.shape().width, 14))
        m.d.comb += addr.eq(Mux(self.write_en, self.write_addr, self.addr))
        rows = -(-self.depth // SPRAM_DEPTH)
        row = Signal(range(rows))
        with m.If(self.en):
            m.d.sync += row.eq(addr[14:])
        words: list[Value] = []
        for index in range(rows):
            select = Const(1) if rows == 1 else addr[14:] == index
            word = [self._cell(m, low, addr[:14], select) for low in range(0, self.width, 16)]
            words.append(Cat(*word)[: self.width])
        m.d.comb += self.data.eq(Array(words)[row])

    def _cell(self, m: Module, low: int, addr: Value, select: Value) -> Signal:
        """Return the output of a cell with the bits from ``low`` on."""
        found = Signal(SPRAM_WIDTH)
        written = Signal(SPRAM_WIDTH)
        m.d.comb += written.eq(self.write_data[low:])
        m.submodules += Instance(
            "SB_SPRAM256KA",
            i_ADDRESS=addr,
            i_DATAIN=written,
            i_MASKWREN=Const(0b1111, 4),
            i_WREN=self.write_en,
            i_CHIPSELECT=(self.write_en | self.en) & select,
            i_CLOCK=ClockSignal(),
            i_STANDBY=Const(0, 1),
            i_SLEEP=Const(0, 1),
            i_POWEROFF=Const(1, 1),
            o_DATAOUT=found,
        )
        return found
