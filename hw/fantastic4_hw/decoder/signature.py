# SPDX-License-Identifier: Apache-2.0
"""What all decoders have in common: ports and the command that begins a layer."""

from typing import Any

from amaranth.hdl import Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.formats.beats import beats_a_word
from fantastic4.layout import Format

BEATS_WIDTH = 24
"""Bits that count the beats of any layer."""

BLOCKS_WIDTH = 3
"""Bits of a count of blocks, which is kept modulo two to that power."""

COMMAND_LAYOUT = data.StructLayout(
    {
        "format": 4,
        "width": 3,
        "gap": 4,
        "beats": BEATS_WIDTH,
        "last": BEATS_WIDTH,
        "blocks": BLOCKS_WIDTH,
        "near": 1,
    }
)
"""Begins a layer: its ``Format``, bits of a code's name, bits of a gap, beats it has, the same less
one, and how many blocks, modulo 8. A *block* is the beats a word has the masks (``bitmask``) or the
flags (``bitmask2``) of. ``near`` is not part of the command: it is set
while fewer than ``1 << near_bits`` beats of the layer have yet to be asked for."""


def near_bits(kind: Format, lanes: int) -> int:
    """Return how near the end of a layer is when ``near`` says so, for formats with blocks.

    At most 7 blocks are then left, so a decoder knows by their number modulo 8 whether it has taken
    the words of all. Before that it never has: it takes a block ahead.
    """
    return 2 + (beats_a_word(kind, lanes) - 1).bit_length()


ENTRY_LAYOUT = data.StructLayout({"index": 4, "code": 4, "write": 1})
"""One entry of the palette."""


class Decoder(wiring.Component):
    """Weight words of one bank in, beats of its lanes out.

    A command begins a layer. It is taken when all beats of the layer before have been asked for;
    the layer's first word is then the next word of the stream, and its last beat uses the last of
    its words. Decoders never wait for anything but words, beats being asked for, and the palette
    bus, and what has been asked for waits for nothing. Malformed words give wrong beats and, where
    it shows, a fault, but always as many beats as the command says.

    Parameters
    ----------
    lanes : int
        Lanes of a bank.
    count_width : int
        Bits that count the beats of a layer.

    Members
    -------
    start : ``In(1)``
        Forget everything: the stream begins anew.
    command : ``In(stream(COMMAND_LAYOUT))``
        Its payload, but for ``near``, holds still from the clock in which it is taken until the
        next is taken, so a decoder need not keep it.
    entry : ``In(ENTRY_LAYOUT)``
        The layer's palette: entry 0 with ``write`` in the clock after the command was taken, then
        the other 15, one a clock. Decoders without a palette leave it unread.
    open : ``In(1)``
        From the clock after the command until the layer's last beat has been asked for.
    i : ``In(stream(4 * lanes))``
        Weight words.
    can : ``Out(1)``, step : ``In(1)``
        There is a beat, until it is asked for; it is. No ``step`` without ``can``.
    o : ``Out(ArrayLayout(4, lanes))``
        The beat, ``latency`` clocks after it was asked for.
    fault : ``Out(1)``
        For one clock: the words broke a rule of the format.
    """

    start: Signal
    command: stream.Interface
    entry: data.View
    open: Signal
    i: stream.Interface
    can: Signal
    step: Signal
    o: data.View
    fault: Signal

    @property
    def latency(self) -> int:
        """Clocks from ``step`` to the beat."""
        return 0

    def __init__(self, lanes: int, count_width: int = BEATS_WIDTH):
        self.lanes = lanes
        self.count_width = count_width
        super().__init__(
            {
                "start": In(1),
                "command": In(stream.Signature(COMMAND_LAYOUT)),
                "entry": In(ENTRY_LAYOUT),
                "open": In(1),
                "i": In(stream.Signature(4 * lanes)),
                "can": Out(1),
                "step": In(1),
                "o": Out(data.ArrayLayout(unsigned(4), lanes)),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Return the gateware of the format."""
        raise NotImplementedError
