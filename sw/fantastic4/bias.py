# SPDX-License-Identifier: Apache-2.0
"""Biases of a layer as a core stores them: *wide*, or *narrow* in half the words.

A wide layer has one signed 32-bit bias a word. A narrow one has two signed 16-bit mantissas a word,
row ``2k`` in the lower half and row ``2k + 1`` in the upper, and one shift for all of its rows:
``bias = mantissa * 2**shift``. Behind an odd number of rows the last upper half is 0.
"""

from typing import NamedTuple

import numpy as np

MANTISSA_BITS = 16

MAX_BIAS_SHIFT = 15
"""Largest shift of mantissas."""


class BiasWords(NamedTuple):
    """How the biases of one layer are stored: uint32 ``words``, ``narrow`` and ``shift``."""

    words: np.ndarray
    narrow: bool
    shift: int


def rounded(bias: np.ndarray, max_shift: int = MAX_BIAS_SHIFT) -> np.ndarray:
    """Return ``bias``, int64 ``(rows,)``, as a narrow layer holds it, at most half a step away.

    The shift, and so the step ``2**shift``, is the smallest that holds all of them. If none up to
    ``max_shift`` does, the biases stay what they are.
    """
    for shift in range(min(max_shift, MAX_BIAS_SHIFT) + 1):
        mantissas = (bias + (1 << shift >> 1)) >> shift
        if _are_mantissas(mantissas):
            return mantissas << shift
    return bias


def encode(bias: np.ndarray) -> BiasWords:
    """Return ``bias``, int64 ``(rows,)`` of signed 32-bit values, narrow if nothing is lost."""
    for shift in range(MAX_BIAS_SHIFT + 1):
        mantissas = bias >> shift
        if _are_mantissas(mantissas):
            if (mantissas << shift != bias).any():
                break
            return BiasWords(_words(mantissas, narrow=True), narrow=True, shift=shift)
    return BiasWords(_words(bias, narrow=False), narrow=False, shift=0)


def encode_dealt(bias: np.ndarray, cores: int) -> list[BiasWords]:
    """Return ``bias`` as ``encode`` stores it, dealt to cores: row ``r`` to core ``r % cores``.

    All cores have a layer narrow, with one shift, or wide, and equally many words: behind the last
    row are biases of 0.
    """
    _, narrow, shift = encode(bias)
    return [
        BiasWords(_words(part >> shift, narrow=narrow), narrow, shift) for part in deal(bias, cores)
    ]


def decode_dealt(stored: list[BiasWords], rows: int) -> np.ndarray:
    """Return the ``rows`` biases that ``encode_dealt`` stored, int64.

    Raises
    ------
    ValueError
        As ``decode``, and if one of a row that is only padding is not 0.
    """
    each = -(-rows // len(stored))
    biases = np.stack([decode(part, each) for part in stored], axis=1).ravel()
    if biases[rows:].any():
        raise ValueError(f"biases behind the last row must be 0, not {biases[rows:].tolist()}")
    return biases[:rows]


def deal(rows: np.ndarray, cores: int) -> list[np.ndarray]:
    """Return what each core gets of ``rows``, any shape ``(rows, ...)``: every ``cores``-th.

    All get equally many: behind the last row are zeros.
    """
    padding = np.zeros((-len(rows) % cores, *rows.shape[1:]), rows.dtype)
    padded = np.concatenate([rows, padding])
    return [padded[core::cores] for core in range(cores)]


def decode(stored: BiasWords, rows: int) -> np.ndarray:
    """Return the ``rows`` biases that were stored so, int64.

    Raises
    ------
    ValueError
        If there are more or fewer words than ``rows`` take, the half behind an odd number of rows
        is not 0, or wide biases have a shift.
    """
    words, narrow, shift = stored
    count = word_count(rows, narrow=narrow)
    if len(words) != count:
        raise ValueError(f"{rows} biases must take {count} words, not {len(words)}")
    if not narrow:
        if shift:
            raise ValueError(f"bias_shift must be 0 where bias_narrow is, not {shift}")
        return words.view("<i4").astype(np.int64)
    halves = words.view("<i2").astype(np.int64)
    if halves[rows:].any():
        raise ValueError(
            f"the upper half of the last bias word must be 0, not 0x{halves[-1] & 0xFFFF:04x}"
        )
    return halves[:rows] << shift


def word_count(rows: int, *, narrow: bool) -> int:
    """Return the 32-bit words of ``rows`` biases."""
    return -(-rows // 2) if narrow else rows


def _words(values: np.ndarray, *, narrow: bool) -> np.ndarray:
    if not narrow:
        return values.astype("<i4").view("<u4")
    return np.append(values, [0] * (len(values) % 2)).astype("<i2").view("<u4")


def _are_mantissas(values: np.ndarray) -> bool:
    limit = 1 << MANTISSA_BITS - 1
    return bool(values.min() >= -limit and values.max() < limit)
