# SPDX-License-Identifier: Apache-2.0
"""Names of the codes that are not zero, packed: what the bit mask formats have in common.

Names have ``v`` bits and come in *units* of ``lanes`` names, plane by plane: bit ``p`` of name
``s`` is bit ``s`` of a field of ``lanes`` bits. A *name word* has four fields and holds as many
units as fit:

=== ==============================================================================================
v   units
=== ==============================================================================================
4   one unit, planes 0..3 in fields 0..3
3   one unit in fields 0..2; field 3 of three words in a row are planes 0..2 of a fourth unit
2   two units: planes 0, 1 in fields 0, 1, then in fields 3, 2
1   four units: fields 0, 3, 2, 1
0   there are no names: all codes are the palette's first
=== ==============================================================================================

A beat that needs the first name of a unit not yet begun takes its word, if the unit begins one.
"""

from collections.abc import Sequence

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params

FIELDS = 4
"""Fields of a word."""

_ORDER = {1: [0, 3, 2, 1], 2: [0, 1, 3, 2]}
"""Fields of a name word in the order of their planes."""


def _name_of(params: Params) -> np.ndarray:
    """Return the name of each code, uint8 ``(16,)``; 255 where it has none."""
    found = np.full(16, 255, np.uint8)
    for name in reversed(range(params.names)):
        found[params.palette[name]] = name
    return found


def name_width(values: int) -> int:
    """Return v, the bits that name one of so many values."""
    return (max(values, 1) - 1).bit_length()


def choose(codes: np.ndarray) -> Params:
    """Return the narrowest parameters for ``codes``, uint8 of any shape."""
    used = np.flatnonzero(np.bincount(codes.ravel(), minlength=16)[1:]) + 1
    width = name_width(len(used))
    palette = np.zeros(1 << width, np.int64)
    palette[: len(used)] = used
    return Params(width, palette=tuple(np.resize(palette, 16).tolist()))


def choose_masks(codes: np.ndarray, most: int) -> Params | None:
    """Return parameters for a core whose names of up to ``most`` bits stand for masks.

    Name ``n`` is the code of mask ``n`` alone, so the palette is always the same. None if other
    codes are in use.
    """
    used = np.flatnonzero(np.bincount(codes.ravel(), minlength=16)[1:]) + 1
    if (used & (used - 1)).any() or (used >= 1 << (1 << most)).any():
        return None
    width = name_width(int(used.max(initial=1)).bit_length())
    return Params(width, palette=tuple(1 << name % (1 << width) for name in range(16)))


def begins_word(unit: np.ndarray, width: int) -> np.ndarray:
    """Return which units begin a name word."""
    return {4: unit >= 0, 3: unit % 4 != 3, 2: unit % 2 == 0, 1: unit % 4 == 0}[width]


