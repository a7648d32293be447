# SPDX-License-Identifier: Apache-2.0
"""Zero runs and codes: about ``(gap + width) * density`` bits a weight, for very sparse layers.

The codes of a bank are one row of positions, ``beat * lanes + lane``. It is written as tokens of a
gap of G bits and a name of v bits, both chosen for the layer:

* gap below ``2**G - 1``: so many zeros, then the code that the name has in the palette;
* gap ``2**G - 1``, an *escape*: so many zeros and no code; the name is zero.

The layer ends with the token that reaches its last position: a code there, or an escape that runs
to the end or beyond it. So behind the last code there are as many escapes as its zeros need, and
none if it has no zeros behind it. A name whose palette entry is 0 is an error.

A word holds ``n = bits // (G + v)`` whole tokens, bit plane by bit plane: bit b of the gap of token
k is bit ``b * n + k`` of the word, bit j of its name is bit ``(G + v - 1 - j) * n + k``, and what
remains of the word is zero. So a decoder comes to the next token by shifting by *one*, whatever the
width of a token, and finds each bit of a token in as many places as there are widths: four widths
cost it one four-way choice a bit of a token, where tokens side by side would cost it a four-way
choice a bit of a word. Each of the widths in ``WIDTHS`` is the widest with its number of tokens in
a word; narrower ones than these would give more tokens a beat than a decoder takes.
"""

import numpy as np

from fantastic4.formats.errors import FormatError
from fantastic4.formats.names import name_width
from fantastic4.formats.params import Params as AnyParams

NAME = "csr"

WIDTHS = {4: (4, 5, 8), 8: (5, 6, 8, 10)}
"""Bits of a token, by lanes of a bank."""

MAX_GAP = 8
"""Bits of a gap at most."""

MAX_WIDTH = 4
"""Bits of a name at most."""

QUEUE = 16
"""Items that the decoder's queue holds."""

FIRST_TOKEN = 20
"""Clocks from a command taken to the first token that may become an item."""


class Params(AnyParams):
    """How a layer is coded: G and v, and the palette, whose unused entries are 0."""

    @property
    def escape(self) -> int:
        """The gap that no code follows."""
        return (1 << self.gap) - 1

    def slots(self, lanes: int) -> int:
        """Return the tokens in a word; raise ``ValueError`` if there is no such token."""
        token = self.gap + self.width
        if not (0 <= self.width <= MAX_WIDTH and 1 <= self.gap <= MAX_GAP):
            raise ValueError(f"gap and width must be 1..8 and 0..4, not {self.gap}, {self.width}")
        if token not in WIDTHS[lanes]:
            raise ValueError(f"a token must have {WIDTHS[lanes]} bits, not {token}")
        return 4 * lanes // token


