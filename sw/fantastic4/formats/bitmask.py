# SPDX-License-Identifier: Apache-2.0
"""Bit mask and packed non-zero codes: ``1 + v * density`` bits a weight.

A mask of one bit a lane says which codes of a beat are not zero; those follow in order of lanes,
each named with ``v`` bits through a palette of the layer. With v = 4 this is sparse 4-bit, with
v = 1 sparse ternary, with v = 0 sparse binary.

A word has four fields of ``lanes`` bits. A *mask word* holds the masks of four beats, the first
one in field 0. ``fantastic4.formats.names`` describes *name words*.

Words come in the order in which a decoder first needs them, so it never has to look ahead:

* a beat that needs names that no word taken before holds takes the next name word;
* the mask word of the next four beats is taken at the first of four beats that takes no name word,
  or after them if all four do (then, and only then, the decoder pauses for a clock).
"""

import numpy as np

from fantastic4.formats import names
from fantastic4.formats.errors import FormatError
from fantastic4.formats.names import FIELDS as BLOCK
from fantastic4.formats.names import choose, name_words
from fantastic4.formats.params import Params

NAME = "bitmask"

__all__ = ["BLOCK", "NAME", "choose", "decode", "encode", "extent", "pauses", "word_count"]


def _schedule(counts: np.ndarray, width: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where in the stream mask words and name words stand, for non-zeros per beat."""
    beats = len(counts)
    blocks = -(-beats // BLOCK)
    takes = np.ones(blocks * BLOCK, bool)
    takes[:beats] = names.takes_word(counts, width, lanes)

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
    present = beats != 0
    places, name_places = _schedule(present.sum(axis=1), params.width, lanes)
    words = np.zeros(len(places) + len(name_places), np.uint32)
    masks = np.zeros((len(places) * BLOCK, lanes), bool)
    masks[:count] = present
    words[places] = names.pack(masks.reshape(-1, BLOCK, lanes))
    words[name_places] = names.encode(beats[present], params, lanes)
    return words


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
    places, name_places = _schedule(counts, params.width, lanes)
    if masks[count:].any():
        raise FormatError(
            "a mask behind the last beat is not empty", offset=int(places[-1]), beat=count
        )
    if not params.names and counts.any():
        beat = int(np.argmax(counts > 0))
        what = "name 0 is outside the palette of 0"
        raise FormatError(what, offset=int(places[beat // BLOCK]), beat=beat)
    beats = np.zeros((count, lanes), np.uint8)
    beats[masks[:count].astype(bool)] = names.decode(
        words[name_places], counts, params, lanes, name_places.tolist()
    )
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
    takes_word = names.TakesWord(width, lanes)
    at = 0
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
            if takes_word(mask.bit_count()):
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
    """Return how many clocks the decoder pauses in front of each beat, int64 ``(count,)``."""
    count, lanes = beats.shape
    takes = names.takes_word(np.count_nonzero(beats, axis=1), params.width, lanes)
    whole = (count - 1) // BLOCK  # the last block has no mask word to wait for
    busy = takes[: whole * BLOCK].reshape(whole, BLOCK).all(axis=1)
    found = np.zeros(count, np.int64)
    found[BLOCK : whole * BLOCK + 1 : BLOCK] = busy
    return found
