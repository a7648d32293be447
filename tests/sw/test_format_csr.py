# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import csr
from fantastic4.formats.errors import FormatError


def some_beats(seed, count, lanes, density, kinds=15):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(1, 16, dtype=np.uint8))[:kinds]
    beats = rng.choice(codes, (count, lanes))
    beats[rng.random(beats.shape) >= density] = 0
    return beats


def all_params(beats, lanes):
    """Every pair of widths that can express ``beats``."""
    best = csr.choose(beats)
    for token in csr.WIDTHS[lanes]:
        for width in range(best.width, csr.MAX_WIDTH + 1):
            if 1 <= token - width <= csr.MAX_GAP:
                yield csr.Params(width, token - width, best.palette)


SHAPES = (
    st.integers(0, 2**32),
    st.integers(1, 120),
    st.sampled_from([4, 8]),
    st.sampled_from([0, 0.004, 0.05, 0.3, 1]),
    st.sampled_from([1, 2, 3, 7, 15]),
)


@given(*SHAPES)
def test_round_trip(seed, count, lanes, density, kinds):
    beats = some_beats(seed, count, lanes, density, kinds)
    best = csr.choose(beats)
    for params in all_params(beats, lanes):
        words = csr.encode(beats, params)
        assert words.dtype == np.uint32
        assert words.shape == (csr.word_count(beats, params),)
        assert int(words.max()) >> 4 * lanes == 0
        decoded = csr.decode(words, count, lanes, params)
        assert decoded.dtype == np.uint8
        assert (decoded == beats).all()
        if params.width == best.width:
            assert csr.word_count(beats, best) <= len(words)


@given(*SHAPES)
def test_truncated_and_extra_words(seed, count, lanes, density, kinds):
    beats = some_beats(seed, count, lanes, density, kinds)
    params = csr.choose(beats)
    words = csr.encode(beats, params)
    with pytest.raises(FormatError, match="truncated") as error:
        csr.decode(words[:-1], count, lanes, params)
    assert error.value.offset == len(words) - 1
    with pytest.raises(FormatError, match="1 words too many") as error:
        csr.decode(np.append(words, np.uint32(0)), count, lanes, params)
    assert (error.value.offset, error.value.beat) == (len(words), count)


@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([4, 8]))
def test_garbage_decodes_or_says_why(seed, count, lanes):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 4 * lanes, 40, np.uint64).astype(np.uint32)
    params = csr.Params(2, csr.WIDTHS[lanes][1] - 2, (1, 2, 3) + (0,) * 13)
    for used in range(40):
        try:
            beats = csr.decode(words[:used], count, lanes, params)
        except FormatError:
            continue
        assert (csr.decode(csr.encode(beats, params), count, lanes, params) == beats).all()


def test_the_bits_stay_where_they_are():
    beats = np.zeros((3, 8), np.uint8)
    beats[0, 2], beats[1, 5], beats[1, 6] = 9, 4, 9
    params = csr.Params(1, 4, (9, 4, *[0] * 14))  # tokens: (2, 0) (10, 1) (0, 0) escape
    assert csr._tokenise(beats, params)[0].tolist() == [2, 10, 0, 15]
    assert csr._tokenise(beats, params)[1].tolist() == [0, 1, 0, 0]
    # planes of six bits, token 0 lowest: gap 0..3, name
    planes = [0b1000, 0b1011, 0b1000, 0b1010, 0b0010]
    word = sum(plane << 6 * index for index, plane in enumerate(planes))
    assert csr.encode(beats, params).tolist() == [word]


def test_choose():
    beats = np.zeros((100, 8), np.uint8)
    assert csr.choose(beats).gap == 8
    beats[50, 3] = 5
    params = csr.choose(beats)
    assert (params.width, params.gap) == (0, 8)
    assert params.palette == (5, *[0] * 15)
    assert csr.choose(some_beats(1, 999, 8, 0.1, 2)).width == 1
    assert csr.choose(some_beats(1, 999, 8, 0.1, 15)).width == 4


@pytest.mark.parametrize(
    ("width", "gap", "message"),
    [(2, 5, "8, 10. bits, not 7"), (5, 5, "not 5, 5"), (4, 0, "not 0, 4"), (1, 9, "not 9, 1")],
)
def test_impossible_parameters(width, gap, message):
    with pytest.raises(ValueError, match=message):
        csr.Params(width, gap, (1,) * 16).slots(8)


def test_a_code_without_a_name():
    with pytest.raises(ValueError, match="code 7 has no name"):
        csr.encode(np.full((1, 8), 7, np.uint8), csr.Params(1, 4, (1, 2, *[0] * 14)))


PARAMS = csr.Params(2, 4, (1, 2, 3, *[0] * 13))  # five tokens a word, the upper two bits unused


def word_of(*tokens):
    """A word of (gap, name)."""
    word = 0
    for slot, (gap, name) in enumerate(tokens):
        planes = [gap >> b & 1 for b in range(4)] + [name >> 1, name & 1]
        word |= sum(bit << plane * 5 + slot for plane, bit in enumerate(planes))
    return word


@pytest.mark.parametrize(
    ("words", "message", "offset", "beat"),
    [
        ([word_of((0, 1), (0, 3), (15, 0))], "outside the palette", 0, 0),
        ([word_of((14, 1), (2, 0))], "behind the last position", 0, 2),
        ([word_of((14, 1), (15, 2))], "name of an escape is not zero", 0, 2),
        ([word_of((14, 1), (0, 0), (0, 1))], "padding is not zero", 0, 2),
        ([word_of((15, 0), (15, 0)) | 1 << 31], "padding is not zero", 0, 1),
        ([word_of((14, 1)), 0, 1 << 30], "2 words too many", 1, 2),
        ([], "truncated", 0, 0),
    ],
)
def test_malformed_streams(words, message, offset, beat):
    with pytest.raises(FormatError, match=message) as error:
        csr.decode(np.array(words, np.uint32), 2, 8, PARAMS)
    assert (error.value.offset, error.value.beat) == (offset, beat)


def test_a_full_queue_is_computed_like_one_that_is_followed_item_by_item():
    for seed in range(30):
        density = [0.05, 0.1, 0.3][seed % 3]
        beats = some_beats(seed, 400, 8, density, 3)
        beats[100:200:7] = 0
        beats[250:280] = 1
        params = csr.choose(beats)
        assert csr.ready_times(beats, params).tolist() == followed(beats, params)


def followed(beats, params):
    """``ready_times``, operation by operation."""
    tokens, _ = csr._tokenise(beats, params)
    count, lanes = beats.shape
    at, clock, leaves, times, items = 0, csr.FIRST_TOKEN - 1, [], [], 0
    beat = 0
    for index in range(len(tokens) + 1):
        clock += 1
        if items >= csr.QUEUE:
            clock = max(clock, leaves[items - csr.QUEUE] + 1)
        if index == len(tokens):
            reached = count
        else:
            gap = int(tokens[index])
            at += gap
            reached = min(at // lanes, count - 1)
            at += gap != params.escape
        if reached > beat:
            leaves.append(max(clock + 1, times[-1] if times else 0))
            times += range(leaves[-1] + 1, leaves[-1] + 1 + reached - beat)
            items += 1
            beat = reached
    return times
