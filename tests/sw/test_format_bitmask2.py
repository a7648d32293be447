# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import bitmask, bitmask2
from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params


def some_beats(seed, count, lanes, density, names=15):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(1, 16, dtype=np.uint8))[:names]
    beats = rng.choice(codes, (count, lanes))
    beats[rng.random(beats.shape) >= density] = 0
    if seed % 3 == 0:
        beats[count // 3 : count // 2] = 0
    return beats


def all_params(beats):
    """Every width that can express ``beats``, with names in the order of the codes."""
    used = np.unique(beats[beats != 0]).tolist()
    for width in range(bitmask2.choose(beats).width, 5):
        period = [*used, *[0] * ((1 << width) - len(used))]
        yield Params(width, palette=tuple(np.resize(period, 16).tolist()))


SHAPES = (
    st.integers(0, 2**32),
    st.integers(1, 70),
    st.sampled_from([4, 8]),
    st.sampled_from([0, 0.02, 0.1, 0.2, 0.5, 0.9, 1]),
    st.integers(1, 15),
)


@given(*SHAPES)
def test_round_trip(seed, count, lanes, density, names):
    beats = some_beats(seed, count, lanes, density, names)
    for params in all_params(beats):
        words = bitmask2.encode(beats, params)
        assert words.dtype == np.uint32
        assert words.shape == (bitmask2.word_count(beats, params),)
        assert int(words.max()) >> 4 * lanes == 0
        assert bitmask2.extent(words, count, lanes, params) == len(words)
        decoded = bitmask2.decode(words, count, lanes, params)
        assert decoded.dtype == np.uint8
        assert (decoded == beats).all()


@given(*SHAPES)
def test_truncated_and_extra_words(seed, count, lanes, density, names):
    beats = some_beats(seed, count, lanes, density, names)
    params = bitmask2.choose(beats)
    words = bitmask2.encode(beats, params)
    for function in (bitmask2.decode, bitmask2.extent):
        with pytest.raises(FormatError, match=r"word is missing|truncated") as error:
            function(words[:-1], count, lanes, params)
        assert error.value.offset == len(words) - 1
        assert 0 <= error.value.beat <= count
    with pytest.raises(FormatError, match="2 words too many") as error:
        bitmask2.decode(np.append(words, np.zeros(2, np.uint32)), count, lanes, params)
    assert (error.value.offset, error.value.beat) == (len(words), count)


@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([4, 8]), st.integers(0, 4))
def test_garbage_decodes_or_says_why(seed, count, lanes, width):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 4 * lanes, 50, np.uint64).astype(np.uint32)
    words &= rng.integers(0, 1 << 32, 50, np.uint64).astype(np.uint32)
    names = min(1 << width, 15) - (width > 1)
    period = [*range(1, names + 1), *[0] * ((1 << width) - names)]
    params = Params(width, palette=tuple(np.resize(period, 16).tolist()))
    for used in range(50):
        try:
            beats = bitmask2.decode(words[:used], count, lanes, params)
        except FormatError:
            continue
        assert (bitmask2.encode(beats, params) == words[:used]).all()


@given(*SHAPES)
def test_a_changed_bit_is_another_layer_or_an_error(seed, count, lanes, density, names):
    """No two streams stand for the same beats."""
    beats = some_beats(seed, count, lanes, density, names)
    params = bitmask2.choose(beats)
    words = bitmask2.encode(beats, params)
    rng = np.random.default_rng(seed + 1)
    for _ in range(10):
        bad = words.copy()
        bad[rng.integers(len(words))] ^= np.uint32(1 << int(rng.integers(4 * lanes)))
        try:
            assert (bitmask2.decode(bad, count, lanes, params) != beats).any()
        except FormatError:
            continue


