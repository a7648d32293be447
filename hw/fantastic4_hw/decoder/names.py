# SPDX-License-Identifier: Apache-2.0
"""Name words to units of names, and names to codes."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.formats.names import FIELDS
from fantastic4_hw.decoder.signature import ENTRY_LAYOUT
from fantastic4_hw.delay import delayed
from fantastic4_hw.mux import of_four


class NameUnits(wiring.Component):
    """Units of names, one after the other; ``fantastic4.formats.names`` describes the words.

    What is left of a name word waits in three registers, by field.

    Parameters
    ----------
    lanes : int
        Names of a unit.
    most : int
        Bits of the widest name: 1, 2 or 4.
    late : int
        Clocks that units and words come later; 0 with ``most`` of 4.

    Members
    -------
    restart : ``In(1)``
        A layer begins.
    width : ``In(3)``
        Bits of its names.
    word : ``In(4 * lanes)``
        The next name word; needed in clocks in which ``spare`` is low, or ``late`` behind them.
    takes : ``In(1)``
        The unit is used, and with it the word, if ``spare`` is low.
    unit : ``Out(ArrayLayout(most, lanes))``
        The next unit, of ``late`` clocks ago. Bits that names of ``width`` do not have
        are anything with ``most`` of 1 or 2, and with 4 as in the word; a palette is periodic.
    spare : ``Out(1)``
        The unit needs no word.
    """

    restart: Signal
    width: Signal
    word: Signal
    takes: Signal
    unit: data.View
    spare: Signal

    def __init__(self, lanes: int, most: int, late: int = 0):
        self.lanes, self.most, self.late = lanes, most, late
        super().__init__(
            {
                "restart": In(1),
                "width": In(3),
                "word": In(FIELDS * lanes),
                "takes": In(1),
                "unit": Out(data.ArrayLayout(most, lanes)),
                "spare": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        lanes, most, width = self.lanes, self.most, self.width
        field = [self.word.word_select(n, lanes) for n in range(FIELDS)]
        kept = [Signal(lanes, name=f"kept_{n}", reset_less=True) for n in range(FIELDS)]

        # Units of a word so far; with three bits, words so far that left a plane each.
        turn = Signal(2, reset_less=True)
        with m.If(self.takes):
            m.d.sync += turn[0].eq(~turn[0] & (width != 4))
            m.d.sync += turn[1].eq((turn[1] ^ turn[0]) & width[0])
        with m.If(self.restart):
            m.d.sync += turn.eq(0)

        three = Const(0) if most < 3 else width == 3
        third = turn.all()
        nameless: Value = width == 0
        if most < 3:  # these are asked for a clock later, at the earliest
            nameless = Signal(reset_less=True)
            m.d.sync += nameless.eq(width == 0)
        m.d.comb += self.spare.eq(Mux(three, third, turn.any()) | nameless)
        first = ~turn.any()
        # When each of the kept fields comes.
        keeps = [self.takes & first] * FIELDS
        if most > 2:
            keeps[1:3] = [self.takes & Mux(three, turn == n, first) for n in (2, 1)]
        select = Mux(three, Cat(third, Const(0, 1)), turn) if most > 2 else turn
        spare: Value = self.spare
        was = delayed(m, Cat(select, spare, *keeps), self.late, "was")
        select, spare, keeps = was[:2], was[2], list(was[3:])
        for n in range(1, FIELDS):
            with m.If(keeps[n]):
                m.d.sync += kept[n].eq(Mux(three, field[3], field[n]) if n < 3 else field[n])
        planes: list[Value] = [of_four(m, select, [field[0], *reversed(kept[1:])], platform)]
        if most > 1:
            planes.append(Mux(spare, kept[2], field[1]))
        if most > 2:
            planes += [Mux(spare, kept[1], field[2]), field[3]]
        for slot in range(lanes):
            m.d.comb += self.unit[slot].eq(Cat(plane[slot] for plane in planes))
        return m


class Palettes(wiring.Component):
    """A palette a slot: codes of a whole unit at once.

    Members
    -------
    entry : ``In(ENTRY_LAYOUT)``
        An entry of the palette, for all slots.
    names : ``In(ArrayLayout(4, lanes))``, codes : ``Out(ArrayLayout(4, lanes))``
        The codes of these names, in the same clock.
    """

    entry: data.View
    names: data.View
    codes: data.View

    def __init__(self, lanes: int):
        self.lanes = lanes
        four = data.ArrayLayout(4, lanes)
        super().__init__({"entry": In(ENTRY_LAYOUT), "names": In(four), "codes": Out(four)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        for slot in range(self.lanes):
            palette = memory.Memory(shape=4, depth=16, init=[])
            m.submodules[f"palette_{slot}"] = palette
            read, write = palette.read_port(domain="comb"), palette.write_port()
            m.d.comb += [
                read.addr.eq(self.names[slot]),
                write.addr.eq(self.entry.index),
                write.data.eq(self.entry.code),
                write.en.eq(self.entry.write),
                self.codes[slot].eq(read.data),
            ]
        return m
