# SPDX-License-Identifier: Apache-2.0
"""Bit mask of two levels and packed non-zero codes, for densities of about 0.1 to 0.25.

A *group* is half the lanes of a beat, the lower half first. Two *flags* a beat say which of its
groups are not empty; only those have a mask, of a bit a lane. Names of the codes follow as in
``fantastic4.formats.bitmask``. Of independent codes of density d a weight takes about
``2 / lanes + (1 - (1 - d)**(lanes / 2)) + v * d`` bits.

A word has ``4 * lanes`` bits. A *flag word* holds the flags of ``2 * lanes`` beats, bits 2 b and
2 b + 1 for beat b. A *group word* holds the masks of eight groups, the first lowest; the groups of
a beat are never in two words, so the last place of one may be unused. *Name words* are those of
``fantastic4.formats.names``.

Words come in the order in which a decoder takes them. It holds a word of flags and one of groups
ahead, and takes at most one word a beat:

* a beat that has no flag word, or no group word for its groups, takes it first: the decoder pauses
  for a clock each;
* then the beat takes a name word, if it needs one;
* else, unless it is the last beat, the next group word, if the last one taken has been begun; so a
  layer may end in a group word of which nothing is used;
* else the next flag word, if there is one and the last one taken has been begun.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from fantastic4.formats import names
from fantastic4.formats.errors import FormatError
from fantastic4.formats.names import choose
from fantastic4.formats.params import Params

NAME = "bitmask2"

GROUPS = 8
"""Groups of a group word."""

__all__ = ["GROUPS", "NAME", "choose", "decode", "encode", "extent", "pauses", "word_count"]


class _Layer(Protocol):
    """What the order of the words depends on, beat by beat."""

    def groups(self, beat: int, word: int) -> int:
        """Return how many groups of ``beat`` are not empty; its flag word stands at ``word``."""
        ...

    def takes_name(self, beat: int, word: int, place: int) -> bool:
        """Return whether ``beat`` takes a name word.

        Its groups are those from ``place`` on in the word that stands at ``word``.
        """
        ...


@dataclass
class _Order:
    """Where the words of each kind stand, and where each beat's groups are, counted in places."""

    flags: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    names: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    pauses: list[int] = field(default_factory=list)
    words: int = 0


