# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import bitmask
from fantastic4.formats.errors import FormatError
from fantastic4.formats.names import name_words
from fantastic4.formats.params import Params


def some_beats(seed, count, lanes, density, names=15):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(1, 16, dtype=np.uint8))[:names]
    beats = rng.choice(codes, (count, lanes))
    beats[rng.random(beats.shape) >= density] = 0
    return beats


def all_params(beats):
    """Every width that can express ``beats``, with names in the order of the codes."""
    used = np.unique(beats[beats != 0]).tolist()
    for width in range(bitmask.choose(beats).width, 5):
        period = [*used, *[0] * ((1 << width) - len(used))]
        yield Params(width, palette=tuple(np.resize(period, 16).tolist()))


SHAPES = (
    st.integers(0, 2**32),
    st.integers(1, 70),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([0, 0.02, 0.2, 0.5, 0.9, 1]),
    st.integers(1, 15),
)


@given(*SHAPES)
def test_round_trip(seed, count, lanes, density, names):
    beats = some_beats(seed, count, lanes, density, names)
    best = bitmask.choose(beats)
    for params in all_params(beats):
        words = bitmask.encode(beats, params)
        assert words.dtype == np.uint32
        assert words.shape == (bitmask.word_count(beats, params),)
        assert int(words.max()) >> 4 * lanes == 0
        assert bitmask.extent(words, count, lanes, params) == len(words)
        decoded = bitmask.decode(words, count, lanes, params)
        assert decoded.dtype == np.uint8
        assert (decoded == beats).all()
        assert bitmask.word_count(beats, best) <= len(words)


@given(*SHAPES)
def test_truncated_and_extra_words(seed, count, lanes, density, names):
    beats = some_beats(seed, count, lanes, density, names)
    params = bitmask.choose(beats)
    words = bitmask.encode(beats, params)
    with pytest.raises(FormatError, match=r"a (mask|name) word is missing") as error:
        bitmask.decode(words[:-1], count, lanes, params)
    assert error.value.offset == len(words) - 1
    assert 0 <= error.value.beat < count
    with pytest.raises(FormatError, match="2 words too many") as error:
        bitmask.decode(np.append(words, np.zeros(2, np.uint32)), count, lanes, params)
    assert (error.value.offset, error.value.beat) == (len(words), count)


@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([1, 2, 4, 8]), st.integers(0, 4))
def test_garbage_decodes_or_says_why(seed, count, lanes, width):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 4 * lanes, 50, np.uint64).astype(np.uint32)
    names = min(1 << width, 15) - (width > 1)
    period = [*range(1, names + 1), *[0] * ((1 << width) - names)]
    params = Params(width, palette=tuple(np.resize(period, 16).tolist()))
    for used in range(50):
        try:
            beats = bitmask.decode(words[:used], count, lanes, params)
        except FormatError:
            continue
        assert (bitmask.encode(beats, params) == words[:used]).all()


@given(*SHAPES)
def test_a_changed_bit_is_another_layer_or_an_error(seed, count, lanes, density, names):
    """No two streams stand for the same beats."""
    beats = some_beats(seed, count, lanes, density, names)
    params = bitmask.choose(beats)
    words = bitmask.encode(beats, params)
    rng = np.random.default_rng(seed + 1)
    for _ in range(10):
        bad = words.copy()
        bad[rng.integers(len(words))] ^= np.uint32(1 << int(rng.integers(4 * lanes)))
        try:
            assert (bitmask.decode(bad, count, lanes, params) != beats).any()
        except FormatError:
            continue


PALETTE = (9, 4, 6, 1, 2, 3, 5, 0)


def planes(*names, lanes=4):
    """Bit planes of a unit of names."""
    return [sum((name >> p & 1) << s for s, name in enumerate(names)) for p in range(4)]


def word(*fields, lanes=4):
    return sum(value << lanes * n for n, value in enumerate(fields))


def test_the_bits_stay_where_they_are():
    """Five beats of four lanes: a mask word, two name words, the next mask word, a name word."""
    codes = [[9, 0, 0, 4], [0, 6, 0, 0], [0, 0, 0, 0], [1, 2, 0, 3], [5, 5, 0, 0]]
    beats = np.array(codes, np.uint8)
    masks = [0b1001, 0b0010, 0, 0b1011, 0b0011]
    first, second = planes(0, 1, 2, 3), planes(4, 5, 6, 6)
    three = Params(3, palette=PALETTE * 2)
    # Beat 0 takes the first name word, beat 1 none and so the next mask word, beat 3 the second.
    assert bitmask.encode(beats, three).tolist() == [
        word(*masks[:4]),
        word(*first[:3]),
        word(masks[4]),
        word(*second[:3]),
    ]
    # Two units a word, with one field of each pair in the middle swapped.
    beats[:, :] = np.where(beats > 0, np.where(beats == 9, 9, 4), 0)
    two = Params(2, palette=(9, 4, 6, 1) * 4)
    first, second = planes(0, 1, 1, 1), planes(1, 1, 1, 1)
    assert bitmask.encode(beats, two).tolist() == [
        word(*masks[:4]),
        word(first[0], first[1], second[1], second[0]),
        word(masks[4]),
    ]
    # Four units a word: fields 0, 3, 2, 1.
    one = Params(1, palette=(9, 4) * 8)
    assert bitmask.encode(beats, one).tolist() == [
        word(*masks[:4]),
        word(first[0], 0, 0, second[0]),
        word(masks[4]),
    ]
    beats[beats > 0] = 9
    assert bitmask.encode(beats, Params(0, palette=(9,) * 16)).tolist() == [
        word(*masks[:4]),
        word(masks[4]),
    ]


