# SPDX-License-Identifier: Apache-2.0
"""Ternary, two masks: 2 bits a lane.

A word holds two beats, the first one in its low half. In a half, bits ``0 .. lanes - 1`` are mask
0 (bit 0 of the codes) and bits ``lanes .. 2 * lanes - 1`` are mask 1; codes are 0..3. Where the
beats of a layer are odd in number, the upper half of the last word is zero.
"""

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params

NAME = "ternary"

HALVES = 2
"""Beats in a word."""


def choose(codes: np.ndarray) -> Params | None:
    """Return the parameters for ``codes``, uint8 of any shape; None if one is above 3."""
    return Params() if int(codes.max(initial=0)) < 4 else None


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(words,)``."""
    del params
    count, lanes = beats.shape
    padded = np.zeros((-(-count // HALVES) * HALVES, lanes), np.uint32)
    padded[:count] = beats
    masks = np.stack([padded & 1, padded >> 1], axis=1).reshape(-1, HALVES * 2 * lanes)
    shifts = np.arange(HALVES * 2 * lanes, dtype=np.uint32)
    return np.bitwise_or.reduce(masks << shifts, axis=1)


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, or padding is not zero.
    """
    del params
    check_length(words, -(-count // HALVES), HALVES)
    shifts = np.arange(HALVES * 2 * lanes, dtype=np.uint32)
    bits = (words.astype(np.uint32)[:, None] >> shifts & 1).astype(np.uint8)
    masks = bits.reshape(-1, 2, lanes)
    if masks[count:].any():
        raise FormatError("padding is not zero", offset=len(words) - 1, beat=count)
    return masks[:count, 0] | masks[:count, 1] << 1


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