def test_the_bits_stay_where_they_are():
    """Ten beats of four lanes, names of one bit."""
    beats = np.zeros((10, 4), np.uint8)
    beats[0] = [5, 0, 0, 0]  # low group 01
    beats[1] = [0, 7, 7, 7]  # both groups: 10, 11
    beats[2] = [0, 0, 0, 5]  # high group 10
    for beat in range(4, 8):
        beats[beat] = [0, 0, 5, 0]  # high group 01: so the first word has one place left
    beats[8] = [7, 0, 0, 7]  # both, in the next word: 01, 10
    params = bitmask2.choose(beats)
    assert (params.width, params.palette[:2]) == (1, (5, 7))
    flags = sum(pair << 2 * beat for beat, pair in enumerate([1, 3, 2, 0, 2, 2, 2, 2]))
    groups = sum(mask << 2 * n for n, mask in enumerate([1, 2, 3, 2, 1, 1, 1, 1]))
    names = [0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    units = [sum(name << s for s, name in enumerate(names[at : at + 4])) for at in (0, 4, 8)]
    assert bitmask2.encode(beats, params).tolist() == [
        flags,
        groups,
        units[0] | units[1] << 12 | units[2] << 8,  # beat 0 takes a name word
        0b1001,  # beat 1 the next group word
        3,  # beat 2 the next flag word
        0,  # beat 8, which begins the last group word, one ahead
    ]
    assert not bitmask2.pauses(beats, params).any()


@given(
    st.integers(0, 2**32),
    st.integers(1, 200),
    st.sampled_from([4, 8]),
    st.sampled_from([0.1, 0.3, 0.6, 0.9, 1]),
    st.sampled_from([1, 2, 4]),
)
def test_no_pauses_up_to_two_bits(seed, count, lanes, density, names):
    beats = some_beats(seed, count, lanes, density, names)
    assert not bitmask2.pauses(beats, bitmask2.choose(beats)).any()


def test_pauses_of_wider_names():
    """Full beats need a name word each, so those of groups and flags cost clocks."""
    beats = np.ones((64, 8), np.uint8)
    four = Params(4, palette=(1, *[0] * 15))
    pauses = bitmask2.pauses(beats, four)
    assert np.flatnonzero(pauses).tolist() == list(range(4, 64, 4))
    assert pauses[16] == 2, "flags and groups"
    assert pauses.sum() == 15 + 3
    sparse = some_beats(1, 200, 8, 0.2)
    assert not bitmask2.pauses(sparse, bitmask2.choose(sparse)).any()


def test_bits_of_a_large_layer():
    """Between the entropy and one level, at the densities it is for."""
    for density in (0.1, 0.15, 0.2):
        beats = some_beats(1, 20_000, 8, density, 2)
        params = bitmask2.choose(beats)
        bits = bitmask2.word_count(beats, params) * 32 / beats.size
        expected = 2 / 8 + (1 - (1 - density) ** 4) + density
        assert expected - 0.01 < bits < expected + 0.03
        assert bits < bitmask.word_count(beats, params) * 32 / beats.size - 0.1


@pytest.mark.parametrize(
    ("width", "palette", "words", "message", "offset", "beat"),
    [
        (1, (3, 5), [], "a flag word is missing", 0, 0),
        (1, (3, 5), [0x0001], "a group word is missing", 1, 0),
        (1, (3, 5), [0x0001, 0x0001], "truncated", 2, 6),
        (1, (3, 5), [0x0000], "truncated", 1, 6),
        (1, (3, 5), [0x0000, 0, 0], "1 words too many", 2, 6),
        (1, (3, 5), [0x1000, 0], "padding is not zero", 0, 6),
        (1, (3, 5), [0x0000, 1], "padding is not zero", 1, 6),
        (1, (3, 5), [0x0001, 0, 0], "whose flag is set is empty", 1, 0),
        (1, (3, 5), [0x0001, 1, 0x0002, 0], "behind the last code is not zero", 2, 6),
        (2, (3, 5, 7, 0), [0x0001, 1, 0x0011, 0], "name 3 is outside the palette of 3", 2, 0),
        (0, (0,), [0x0001, 1, 0], "name 0 is outside the palette of 0", 1, 0),
    ],
)
def test_malformed_streams(width, palette, words, message, offset, beat):
    """Six beats of four lanes."""
    params = Params(width, palette=tuple(np.resize(palette, 16).tolist()))
    with pytest.raises(FormatError, match=message) as error:
        bitmask2.decode(np.array(words, np.uint32), 6, 4, params)
    assert (error.value.offset, error.value.beat) == (offset, beat)


def test_a_beat_alone_takes_nothing_ahead():
    one = np.ones((1, 8), np.uint8)
    assert bitmask2.encode(one, bitmask2.choose(one)).tolist() == [3, 0xFF]
    assert bitmask2.encode(0 * one, bitmask2.choose(0 * one)).tolist() == [0]
