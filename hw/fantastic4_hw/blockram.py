# SPDX-License-Identifier: Apache-2.0
"""A memory in block RAM that uses the output register of the RAM itself."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.area.blocks import LUT_RAM_DEPTH, blocks_of, choose_shape
from fantastic4_hw import ice40
from fantastic4_hw.devices import family_of

DONT_CARE = {"no_rw_check": 1}
"""Attribute of a memory that may give anything when a row is read and written in the same clock.
Without it synthesis adds a register and a multiplexer a bit where a block RAM does not give the old
row."""


class BlockRam(wiring.Component):
    """One write port, one read port, and ``stages`` registers behind the address.

    A row that is read in the clock in which it is written may come out old, new or broken: users
    see to it that this does not happen, and save the logic that would decide it. For a family with
    cells of its own (`fantastic4_hw.devices`) these are instantiated, with their own output
    registers; otherwise it is plain logic.

    Parameters
    ----------
    depth, width : int
        Rows, and bits of a row.
    granularity : int, optional
        Bits that share a write enable; the whole row unless given.
    stages : int
        1: data come in the clock behind the address; 2: through an output register, in the one
        behind that.
    loaded : bool
        No row is read in a clock in which any is written, so that one port is enough for both.
    stalls : bool
        Each stage has a clock enable; without, a row is read in every clock.
    quick : bool
        The second stage has to be the RAM's own output register, whatever rows cost more for it.

    Members
    -------
    write_addr, write_data, write_en : ``In``
        ``write_en`` has a bit for each ``granularity`` bits.
    read_addr : ``In``
    fetch : ``In(1)``, move : ``In(1)``
        Clock enables of the first stage and of the second one, with ``stalls``.
    read_data : ``Out(width)``
    """

    write_addr: Signal
    write_data: Signal
    write_en: Signal
    read_addr: Signal
    fetch: Value
    move: Value
    read_data: Signal

    def __init__(
        self,
        depth: int,
        width: int,
        *,
        granularity: int | None = None,
        stages: int = 2,
        loaded: bool = False,
        stalls: bool = False,
        quick: bool = False,
    ):
        self.depth, self.width, self.stages, self.loaded = depth, width, stages, loaded
        self.quick = quick
        self.granularity = granularity or width
        if width % self.granularity:
            raise ValueError(f"width must be a multiple of {self.granularity}, not {width!r}")
        addr = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "write_addr": In(addr),
                "write_data": In(width),
                "write_en": In(width // self.granularity),
                "read_addr": In(addr),
                **(dict.fromkeys(("fetch", "move")[:stages], In(1)) if stalls else {}),
                "read_data": Out(width),
            }
        )
        if not stalls:
            self.fetch = self.move = Const(1, 1)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        if family_of(platform) == "ecp5" and self.depth > LUT_RAM_DEPTH:
            return _Ecp5(self).build()
        m = Module()
        if family_of(platform) == "ice40" and self.loaded and self.depth >= ice40.LARGE:
            writes = (self.write_addr, self.write_data, self.write_en)
            found = ice40.spram(m, *writes, self.read_addr, self.fetch)
        else:
            found = self._inferred(m, platform)
        if self.stages == 1:
            m.d.comb += self.read_data.eq(found)
            return m
        held = Signal(self.width, reset_less=True)
        with m.If(self.move):
            m.d.sync += held.eq(found)
        m.d.comb += self.read_data.eq(held)
        return m

    def _inferred(self, m: Module, platform: object) -> Value:
        """Return the row read in the clock before, of a memory that is left to synthesis."""
        attributes: Any = dict(DONT_CARE)
        if family_of(platform) == "ice40":
            attributes["ram_style"] = "block"
        m.submodules.storage = storage = memory.Memory(
            shape=self.width, depth=self.depth, init=[], attrs=attributes
        )
        read = storage.read_port()
        whole = self.granularity == self.width
        write = storage.write_port(granularity=None if whole else self.granularity)
        m.d.comb += [
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            write.en.eq(self.write_en),
            read.addr.eq(self.read_addr),
            read.en.eq(self.fetch),
        ]
        return read.data


class _Ecp5:
    """Builds a `BlockRam` of DP16KD: port A writes, port B reads."""

    def __init__(self, ram: BlockRam):
        self.ram = ram
        self.shape = choose_shape(ram.depth, ram.width, ram.granularity, quick=ram.quick)
        # With 36 bits, the lower half of a row leaves through port A, whose output register
        # belongs to the write clock enable: there the second stage is made of flip-flops.
        self.own_register = ram.stages == 2 and self.shape.row < 36

    def build(self) -> Module:
        """Return the gateware."""
        m = Module()
        ram, shape = self.ram, self.shape
        blocks = blocks_of(ram.depth, shape)
        rows = []
        for block in range(blocks):
            here = ram.write_addr[shape.address :] == block if blocks > 1 else Const(1)
            rows.append(self._block(m, here))
        chosen: Value = rows[0]
        if blocks > 1:
            select = Signal(len(ram.read_addr) - shape.address)
            with m.If(ram.fetch):
                m.d.sync += select.eq(ram.read_addr[shape.address :])
            if self.own_register:
                later = Signal.like(select)
                with m.If(ram.move):
                    m.d.sync += later.eq(select)
                select = later
            chosen = Array(rows)[select]
        if ram.stages == 2 and not self.own_register:
            with m.If(ram.move):
                m.d.sync += ram.read_data.eq(chosen)
        else:
            m.d.comb += ram.read_data.eq(chosen)
        return m

    def _block(self, m: Module, here: Value) -> Value:
        """Add the cells of one block of rows and return the row it reads."""
        ram, shape = self.ram, self.shape
        found = []
        for low in range(0, ram.width, shape.data):
            high = min(low + shape.data, ram.width)
            enables = [
                here & ram.write_en[bit // ram.granularity]
                for bit in range(low, high, min(8, shape.data))
            ]
            found.append(self._cell(m, ram.write_data[low:high], enables))
        return Cat(found)

    def _cell(self, m: Module, data: Value, enables: Sequence[Value]) -> Value:
        """Add one cell; ``enables`` are those of each eight bits of ``data``."""
        ram, shape = self.ram, self.shape
        spread = [Cat(data[at : at + 8], Const(0, 1)) for at in range(0, len(data), 8)]
        word = Cat(*spread) if shape.row >= 9 else data
        zero = Const(0, 1)
        written = [word[bit] if bit < len(word) else zero for bit in range(36)]
        read = Signal(36)
        below = 14 - shape.address
        address_a = [zero] * below + [
            ram.write_addr[b] if b < len(ram.write_addr) else zero for b in range(shape.address)
        ]
        address_b = [zero] * below + [
            ram.read_addr[b] if b < len(ram.read_addr) else zero for b in range(shape.address)
        ]
        if shape.row >= 18:  # the lowest address bits are the write enables
            for index in range(shape.row // 9):
                address_a[index] = enables[index] if index < len(enables) else zero
            write_enable: Value = Const(1)
        else:
            write_enable = enables[0]
        ports: dict[str, object] = {f"i_CLK{port}": ClockSignal() for port in "AB"}
        ports |= {"i_CEA": Const(1), "i_WEA": write_enable, "i_OCEA": zero, "i_RSTA": zero}
        ports |= {"i_CEB": ram.fetch, "i_WEB": zero, "i_RSTB": zero}
        ports["i_OCEB"] = ram.move if self.own_register else Const(1)
        ports |= {f"i_CS{port}{n}": zero for port in "AB" for n in range(3)}
        for bit in range(14):
            ports |= {f"i_ADA{bit}": address_a[bit], f"i_ADB{bit}": address_b[bit]}
        wide = shape.row == 36
        for bit in range(18):
            ports[f"i_DIA{bit}"] = written[bit]
            ports[f"i_DIB{bit}"] = written[18 + bit] if wide else zero
            ports[f"o_DOB{bit}"] = read[18 + bit] if wide else read[bit]
            if wide:
                ports[f"o_DOA{bit}"] = read[bit]
        m.submodules += Instance(
            "DP16KD",
            p_DATA_WIDTH_A=shape.row,
            p_DATA_WIDTH_B=shape.row,
            p_REGMODE_A="NOREG",
            p_REGMODE_B="OUTREG" if self.own_register else "NOREG",
            p_RESETMODE="SYNC",
            p_WRITEMODE_A="NORMAL",
            p_WRITEMODE_B="NORMAL",
            p_CSDECODE_A="0b000",
            p_CSDECODE_B="0b000",
            p_GSR="AUTO",
            **ports,
        )
        if shape.row < 9:
            return read[: len(data)]
        return Cat(read[9 * n : 9 * n + min(8, len(data) - 8 * n)] for n in range(len(spread)))
