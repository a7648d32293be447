# SPDX-License-Identifier: Apache-2.0
"""Checksum of an image: CRC-32, a word a clock or, in a quarter of the gates, a byte a clock."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class WordChecksum(wiring.Component):
    """CRC-32, that of zlib, of 32-bit words, the lowest byte of each first.

    Parameters
    ----------
    bytewise : bool
        Take four clocks for a word.

    Members
    -------
    start : ``In(1)``
        Forget all words.
    data, valid : ``In``
        A word; not while ``busy``, and until then it holds still.
    busy : ``Out(1)``
        ``crc`` lacks the latest word yet.
    crc : ``Out(32)``
        Checksum of the words that came before this clock.
    """

    start: Signal
    data: Signal
    valid: Signal
    busy: Signal
    crc: Signal

    def __init__(self, *, bytewise: bool):
        self.bytewise = bytewise
        super().__init__(
            {"start": In(1), "data": In(32), "valid": In(1), "busy": Out(1), "crc": Out(32)}
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        crc: Any = CRC32_ISO_HDLC(data_width=8 if self.bytewise else 32).create()
        m.submodules.crc = crc
        m.d.comb += [crc.start.eq(self.start), self.crc.eq(crc.crc)]
        if not self.bytewise:
            m.d.comb += [crc.data.eq(self.data), crc.valid.eq(self.valid)]
            return m
        left = Signal(5)
        """Bytes that are left, a bit each, and one more."""
        at, byte = Signal(2), Signal(8)
        fresh = Signal()
        m.d.comb += [
            self.busy.eq(left[0]),
            crc.data.eq(byte),
            crc.valid.eq(fresh & ~self.start),
        ]
        m.d.sync += [byte.eq(self.data.word_select(at, 8)), fresh.eq(left[1] & ~self.start)]
        with m.If(self.start):
            m.d.sync += left.eq(0)
        with m.Elif(self.valid):
            m.d.sync += [at.eq(0), left.eq(-1)]
        with m.Elif(self.busy):
            m.d.sync += [at.eq(at + 1), left.eq(left >> 1)]
        return m
