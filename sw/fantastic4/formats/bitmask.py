# SPDX-License-Identifier: Apache-2.0
"""Bit mask and packed non-zero codes: ``1 + v * density`` bits a weight.

A mask of one bit a lane says which codes of a beat are not zero; those follow in order of lanes,
each named with ``v`` bits through a palette of the layer. With v = 4 this is sparse 4-bit, with
v = 1 sparse ternary, with v = 0 sparse binary.

A word has four fields of ``lanes`` bits. A *mask word* holds the masks of four beats, the first
one in field 0. Names come in *units* of ``lanes`` names, plane by plane: bit ``p`` of name ``s`` is
bit ``s`` of a field. A *name word* holds as many units as fit:

=== ==============================================================================================
v   units
=== ==============================================================================================
4   one unit, planes 0..3 in fields 0..3
3   one unit in fields 0..2; field 3 of three words in a row are planes 0..2 of a fourth unit
2   two units: planes 0, 1 in fields 0, 1, then in fields 3, 2
1   four units: fields 0, 3, 2, 1
0   there are no names: all codes are the palette's first
=== ==============================================================================================

Words come in the order in which a decoder first needs them, so it never has to look ahead:

* a beat that needs the first name of a unit not yet begun takes its word, if the unit begins one;
* the mask word of the next four beats is taken at the first of four beats that takes no name word,
  or after them if all four do (then, and only then, the decoder pauses for a clock).
"""

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params

NAME = "bitmask"

BLOCK = 4
"""Beats a mask word serves, and fields of a word."""

_ORDER = {1: [0, 3, 2, 1], 2: [0, 1, 3, 2]}
"""Fields of a name word in the order of their planes."""


def _name_of(params: Params) -> np.ndarray:
    """Return the name of each code, uint8 ``(16,)``; 255 where it has none."""
    found = np.full(16, 255, np.uint8)
    for name in reversed(range(params.names)):
        found[params.palette[name]] = name
    return found


def choose(codes: np.ndarray) -> Params:
    """Return the narrowest parameters for ``codes``, uint8 of any shape."""
    used = np.flatnonzero(np.bincount(codes.ravel(), minlength=16)[1:]) + 1
    width = max(0, len(used) - 1).bit_length()
    palette = np.zeros(1 << width, np.int64)
    palette[: len(used)] = used
    return Params(width, palette=tuple(np.resize(palette, 16).tolist()))


def _begins_word(unit: np.ndarray, width: int) -> np.ndarray:
    """Return which units begin a name word."""
    return {4: unit >= 0, 3: unit % 4 != 3, 2: unit % 2 == 0, 1: unit % 4 == 0}[width]


