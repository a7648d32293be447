# SPDX-License-Identifier: Apache-2.0
"""Dense 4-bit: a weight word is a beat, lane ``j`` in bits ``4j + 3 .. 4j``."""

import numpy as np

NIBBLES = 8
"""Codes in 32 bits."""


def encode(beats: np.ndarray) -> np.ndarray:
    """Return weight words of ``beats``.

    Takes uint8 ``(count, lanes)``; gives uint32 ``(count, ceil(lanes / 8))``.
    """
    count, lanes = beats.shape
    transfers = -(-lanes // NIBBLES)
    padded = np.zeros((count, transfers * NIBBLES), np.uint32)
    padded[:, :lanes] = beats
    shifts = np.arange(NIBBLES, dtype=np.uint32) * 4
    return np.bitwise_or.reduce(padded.reshape(count, transfers, NIBBLES) << shifts, axis=2)


def decode(words: np.ndarray, lanes: int) -> np.ndarray:
    """Return the beats of weight words: uint8 ``(count, lanes)``."""
    shifts = np.arange(NIBBLES, dtype=np.uint32) * 4
    codes = (words[:, :, None] >> shifts) & 15
    return codes.reshape(len(words), -1)[:, :lanes].astype(np.uint8)


def word_count(beats: int) -> int:
    """Return the weight words of so many beats."""
    return beats
