# SPDX-License-Identifier: Apache-2.0
"""Dense 4-bit: a weight word is a beat, lane ``j`` in bits ``4j + 3 .. 4j``."""

import numpy as np

from fantastic4.formats.params import Params
from fantastic4.formats.ternary import check_length

NAME = "dense"


def choose(codes: np.ndarray) -> Params:
    """Return the parameters for ``codes``: there is nothing to choose."""
    del codes
    return Params()


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(count,)``."""
    del params
    shifts = np.arange(beats.shape[1], dtype=np.uint32) * 4
    return np.bitwise_or.reduce(beats.astype(np.uint32) << shifts, axis=1)


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words.
    """
    del params
    check_length(words, count, 1)
    shifts = np.arange(lanes, dtype=np.uint32) * 4
    return (words.astype(np.uint32)[:, None] >> shifts & 15).astype(np.uint8)


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives."""
    del params
    return len(beats)


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's."""
    del words, lanes, params
    return count
