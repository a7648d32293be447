# SPDX-License-Identifier: Apache-2.0
"""Codes of a layer in the order the engines take them: beats of ``lanes`` codes.

Row ``r`` belongs to engine ``r % engines``; engines take one row each, a row group at a time, and
in it plane after plane and chunk after chunk. Rows and columns that are only there to fill the
last group and the last chunk have code 0, which adds nothing.
"""

import numpy as np


def to_beats(codes: np.ndarray, lanes: int, engines: int) -> np.ndarray:
    """Deal codes to engines.

    Takes uint8 ``(planes, out, in)``; gives uint8 ``(engines, groups * planes * chunks, lanes)``.
    """
    planes, rows, columns = codes.shape
    groups, chunks = -(-rows // engines), -(-columns // lanes)
    padded = np.zeros((planes, groups * engines, chunks * lanes), np.uint8)
    padded[:, :rows, :columns] = codes
    dealt = padded.reshape(planes, groups, engines, chunks, lanes).transpose(2, 1, 0, 3, 4)
    return dealt.reshape(engines, groups * planes * chunks, lanes)


def from_beats(beats: np.ndarray, planes: int, rows: int, columns: int) -> np.ndarray:
    """Return the codes that ``to_beats`` dealt: uint8 ``(planes, rows, columns)``."""
    engines, _, lanes = beats.shape
    groups, chunks = -(-rows // engines), -(-columns // lanes)
    dealt = beats.reshape(engines, groups, planes, chunks, lanes).transpose(2, 1, 0, 3, 4)
    return np.ascontiguousarray(
        dealt.reshape(planes, groups * engines, chunks * lanes)[:, :rows, :columns]
    )


def beat_count(planes: int, rows: int, columns: int, lanes: int, engines: int) -> int:
    """Return the beats one engine takes for a layer."""
    return -(-rows // engines) * planes * -(-columns // lanes)