def test_four_units_in_three_words():
    """At three bits, the fourth unit's planes are the last fields of the three words before."""
    beats = np.array([[1, 2, 3, 4], [5, 6, 7, 1], [2, 3, 4, 5], [6, 7, 1, 2]], np.uint8)
    params = Params(3, palette=(1, 2, 3, 4, 5, 6, 7, 0) * 2)
    units = [planes(*(code - 1 for code in beat)) for beat in beats.tolist()]
    assert bitmask.encode(beats, params).tolist() == [
        0xFFFF,
        *(word(*units[k][:3], units[3][k]) for k in range(3)),
    ]


def test_a_mask_word_that_comes_late():
    """Four beats that each take a name word leave no room for the next mask word."""
    beats = np.ones((9, 4), np.uint8)
    params = Params(4, palette=(1, *[0] * 15))
    assert bitmask.encode(beats, params).tolist() == [0xFFFF, *[0] * 4, 0xFFFF, *[0] * 4, 0xF, 0]
    assert np.flatnonzero(bitmask.pauses(beats, params)).tolist() == [4, 8]
    beats[2] = 0
    assert np.flatnonzero(bitmask.pauses(beats, params)).tolist() == [8]
    for width in range(4):
        assert not bitmask.pauses(beats, Params(width, palette=(1,) * 16)).any()


@given(*SHAPES)
def test_pauses_are_where_words_outrun_the_beats(seed, count, lanes, density, names):
    """With one word a clock at most, a beat waits exactly if the words up to it need longer."""
    beats = some_beats(seed, count, lanes, density, names)
    for params in all_params(beats):
        total = np.cumsum(np.count_nonzero(beats, axis=1))
        units = -(-total // lanes)
        need = [name_words(int(u), params.width) for u in units]
        free = 0  # clocks of a block in which no name word was taken
        late = []
        for beat in range(count):
            if beat and beat % bitmask.BLOCK == 0:
                late.append(beat) if not free else None
                free = 0
            free += need[beat] == (need[beat - 1] if beat else 0)
        assert np.flatnonzero(bitmask.pauses(beats, params)).tolist() == late


def test_choose():
    for names, width in ((1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (15, 4)):
        beats = np.arange(1, names + 1, dtype=np.uint8)[None, :]
        params = bitmask.choose(beats)
        assert (params.width, params.gap, params.names) == (width, 0, names)
        assert params.palette[:names] == tuple(range(1, names + 1))
        assert params.palette == tuple(np.resize(params.palette[: 1 << width], 16).tolist())
    empty = bitmask.choose(np.zeros((3, 8), np.uint8))
    assert (empty.width, empty.names) == (0, 0)
    words = bitmask.encode(np.zeros((9, 8), np.uint8), empty)
    assert words.tolist() == [0, 0, 0]


def test_bits_of_a_large_layer():
    """One bit a lane and v bits a code, padding apart."""
    for density, names, width in ((0.1, 2, 1), (0.3, 4, 2), (0.3, 7, 3), (0.9, 15, 4)):
        beats = some_beats(3, 20_000, 8, density, names)
        bits = bitmask.word_count(beats, bitmask.choose(beats)) * 32
        expected = beats.size + width * np.count_nonzero(beats)
        assert expected <= bits <= expected + 3 * 32


@pytest.mark.parametrize(
    ("width", "palette", "words", "message", "offset", "beat"),
    [
        (1, (3, 5), [], "a mask word is missing", 0, 0),
        (1, (3, 5), [0x0001], "a name word is missing", 1, 0),
        (1, (3, 5), [0x0000], "a mask word is missing", 1, 4),
        (1, (3, 5), [0x0000, 0x0011, 0, 0], "1 words too many", 3, 6),
        (1, (3, 5), [0x0000, 0x0100, 0], "a mask behind the last beat is not empty", 1, 6),
        (1, (3, 5), [0x0000, 0x0001, 0x0010], "a name behind the last code is not zero", 2, 6),
        (2, (3, 5, 7, 0), [0x1000, 0, 0x0011], "name 3 is outside the palette of 3", 2, 3),
        (2, (3, 5, 7, 0), [0, 0x0001, 0x0011], "name 3 is outside the palette of 3", 2, 4),
        (0, (0,), [0x0001, 0], "name 0 is outside the palette of 0", 0, 0),
    ],
)
def test_malformed_streams(width, palette, words, message, offset, beat):
    """Six beats of four lanes."""
    params = Params(width, palette=tuple(itertools.islice(itertools.cycle(palette), 16)))
    with pytest.raises(FormatError, match=message) as error:
        bitmask.decode(np.array(words, np.uint32), 6, 4, params)
    assert (error.value.offset, error.value.beat) == (offset, beat)
