# SPDX-License-Identifier: Apache-2.0
"""Two masks: 2 bits a lane, for layers of up to three non-zero codes.

A word holds two beats, the first one in its low half. In a half, bits ``0 .. lanes - 1`` are mask
0 and bits ``lanes .. 2 * lanes - 1`` are mask 1; the two bits of a lane are the name of its code,
mask 0 the lower one. Name 0 is code 0; name n is entry n of the palette, 0 where it is not in use.
Where the beats of a layer are odd in number, the upper half of the last word is zero.
"""

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params

NAME = "ternary"

HALVES = 2
"""Beats in a word."""

NAMES = 4
"""Names of two bits."""


def choose(codes: np.ndarray) -> Params | None:
    """Return the parameters for ``codes``, uint8 of any shape; None if there are too many."""
    used = np.flatnonzero(np.bincount(codes.ravel(), minlength=16)[1:]) + 1
    if len(used) >= NAMES:
        return None
    return Params(palette=(0, *used.tolist(), *[0] * (15 - len(used))))


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(words,)``."""
    count, lanes = beats.shape
    name_of = np.zeros(16, np.uint32)
    for name in reversed(range(NAMES)):
        name_of[params.palette[name]] = name
    padded = np.zeros((-(-count // HALVES) * HALVES, lanes), np.uint32)
    padded[:count] = name_of[beats]
    masks = np.stack([padded & 1, padded >> 1], axis=1).reshape(-1, HALVES * 2 * lanes)
    shifts = np.arange(HALVES * 2 * lanes, dtype=np.uint32)
    return np.bitwise_or.reduce(masks << shifts, axis=1)


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, a name has no code, or padding is not zero.
    """
    check_length(words, -(-count // HALVES), HALVES)
    shifts = np.arange(HALVES * 2 * lanes, dtype=np.uint32)
    bits = (words.astype(np.uint32)[:, None] >> shifts & 1).astype(np.uint8)
    masks = bits.reshape(-1, 2, lanes)
    if masks[count:].any():
        raise FormatError("padding is not zero", offset=len(words) - 1, beat=count)
    names = masks[:count, 0] | masks[:count, 1] << 1
    beats = np.array(params.palette, np.uint8)[names]
    wrong = np.argwhere((names != 0) & (beats == 0))
    if len(wrong):
        beat, lane = wrong[0].tolist()
        what = f"name {names[beat, lane]} is outside the palette"
        raise FormatError(what, offset=beat // HALVES, beat=beat)
    return beats


def check_length(words: np.ndarray, wanted: int, beats_per_word: int) -> None:
    """Raise ``FormatError`` unless there are ``wanted`` words."""
    if len(words) < wanted:
        raise FormatError(
            f"the stream is truncated: {len(words)} words of {wanted}",
            offset=len(words),
            beat=len(words) * beats_per_word,
        )
    if len(words) > wanted:
        raise FormatError(
            f"{len(words) - wanted} words too many", offset=wanted, beat=wanted * beats_per_word
        )


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives, without making them."""
    del params
    return -(-len(beats) // HALVES)


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's."""
    del words, lanes, params
    return -(-count // HALVES)
