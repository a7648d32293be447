# SPDX-License-Identifier: Apache-2.0
"""What decoders of masks with packed non-zero codes have in common: all behind the mask."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import memory

from fantastic4.formats.names import FIELDS
from fantastic4_hw.decoder.expand import expand, levels, ones
from fantastic4_hw.decoder.signature import Decoder


@dataclass(frozen=True)
class Masks:
    """Where the masks come from, as signals that `MaskedDecoder` reads.

    Parameters
    ----------
    mask : Value
        Lanes of the beat that are not zero.
    valid : Value
        There is such a beat.
    wanted : Value
        The next word is one of masks, unless the beat takes a name word.
    more : Value
        Beats of the layer remain.
    """

    mask: Value
    valid: Value
    wanted: Value
    more: Value


class MaskedDecoder(Decoder):
    """Masks and names to beats; ``fantastic4.formats.names`` describes the name words.

    Names are looked up in the palette a unit at a time; a unit stays in ``slots`` until its last
    name has been used, and together with the unit that follows it makes the ring from which an
    expanding network feeds the lanes. A name without a code in the palette is a fault.

    At most one word a clock is taken: a beat takes a name word or, if it does not, a word of masks
    ahead. ``command_to_beat`` clocks lie between a command and its first beat.

    Parameters
    ----------
    lanes : int
        A power of two, at most 8.
    """

    beat_to_command = 1
    """Clocks from handing on the last beat to taking the next command."""

    @property
    def command_to_beat(self) -> int:
        """Clocks from taking a command to offering its first beat: the palette takes 16."""
        return 18 + levels(self.lanes)

    def masks(self, m: Module, step: Value, takes: Value, load: Value) -> Masks:
        """Return the source of masks.

        ``step``: the beat is taken; ``takes``: the word at the port is, and is one of masks;
        ``load``: a command is.
        """
        raise NotImplementedError

    def elaborate(self, platform: object) -> Any:
        """Return the gateware."""
        m = Module()
        lanes = self.lanes
        bits = (lanes - 1).bit_length()
        load, step, takes_mask = Signal(), Signal(), Signal()
        masks = self.masks(m, step, takes_mask & self.i.valid, load)

        # Names: how many this beat uses, and whether that begins another unit.
        # ``used`` counts the slots used so far less one, so a carry says that they ran out.
        used = Signal(bits)
        after = Signal(bits + 1)
        needs_unit = Signal()
        m.d.comb += [after.eq(used + ones(m, masks.mask)), needs_unit.eq(after[bits])]
        takes_unit = Signal()
        unit, spare_unit = self._unit(m, takes_unit)
        nameless = Signal(lanes)
        m.d.comb += nameless.eq(Cat(code == 0 for code in unit))
        m.d.sync += self.fault.eq(takes_unit & nameless.any())

        # Words: a beat takes a name word or, if it does not, a word of masks.
        room = Signal()
        beat = Signal()
        takes_name = Signal()
        m.d.comb += [
            beat.eq(masks.valid & room & ~self.entry.write),
            takes_name.eq(beat & needs_unit & ~spare_unit),
            takes_mask.eq(masks.wanted & Mux(masks.valid, beat & ~takes_name, room)),
            self.i.ready.eq(takes_name | takes_mask),
            step.eq(beat & (self.i.valid | ~self.i.ready)),
            takes_unit.eq(step & needs_unit),
        ]

        # Stage A: the ring of slots and the mask; then a stage a level of the network.
        slots = [Signal(4, name=f"slot_{s}", reset_less=True) for s in range(lanes)]
        ring = [Signal(4, name=f"ring_{s}", reset_less=True) for s in range(lanes)]
        mask_a = Signal(lanes)
        offset_a = Signal(bits)
        moving = Signal(1 + levels(lanes))
        m.d.comb += room.eq(~self.o.valid | self.o.ready)
        codes = expand(m, ring[1:] + ring[:1], mask_a, offset_a, room)
        m.d.comb += [self.o.payload.as_value().eq(codes), self.o.valid.eq(moving[-1])]
        with m.If(room):
            m.d.sync += [moving.eq(Cat(step, moving)), mask_a.eq(masks.mask), offset_a.eq(used)]
            m.d.sync += [ring[s].eq(Mux(s <= used, unit[s], slots[s])) for s in range(lanes)]
        with m.If(step):
            m.d.sync += used.eq(after)
            with m.If(needs_unit):
                m.d.sync += [slot.eq(code) for slot, code in zip(slots, unit, strict=True)]

        # Commands: the palette goes round once, then the layer runs.
        m.d.comb += [
            self.command.ready.eq(~masks.more & ~self.entry.write & ~moving.any()),
            load.eq(self.command.valid & self.command.ready),
        ]
        with m.If(load):
            m.d.sync += used.eq(lanes - 1)
        return ResetInserter(self.start)(m)

    def _unit(self, m: Module, takes: Value) -> tuple[list[Value], Signal]:
        """Return the codes of the next unit, and whether it comes without a word.

        What is left of a name word waits in ``rest``, a field each, in the order in which it is
        needed.
        """
        lanes = self.lanes
        field = [self.i.payload.word_select(n, lanes) for n in range(FIELDS)]
        rest = [Signal(lanes, name=f"rest_{n}", reset_less=True) for n in range(FIELDS - 1)]
        turn = Signal(2)
        from_rest = Signal()
        planes = [Mux(from_rest, rest[p], field[p]) for p in range(FIELDS - 1)] + [field[3]]

        with m.Switch(self.command.payload.width):
            with m.Case(0):
                m.d.comb += from_rest.eq(1)
            with m.Case(1):
                m.d.comb += from_rest.eq(turn != 0)
            with m.Case(2):
                m.d.comb += from_rest.eq(turn[0])
            with m.Case(3):
                m.d.comb += from_rest.eq(turn == 3)
        with m.If(takes):
            load = ~from_rest & (self.command.payload.width != 3)
            m.d.sync += [
                turn.eq(turn + 1),
                rest[0].eq(Mux(load, field[3], rest[1])),
                rest[1].eq(Mux(load, field[2], rest[2])),
                rest[2].eq(Mux(load, field[1], field[3])),
            ]
        with m.If(self.entry.write):
            m.d.sync += turn.eq(0)

        codes: list[Value] = []
        for slot in range(lanes):
            palette = memory.Memory(shape=4, depth=16, init=[])
            m.submodules[f"palette_{slot}"] = palette
            read, write = palette.read_port(domain="comb"), palette.write_port()
            m.d.comb += [
                read.addr.eq(Cat(plane[slot] for plane in planes)),
                write.addr.eq(self.entry.index),
                write.data.eq(self.entry.code),
                write.en.eq(self.entry.write),
            ]
            codes.append(read.data)
        return codes, from_rest