def name_words(units: int, width: int) -> int:
    """Return the name words of so many units."""
    return {0: 0, 1: -(-units // 4), 2: -(-units // 2), 3: units - units // 4, 4: units}[width]


def _schedule(counts: np.ndarray, width: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where in the stream mask words and name words stand, for non-zeros per beat."""
    beats = len(counts)
    blocks = -(-beats // BLOCK)
    total = np.cumsum(counts)
    units = -(-total // lanes)
    before = np.concatenate([[0], units[:-1]])
    takes = np.zeros(blocks * BLOCK, bool)
    if width:
        takes[:beats] = (units > before) & _begins_word(units - 1, width)
    takes[beats:] = True

    # Beats are keyed by 3 b; a beat's name word comes first, then a mask word taken with it.
    free = ~takes.reshape(blocks, BLOCK)
    first = np.where(free.any(axis=1), free.argmax(axis=1), BLOCK - 1)
    late = ~free.any(axis=1)
    mask_keys = 3 * (np.arange(blocks) * BLOCK + first) + 1 + late
    mask_keys = np.concatenate([[-1], mask_keys[:-1]])
    name_keys = 3 * np.flatnonzero(takes[:beats])
    order = np.argsort(np.concatenate([mask_keys, name_keys]), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[:blocks], place[blocks:]


def _pack(bits: np.ndarray) -> np.ndarray:
    """Return words of bits ``(count, 4, lanes)``, lowest first: uint32 ``(count,)``."""
    flat = bits.reshape(len(bits), BLOCK * bits.shape[2]).astype(np.uint32)
    return (flat << np.arange(flat.shape[1], dtype=np.uint32)).sum(axis=1, dtype=np.uint32)


def _unpack(words: np.ndarray, lanes: int) -> np.ndarray:
    """Undo ``_pack``: uint8 ``(count, 4, lanes)``."""
    shifts = np.arange(BLOCK * lanes, dtype=np.uint32)
    return (words[:, None] >> shifts & 1).astype(np.uint8).reshape(-1, BLOCK, lanes)


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank.

    Parameters
    ----------
    beats : numpy.ndarray
        uint8 ``(count, lanes)``, ``lanes`` at most 8.
    params : Params

    Returns
    -------
    numpy.ndarray
        uint32, shape ``(words,)``.
    """
    count, lanes = beats.shape
    width = params.width
    present = beats != 0
    places, name_places = _schedule(present.sum(axis=1), width, lanes)
    words = np.zeros(len(places) + len(name_places), np.uint32)

    masks = np.zeros((len(places) * BLOCK, lanes), bool)
    masks[:count] = present
    words[places] = _pack(masks.reshape(-1, BLOCK, lanes))
    if not width:
        return words

    names = _name_of(params)[beats[present]]
    units = -(-len(names) // lanes)
    padded = np.zeros(units * lanes, np.uint8)
    padded[: len(names)] = names
    planes = (padded.reshape(units, 1, lanes) >> np.arange(width)[None, :, None]) & 1
    words[name_places] = _pack(_fields(planes, len(name_places), width, lanes))
    return words


def _fields(planes: np.ndarray, words: int, width: int, lanes: int) -> np.ndarray:
    """Return fields of name words, ``(words, 4, lanes)``, of units ``(units, width, lanes)``."""
    units = len(planes)
    fields = np.zeros((words, BLOCK, lanes), np.uint8)
    if width in (1, 2):
        flat = np.zeros((words * BLOCK, lanes), np.uint8)
        flat[: units * width] = planes.reshape(-1, lanes)
        fields[:, _ORDER[width]] = flat.reshape(words, BLOCK, lanes)
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


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, a name has no code, or padding is not zero.
    """
    masks, counts, used = _masks(words, count, lanes, params.width)
    if used < len(words):
        raise FormatError(f"{len(words) - used} words too many", offset=used, beat=count)
    beats = np.zeros((count, lanes), np.uint8)
    present = masks[:count].astype(bool)
    places, name_places = _schedule(counts, params.width, lanes)
    if masks[count:].any():
        raise FormatError(
            "a mask behind the last beat is not empty", offset=int(places[-1]), beat=count
        )
    total = int(counts.sum())
    if not params.width:
        if total and not params.names:
            beat = int(np.argmax(counts > 0))
            what = "name 0 is outside the palette of 0"
            raise FormatError(what, offset=beat // BLOCK, beat=beat)
        beats[present] = params.palette[0]
        return beats
    fields = _unpack(words[name_places], lanes)
    units = _units(fields, -(-total // lanes), params.width, lanes)
    names = (units << np.arange(params.width, dtype=np.uint8)[None, :, None]).sum(axis=1).ravel()
    if (names[:total] >= params.names).any():
        slot = int(np.argmax(names[:total] >= params.names))
        beat = int(np.searchsorted(np.cumsum(counts), slot, side="right"))
        raise FormatError(
            f"name {names[slot]} is outside the palette of {params.names}",
            offset=int(name_places[name_words(slot // lanes + 1, params.width) - 1]),
            beat=beat,
        )
    unused = (_fields(units, len(fields), params.width, lanes) != fields).any(axis=(1, 2))
    unused[-1:] |= names[total:].any()
    if unused.any():
        offset = int(name_places[np.argmax(unused)])
        raise FormatError("a name behind the last code is not zero", offset=offset, beat=count)
    beats[present] = np.array(params.palette, np.uint8)[names[:total]]
    return beats


def _masks(
    words: np.ndarray, count: int, lanes: int, width: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the mask words: masks ``(beats, lanes)``, non-zeros per beat, and words used.

    Where a mask word stands depends on the masks before it, so this walks block after block.
    """
    blocks = -(-count // BLOCK)
    field = (1 << lanes) - 1
    masks: list[int] = []
    at, units, total = 0, 0, 0
    place = 0
    for block in range(blocks):
        if place >= len(words):
            raise FormatError("a mask word is missing", offset=len(words), beat=block * BLOCK)
        word = int(words[place])
        at = max(at, place + 1)
        taken = None
        for beat in range(BLOCK):
            mask = word >> beat * lanes & field
            masks.append(mask)
            total += mask.bit_count() if width else 0
            wanted = -(-total // lanes)
            takes = wanted > units and bool(_begins_word(np.array(wanted - 1), width))
            units = wanted
            if takes:
                at += 1
                if at > len(words):
                    what, of = "a name word is missing", block * BLOCK + beat
                    raise FormatError(what, offset=len(words), beat=of)
            elif taken is None and block + 1 < blocks:
                taken = at
                at += 1
                if at > len(words):
                    break
        if block + 1 < blocks and taken is None:
            taken, at = at, at + 1
        place = taken if taken is not None else 0
    bits = (np.array(masks)[:, None] >> np.arange(lanes)) & 1
    return bits.astype(np.uint8), bits[:count].sum(axis=1), at


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives, without making them."""
    count, lanes = beats.shape
    units = -(-int(np.count_nonzero(beats)) // lanes)
    return -(-count // BLOCK) + name_words(units, params.width)


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's."""
    return _masks(words, count, lanes, params.width)[2]


def pauses(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return in front of which beats the decoder pauses for a clock, bool ``(count,)``."""
    count, lanes = beats.shape
    units = -(-np.cumsum(np.count_nonzero(beats, axis=1)) // lanes)
    takes = np.diff(units, prepend=0) > 0
    if params.width:
        takes &= _begins_word(units - 1, params.width)
    whole = (count - 1) // BLOCK  # the last block has no mask word to wait for
    busy = takes[: whole * BLOCK].reshape(whole, BLOCK).all(axis=1) & bool(params.width)
    found = np.zeros(count, bool)
    found[BLOCK : whole * BLOCK + 1 : BLOCK] = busy
    return found
