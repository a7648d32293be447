# SPDX-License-Identifier: Apache-2.0
"""Codes of a layer in the order the banks take them: beats of ``bank_lanes`` codes.

Row ``r`` belongs to engine ``r % group_rows``, counted over all cores; engines take one row each, a
row group at a time, and in it plane after plane and chunk after chunk. An engine's lanes are
divided into banks. Rows and columns that are only there to fill the last group and the last chunk
have code 0, which adds nothing.
"""

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.layout import Format


def to_beats(codes: np.ndarray, cfg: CoreConfig) -> np.ndarray:
    """Deal codes to banks.

    Takes uint8 ``(planes, out, in)``; gives uint8 ``(group_rows * banks, beats, bank_lanes)``,
    where bank ``b`` of engine ``e`` is number ``e * banks + b``.
    """
    planes, rows, columns = codes.shape
    groups, chunks = -(-rows // cfg.group_rows), cfg.chunks(columns)
    padded = np.zeros((planes, groups * cfg.group_rows, chunks * cfg.lanes), np.uint8)
    padded[:, :rows, :columns] = codes
    split = padded.reshape(planes, groups, cfg.group_rows, chunks, cfg.banks, cfg.bank_lanes)
    dealt = split.transpose(2, 4, 1, 0, 3, 5)
    return dealt.reshape(cfg.group_rows * cfg.banks, groups * planes * chunks, cfg.bank_lanes)


def from_beats(beats: np.ndarray, shape: tuple[int, int, int], cfg: CoreConfig) -> np.ndarray:
    """Return the codes of shape ``(planes, rows, columns)`` that ``to_beats`` dealt."""
    planes, rows, columns = shape
    groups, chunks = -(-rows // cfg.group_rows), cfg.chunks(columns)
    split = beats.reshape(cfg.group_rows, cfg.banks, groups, planes, chunks, cfg.bank_lanes)
    padded = split.transpose(3, 2, 0, 4, 1, 5).reshape(planes, groups * cfg.group_rows, -1)
    return np.ascontiguousarray(padded[:, :rows, :columns])


def beat_count(shape: tuple[int, int, int], cfg: CoreConfig) -> int:
    """Return the beats a layer of shape ``(planes, rows, columns)`` has in each bank."""
    planes, rows, columns = shape
    return -(-rows // cfg.group_rows) * planes * cfg.chunks(columns)


def beats_a_word(kind: Format, lanes: int) -> int:
    """Return the beats that a word of masks, or of flags in *bitmask2*, is for: at most as many as
    a word of any format without gaps.
    """
    return 2 * lanes if kind == Format.BITMASK2 else 4


def row_of(beat: int, bank: int, shape: tuple[int, int, int], cfg: CoreConfig) -> int:
    """Return the row that beat ``beat`` of bank ``bank`` belongs to."""
    planes, _, columns = shape
    return beat // (planes * cfg.chunks(columns)) * cfg.group_rows + bank // cfg.banks