def name_words(units: int, width: int) -> int:
    """Return the name words of so many units."""
    return {0: 0, 1: -(-units // 4), 2: -(-units // 2), 3: units - units // 4, 4: units}[width]


def takes_word(counts: np.ndarray, width: int, lanes: int) -> np.ndarray:
    """Return which beats take a name word, bool, for the codes that are not zero in each."""
    units = -(-np.cumsum(counts) // lanes)
    before = np.concatenate([[0], units[:-1]])
    if not width:
        return np.zeros(len(counts), bool)
    return (units > before) & begins_word(units - 1, width)


class TakesWord:
    """The same beat after beat, for masks that are still being read."""

    def __init__(self, width: int, lanes: int):
        self.width, self.lanes = width, lanes
        self.total = self.units = 0

    def __call__(self, count: int) -> bool:
        """Return whether the next beat, with ``count`` codes that are not zero, takes a word."""
        if not self.width:
            return False
        self.total += count
        before, self.units = self.units, -(-self.total // self.lanes)
        return self.units > before and bool(begins_word(np.array(self.units - 1), self.width))


def encode(codes: np.ndarray, params: Params, lanes: int) -> np.ndarray:
    """Return the name words of ``codes``, uint8 ``(n,)``, none of them 0: uint32 ``(words,)``."""
    width = params.width
    if not width:
        return np.zeros(0, np.uint32)
    names = _name_of(params)[codes]
    units = -(-len(names) // lanes)
    padded = np.zeros(units * lanes, np.uint8)
    padded[: len(names)] = names
    planes = (padded.reshape(units, 1, lanes) >> np.arange(width)[None, :, None]) & 1
    return pack(_fields(planes, name_words(units, width), width, lanes))


def decode(
    words: np.ndarray, counts: np.ndarray, params: Params, lanes: int, places: Sequence[int]
) -> np.ndarray:
    """Return the codes that name words stand for, uint8 ``(n,)``.

    Parameters
    ----------
    words : numpy.ndarray
        uint32, as many as ``counts`` make necessary.
    counts : numpy.ndarray
        Codes that are not zero in each beat; their sum is n.
    places : sequence of int
        Where in its layer each of the words stands, for messages.

    Raises
    ------
    FormatError
        If a name has no code, or what lies behind the last name is not zero.
    """
    width, total = params.width, int(counts.sum())
    if not width:
        return np.full(total, params.palette[0], np.uint8)
    fields = unpack(words, lanes)
    units = _units(fields, -(-total // lanes), width, lanes)
    names = (units << np.arange(width, dtype=np.uint8)[None, :, None]).sum(axis=1).ravel()
    if (names[:total] >= params.names).any():
        slot = int(np.argmax(names[:total] >= params.names))
        raise FormatError(
            f"name {names[slot]} is outside the palette of {params.names}",
            offset=int(places[name_words(slot // lanes + 1, width) - 1]),
            beat=int(np.searchsorted(np.cumsum(counts), slot, side="right")),
        )
    unused = (_fields(units, len(fields), width, lanes) != fields).any(axis=(1, 2))
    unused[-1:] |= names[total:].any()
    if unused.any():
        offset = int(places[int(np.argmax(unused))])
        what = "a name behind the last code is not zero"
        raise FormatError(what, offset=offset, beat=len(counts))
    return np.array(params.palette, np.uint8)[names[:total]]


def pack(bits: np.ndarray) -> np.ndarray:
    """Return words of bits ``(count, 4, lanes)``, lowest first: uint32 ``(count,)``."""
    flat = bits.reshape(len(bits), FIELDS * bits.shape[2]).astype(np.uint32)
    return (flat << np.arange(flat.shape[1], dtype=np.uint32)).sum(axis=1, dtype=np.uint32)


def unpack(words: np.ndarray, lanes: int) -> np.ndarray:
    """Undo ``pack``: uint8 ``(count, 4, lanes)``."""
    shifts = np.arange(FIELDS * lanes, dtype=np.uint32)
    return (words[:, None] >> shifts & 1).astype(np.uint8).reshape(-1, FIELDS, lanes)


def _fields(planes: np.ndarray, words: int, width: int, lanes: int) -> np.ndarray:
    """Return fields of name words, ``(words, 4, lanes)``, of units ``(units, width, lanes)``."""
    units = len(planes)
    fields = np.zeros((words, FIELDS, lanes), np.uint8)
    if width in (1, 2):
        flat = np.zeros((words * FIELDS, lanes), np.uint8)
        flat[: units * width] = planes.reshape(-1, lanes)
        fields[:, _ORDER[width]] = flat.reshape(words, FIELDS, lanes)
    elif width == 3:
        unit = np.arange(units)
        direct = unit % 4 != 3
        fields[: direct.sum(), :3] = planes[direct]
        spare = planes[~direct]  # planes 0..2 in field 3 of the three words before
        fields[: 3 * len(spare), 3] = spare.reshape(-1, lanes)
    else:
        fields[:] = planes
    return fields


def _units(fields: np.ndarray, units: int, width: int, lanes: int) -> np.ndarray:
    """Undo ``_fields``: ``(units, width, lanes)``."""
    if width in (1, 2):
        return fields[:, _ORDER[width]].reshape(-1, width, lanes)[:units]
    if width == 4:
        return fields
    planes = np.zeros((units, 3, lanes), np.uint8)
    direct = np.arange(units) % 4 != 3
    planes[direct] = fields[:, :3]
    spare = units - int(direct.sum())
    planes[~direct] = fields[: 3 * spare, 3].reshape(spare, 3, lanes)
    return planes
