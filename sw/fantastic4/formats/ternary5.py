# SPDX-License-Identifier: Apache-2.0
"""Ternary, five trits in a byte: 1.6 bits a lane, codes 0, 1 and 2.

A byte holds two pairs of trits, P and Q, and one more trit, T. A pair (a, b) other than (2, 2) has
three bits: ``4 a + b`` if a is 0 or 1, 3 for (2, 0) and 7 for (2, 1). With ``p`` in bits 2..0 of
the byte, ``q`` in bits 5..3 and ``t`` in bits 7..6:

=== ========= ============ ============== ==============================
t   p         q            pairs          T
=== ========= ============ ============== ==============================
T   P         Q            P, Q
3   T         Q            (2, 2), Q      bits 1..0 of ``p``; bit 2 is 0
3   4 + P     T            P, (2, 2)      bits 1..0 of ``q``
3   4 + T     3            (2, 2), (2, 2) bits 1..0 of ``p``
=== ========= ============ ============== ==============================

where in the third row ``p`` has bits 1..0 of P, and bit 2 of P is bit 2 of ``q``. So bits 1..0 of
the pairs stay in their places, and the other 13 bytes stand for nothing.

Half a word is a beat, the low half first: P and Q of its bytes are lanes 0..3, 4..7 of the beat.
The trits T of four beats, that is two words, are the lanes of a fifth. The words behind the last
five beats hold the 1 to 4 beats that are left, and only as many words as these take; what they do
not use is zero.
"""

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params
from fantastic4.formats.ternary import HALVES, check_length

NAME = "ternary5"

GROUP = 5
"""Beats in two words."""

INVALID = 255
"""What a byte that stands for nothing has for trits."""


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return the byte of five trits, uint8 ``(3, 3, 3, 3, 3)``, and the trits of a byte."""
    encoded = np.zeros((3,) * GROUP, np.uint8)
    decoded = np.full((256, GROUP), INVALID, np.uint8)
    for trits in np.ndindex(encoded.shape):
        first, second, last = _pair(*trits[0:2]), _pair(*trits[2:4]), trits[4]
        if first is not None and second is not None:
            p, q, t = first, second, last
        elif second is not None:
            p, q, t = last, second, 3
        elif first is not None:
            p, q, t = 4 | first & 3, first & 4 | last, 3
        else:
            p, q, t = 4 | last, 3, 3
        byte = p | q << 3 | t << 6
        encoded[trits] = byte
        decoded[byte] = trits
    return encoded, decoded


def _pair(a: int, b: int) -> int | None:
    """Return the three bits of a pair; None for (2, 2)."""
    if a < 2:
        return 4 * a + b
    return None if b == 2 else 3 + 4 * b


_ENCODED, _DECODED = _tables()


def choose(codes: np.ndarray) -> Params | None:
    """Return the parameters for ``codes``, uint8 of any shape; None if one is above 2."""
    return Params() if int(codes.max(initial=0)) < 3 else None


def _words(count: int) -> int:
    full, rest = divmod(count, GROUP)
    return 2 * full + -(-rest // HALVES)


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(words,)``."""
    del params
    count, lanes = beats.shape
    groups = -(-count // GROUP)
    padded = np.zeros((groups * GROUP, lanes), np.uint8)
    padded[:count] = beats
    grouped = padded.reshape(groups, GROUP, lanes)
    pairs = grouped[:, :4].reshape(-1, 4)
    last = grouped[:, 4].reshape(-1)
    data = _ENCODED[pairs[:, 0], pairs[:, 1], pairs[:, 2], pairs[:, 3], last]
    size = lanes // 2  # bytes of a word
    words = data.reshape(-1, size).astype(np.uint32) << 8 * np.arange(size, dtype=np.uint32)
    return np.bitwise_or.reduce(words, axis=1)[: _words(count)]


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, a byte stands for nothing, or padding is not zero.
    """
    del params
    wanted = _words(count)
    if len(words) != wanted:
        _check_length(words, wanted, count)
    size = lanes // 2
    data = (words.astype(np.uint32)[:, None] >> 8 * np.arange(size, dtype=np.uint32)) & 255
    groups = -(-count // GROUP)
    padded = np.zeros(groups * lanes, np.uint32)
    padded[: data.size] = data.ravel()
    trits = _DECODED[padded]
    bad = trits[:, 0] == INVALID
    if bad.any():
        place = int(np.argmax(bad))
        group, byte = divmod(place, lanes)
        raise FormatError(
            f"byte {padded[place]:#04x} stands for nothing",
            offset=place // size,
            beat=group * GROUP + byte * 4 // lanes,
        )
    grouped = np.empty((groups, GROUP, lanes), np.uint8)
    grouped[:, :4] = trits[:, :4].reshape(groups, 4, lanes)
    grouped[:, 4] = trits[:, 4].reshape(groups, lanes)
    beats = grouped.reshape(-1, lanes)
    if beats[count:].any():
        raise FormatError("padding is not zero", offset=wanted - 1, beat=count)
    return beats[:count]


def _check_length(words: np.ndarray, wanted: int, count: int) -> None:
    try:
        check_length(words, wanted, HALVES)
    except FormatError as error:
        beat = min(len(words) // 2 * GROUP + len(words) % 2 * HALVES, count)
        raise FormatError(error.what, offset=error.offset, beat=beat) from None


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives, without making them."""
    del params
    return _words(len(beats))


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's."""
    del words, lanes, params
    return _words(count)