def _order(layer: _Layer, count: int, lanes: int) -> _Order:
    """Return the order of the words of a layer of ``count`` beats."""
    order = _Order()
    span = 2 * lanes
    blocks = -(-count // span)
    have_flags = have_groups = False  # ahead
    at = 0
    word, place = -1, GROUPS  # of the groups at hand

    def take(kind: list[int]) -> None:
        nonlocal at
        kind.append(at)
        at += 1

    for beat in range(count):
        pauses = 0
        if beat % span == 0:
            if not have_flags:
                take(order.flags)
                pauses += 1
            have_flags = False
        groups = layer.groups(beat, order.flags[beat // span])
        if groups and place + groups > GROUPS:
            if not have_groups:
                take(order.groups)
                pauses += 1
            have_groups = False
            word, place = word + 1, 0
        order.places.append(max(word, 0) * GROUPS + place)
        order.pauses.append(pauses)
        if layer.takes_name(beat, order.groups[word] if word >= 0 else -1, place):
            take(order.names)
        elif not have_groups and beat < count - 1:
            take(order.groups)
            have_groups = True
        elif not have_flags and len(order.flags) < blocks:
            take(order.flags)
            have_flags = True
        place += groups
    order.words = at
    return order


class _Beats:
    """Beats that are known."""

    def __init__(self, beats: np.ndarray, params: Params):
        _, lanes = beats.shape
        self.flags = (beats.reshape(-1, 2, lanes // 2) != 0).any(axis=2)
        takes = names.takes_word(np.count_nonzero(beats, axis=1), params.width, lanes)
        self.counts, self.takes = self.flags.sum(axis=1).tolist(), takes.tolist()

    def groups(self, beat: int, word: int) -> int:
        """See ``_Layer``."""
        return self.counts[beat]

    def takes_name(self, beat: int, word: int, place: int) -> bool:
        """See ``_Layer``."""
        return self.takes[beat]


def _order_of(beats: np.ndarray, params: Params) -> tuple[_Beats, _Order]:
    layer = _Beats(beats, params)
    return layer, _order(layer, *beats.shape)


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(words,)``."""
    count, lanes = beats.shape
    half = lanes // 2
    layer, order = _order_of(beats, params)
    words = np.zeros(order.words, np.uint32)

    flags = np.zeros((len(order.flags) * 2 * lanes, 2), bool)
    flags[:count] = layer.flags
    words[order.flags] = names.pack(flags.reshape(len(order.flags), 4, lanes))

    places = np.array(order.places)[:, None] + np.arange(2)
    places[:, 1] -= ~layer.flags[:, 0]
    masks = np.zeros((len(order.groups) * GROUPS, half), bool)
    masks[places[layer.flags]] = (beats != 0).reshape(count, 2, half)[layer.flags]
    words[order.groups] = names.pack(masks.reshape(len(order.groups), 4, lanes))

    words[order.names] = names.encode(beats[beats != 0], params, lanes)
    return words


class _Words:
    """Beats that are read from their words, and their masks and counts so far."""

    def __init__(self, words: np.ndarray, lanes: int, params: Params):
        self.words = words.tolist()
        self.lanes = lanes
        self.takes_word = names.TakesWord(params.width, lanes)
        self.masks: list[int] = []
        self.empty: list[tuple[int, int]] = []
        self.flags = (0, 0)

    def _word(self, kind: str, place: int, beat: int) -> int:
        if place >= len(self.words):
            what = f"a {kind} word is missing"
            raise FormatError(what, offset=len(self.words), beat=beat)
        return self.words[place]

    def groups(self, beat: int, word: int) -> int:
        """See ``_Layer``."""
        flags = self._word("flag", word, beat) >> 2 * (beat % (2 * self.lanes))
        self.flags = flags & 1, flags >> 1 & 1
        return sum(self.flags)

    def takes_name(self, beat: int, word: int, place: int) -> bool:
        """See ``_Layer``."""
        half = self.lanes // 2
        mask = 0
        for group, flag in enumerate(self.flags):
            if flag:
                part = self._word("group", word, beat) >> place * half & (1 << half) - 1
                if not part:
                    self.empty.append((word, beat))
                mask |= part << group * half
                place += 1
        self.masks.append(mask)
        return self.takes_word(mask.bit_count())


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, a group whose flag is set is empty, a name has no
        code, or padding is not zero.
    """
    layer = _Words(words, lanes, params)
    order = _order(layer, count, lanes)
    if order.words > len(words):
        raise FormatError("the stream is truncated", offset=len(words), beat=count)
    if order.words < len(words):
        what = f"{len(words) - order.words} words too many"
        raise FormatError(what, offset=order.words, beat=count)
    for offset, beat in layer.empty[:1]:
        raise FormatError("a group whose flag is set is empty", offset=offset, beat=beat)
    masks = (np.array(layer.masks)[:, None] >> np.arange(lanes) & 1).astype(bool)
    counts = masks.sum(axis=1)
    if not params.names and counts.any():
        beat = int(np.argmax(counts > 0))
        offset = order.groups[order.places[beat] // GROUPS]
        raise FormatError("name 0 is outside the palette of 0", offset=offset, beat=beat)
    beats = np.zeros((count, lanes), np.uint8)
    beats[masks] = names.decode(words[order.names], counts, params, lanes, order.names)
    wrong = np.flatnonzero(encode(beats, params) != words)
    if len(wrong):
        raise FormatError("padding is not zero", offset=int(wrong[0]), beat=count)
    return beats


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives, without making them."""
    count, lanes = beats.shape
    layer = _Beats(beats, params)
    total = layer.flags.sum(axis=1).cumsum().tolist()
    words = begins = used = 0  # the last group word begins with this beat; groups of those before
    while used < total[-1]:
        begins = bisect_right(total, used)
        used = total[bisect_right(total, used + GROUPS) - 1]
        words += 1
    ahead = not all(layer.takes[begins : count - 1])
    return -(-count // (2 * lanes)) + words + ahead + sum(layer.takes)


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's.

    Raises
    ------
    FormatError
        If they end before the layer does.
    """
    used = _order(_Words(words, lanes, params), count, lanes).words
    if used > len(words):
        raise FormatError("the stream is truncated", offset=len(words), beat=count)
    return used


def pauses(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return how many clocks the decoder pauses in front of each beat, int64 ``(count,)``.

    The words of the first beat are taken while the palette comes in.
    """
    found = np.array(_order_of(beats, params)[1].pauses, np.int64)
    found[0] = 0
    return found