def choose(beats: np.ndarray) -> Params:
    """Return the parameters that need the fewest words.

    Takes uint8 ``(..., count, lanes)``; leading axes are banks.
    """
    lanes = beats.shape[-1]
    used = np.flatnonzero(np.bincount(beats.ravel(), minlength=16)[1:]) + 1
    width = name_width(len(used))
    palette = np.zeros(16, np.int64)
    palette[: len(used)] = used
    banks = beats.reshape(-1, *beats.shape[-2:])
    runs = [_runs(bank) for bank in banks]
    best: tuple[int, Params] | None = None
    for token in WIDTHS[lanes]:
        if not 1 <= token - width <= MAX_GAP:
            continue
        params = Params(width, token - width, tuple(palette.tolist()))
        words = sum(-(-_tokens(*run, params) // params.slots(lanes)) for run in runs)
        if best is None or words < best[0]:
            best = words, params
    assert best is not None
    return best[1]


def _runs(beats: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the zeros in front of each code, and those behind the last one."""
    places = np.flatnonzero(beats)
    gaps = np.diff(places, prepend=-1) - 1
    return gaps, beats.size - 1 - int(places[-1]) if len(places) else beats.size


def _tokens(gaps: np.ndarray, tail: int, params: Params) -> int:
    return len(gaps) + int((gaps // params.escape).sum()) + -(-tail // params.escape)


def word_count(beats: np.ndarray, params: Params) -> int:
    """Return the words ``encode`` gives, without making them."""
    return -(-_tokens(*_runs(beats), params) // params.slots(beats.shape[1]))


def encode(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the words of one bank: takes uint8 ``(count, lanes)``, gives uint32 ``(words,)``."""
    gap, name = _tokenise(beats, params)
    lanes = beats.shape[1]
    slots = params.slots(lanes)
    words = -(-len(gap) // slots)
    padded = np.zeros((words * slots, 2), np.uint32)
    padded[: len(gap), 0], padded[: len(gap), 1] = gap, name
    bits = (padded[:, _field(params)] >> _bit(params)) & 1
    shifts = np.arange(slots)[:, None] + slots * np.arange(params.gap + params.width)
    placed = bits.reshape(words, slots, params.gap + params.width) << shifts.astype(np.uint32)
    return placed.sum(axis=(1, 2), dtype=np.uint32)


def _field(params: Params) -> np.ndarray:
    """Return, for each bit plane, 0 if it is one of the gap and 1 if it is one of the name."""
    return (np.arange(params.gap + params.width) >= params.gap).astype(np.int64)


def _bit(params: Params) -> np.ndarray:
    """Return, for each bit plane, the bit of its field."""
    return np.concatenate([np.arange(params.gap), np.arange(params.width)[::-1]]).astype(np.uint32)


def _tokenise(beats: np.ndarray, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Return gaps and names of the tokens of a bank."""
    gaps, tail = _runs(beats)
    place = np.cumsum(gaps // params.escape + 1) - 1
    count = _tokens(gaps, tail, params)
    gap = np.full(count, params.escape, np.uint32)
    name = np.zeros(count, np.uint32)
    names = np.full(16, 255, np.uint32)
    for index in reversed(range(1 << params.width)):
        names[params.palette[index]] = index
    codes = beats[beats != 0]
    if (names[codes] == 255).any():
        code = int(codes[np.argmax(names[codes] == 255)])
        raise ValueError(f"code {code} has no name in the palette")
    gap[place] = gaps % params.escape
    name[place] = names[codes]
    return gap, name


def decode(words: np.ndarray, count: int, lanes: int, params: Params) -> np.ndarray:
    """Return the beats of one bank: uint8 ``(count, lanes)``.

    Raises
    ------
    FormatError
        If there are too few or too many words, a code stands behind the last position, a name has
        no code, or padding is not zero.
    """
    total = count * lanes
    slots = params.slots(lanes)
    planes = params.gap + params.width
    gap, name, bits = _read(words, lanes, params)
    code = gap != params.escape
    after = np.cumsum(gap + code)

    last = int(np.searchsorted(after, total))  # the token that ends the layer
    if total == 0:
        last = -1
    used = last // slots + 1
    if used > len(words):
        beat = (int(after[-1]) if len(after) else 0) // lanes
        raise FormatError("the stream is truncated", offset=len(words), beat=beat)
    if used < len(words):
        raise FormatError(f"{len(words) - used} words too many", offset=used, beat=count)

    def check(bad: np.ndarray, what: str) -> None:
        if bad.any():
            token = int(np.argmax(bad))
            beat = min(int(after[token]) // lanes, count)
            raise FormatError(what, offset=token // slots, beat=beat)

    tokens = np.arange(len(gap))
    live = code & (tokens <= last)
    check(live & (after > total), "a code stands behind the last position")
    palette = np.array(params.palette, np.uint8)[name]
    check(live & (palette == 0), "a name is outside the palette")
    check(~code & (name != 0) & (tokens <= last), "the name of an escape is not zero")
    check((tokens > last) & bits.any(axis=1), "padding is not zero")
    check(np.repeat(words >> slots * planes != 0, slots), "padding is not zero")

    beats = np.zeros(total, np.uint8)
    beats[after[live] - 1] = palette[live]
    return beats.reshape(count, lanes)


def _read(
    words: np.ndarray, lanes: int, params: Params
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gaps, names and bits of all tokens of ``words``."""
    slots = params.slots(lanes)
    planes = params.gap + params.width
    order = np.arange(slots * planes).reshape(planes, slots).T.ravel()
    bits = (np.asarray(words).astype(np.int64)[:, None] >> order & 1).reshape(-1, planes)
    weight = 1 << _bit(params).astype(np.int64)
    is_name = _field(params) == 1
    gap = (bits * np.where(is_name, 0, weight)).sum(axis=1)
    name = (bits * np.where(is_name, weight, 0)).sum(axis=1)
    return gap, name, bits


def extent(words: np.ndarray, count: int, lanes: int, params: Params) -> int:
    """Return how many of ``words``, which go on behind the layer, are the layer's.

    Raises
    ------
    FormatError
        If they end before the layer does.
    """
    gap, _, _ = _read(words, lanes, params)
    after = np.cumsum(gap + (gap != params.escape))
    last = int(np.searchsorted(after, count * lanes))
    if last == len(after):
        beat = (int(after[-1]) if len(after) else 0) // lanes
        raise FormatError("the stream is truncated", offset=len(words), beat=beat)
    return last // params.slots(lanes) + 1


def items(beats: np.ndarray, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Return of each item of the decoder's queue: token clocks since the one before, and beats."""
    operation, _, lengths = _items(beats, params)
    return np.diff(operation, prepend=-1), lengths


def _items(beats: np.ndarray, params: Params) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the operation that makes each item, items before each operation, and their beats."""
    count, lanes = beats.shape
    gaps, _ = _runs(beats)
    tokens, _ = _tokenise(beats, params)
    code = np.zeros(len(tokens), bool)
    code[np.cumsum(gaps // params.escape + 1) - 1] = True
    after = np.minimum(np.cumsum(tokens.astype(np.int64) + code), count * lanes)
    # A token completes the beat in hand if it goes beyond it, and the layer's last beat is
    # completed a clock behind the last token. Escapes stand at the position they reach.
    at = np.append((after - code) // lanes, count)
    at[-2:-1] = np.minimum(at[-2:-1], count - 1)
    before = np.concatenate([[0], at[:-1]])
    pushes = at > before
    return np.flatnonzero(pushes), np.cumsum(pushes) - pushes, (at - before)[pushes]


def ready_times(beats: np.ndarray, params: Params) -> np.ndarray:
    """Return the clock in which the decoder offers each beat, int64 ``(count,)``.

    Clock 0 is the one in which the command is taken. Words are always there, and beats are taken
    as they are offered.
    """
    operation, earlier, lengths = _items(beats, params)
    free = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    done = FIRST_TOKEN + np.arange(len(earlier))
    leaves = free + np.maximum.accumulate(done[operation] + 1 - free)
    full = earlier >= QUEUE
    if (done[full] <= leaves[earlier[full] - QUEUE]).any():
        leaves = _leaves(operation, earlier, lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.repeat(leaves + 1 - starts, lengths) + np.arange(len(beats))


def _leaves(operation: np.ndarray, earlier: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return when each item leaves the queue, where a full queue stops the tokens.

    An operation waits until the 16th item before it has left, so 16 items at a time are known from
    the 16 before them.
    """
    items = len(operation)
    leaves = np.zeros(items, np.int64)
    bounds = np.searchsorted(earlier, np.arange(0, items + QUEUE, QUEUE))
    clock, busy = FIRST_TOKEN - 1, 0
    for block in range(-(-items // QUEUE)):
        low, high = block * QUEUE, min((block + 1) * QUEUE, items)
        steps = np.arange(bounds[block], bounds[block + 1])
        earliest = np.full(len(steps), clock + 1)
        if block:
            np.maximum(earliest, leaves[earlier[steps] - QUEUE] + 1, out=earliest)
        index = np.arange(len(steps))
        done = index + np.maximum.accumulate(earliest - index)
        clock = int(done[-1])
        free = np.concatenate([[0], np.cumsum(lengths[low:high])])
        pushed = done[operation[low:high] - bounds[block]]
        here = np.maximum(pushed + 1, busy) - free[:-1]
        leaves[low:high] = free[:-1] + np.maximum.accumulate(here)
        busy = int(leaves[high - 1] + lengths[high - 1])
    return leaves
