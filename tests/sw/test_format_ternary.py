# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import ternary
from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params

PARAMS = Params(palette=(0, 1, 2, 3, *[0] * 12))


def some_beats(seed, count, lanes, density=0.5, top=4):
    rng = np.random.default_rng(seed)
    beats = rng.integers(1, top, (count, lanes), np.uint8)
    beats[rng.random(beats.shape) >= density] = 0
    return beats


@given(
    st.integers(0, 2**32),
    st.integers(1, 70),
    st.sampled_from([4, 8]),
    st.sampled_from([0, 0.02, 0.5, 1]),
)
def test_round_trip(seed, count, lanes, density):
    codes = np.random.default_rng(seed).permutation(np.arange(1, 16, dtype=np.uint8))[:3]
    beats = np.append(0, codes)[some_beats(seed, count, lanes, density)].astype(np.uint8)
    params = ternary.choose(beats)
    assert params is not None
    words = ternary.encode(beats, params)
    assert words.shape == (ternary.word_count(beats, params),)
    assert words.dtype == np.uint32
    assert int(words.max()) >> 4 * lanes == 0
    decoded = ternary.decode(words, count, lanes, params)
    assert decoded.dtype == np.uint8
    assert (decoded == beats).all()


def test_the_bits_stay_where_they_are():
    beats = np.array([[1, 2, 3, 0], [0, 0, 0, 1], [2, 2, 2, 2]], np.uint8)
    assert [hex(w) for w in ternary.encode(beats, PARAMS)] == ["0x865", "0xf0"]


def test_choose():
    assert ternary.choose(np.array([[0, 2], [3, 1]], np.uint8)) == PARAMS
    few = ternary.choose(np.array([[9, 4, 15]], np.uint8))
    assert few is not None
    assert few.palette == (0, 4, 9, 15, *[0] * 12)
    assert ternary.choose(np.array([[1, 2, 3, 4]], np.uint8)) is None
    assert ternary.choose(np.zeros((1, 4), np.uint8)) == Params()


def test_malformed_streams():
    words = ternary.encode(some_beats(1, 5, 8, 1), PARAMS)
    with pytest.raises(FormatError, match="truncated: 2 words of 3") as error:
        ternary.decode(words[:2], 5, 8, PARAMS)
    assert (error.value.offset, error.value.beat) == (2, 4)
    with pytest.raises(FormatError, match="1 words too many"):
        ternary.decode(words, 4, 8, PARAMS)
    beats = some_beats(1, 5, 8, 1)
    beats[3] = 1
    beats[3, 5] = 3
    nameless = Params(palette=(0, 1, 2, *[0] * 13))
    beats[:3][beats[:3] == 3] = 1
    with pytest.raises(FormatError, match="name 3 is outside the palette") as error:
        ternary.decode(ternary.encode(beats, PARAMS), 5, 8, nameless)
    assert (error.value.offset, error.value.beat) == (1, 3)
    words[-1] |= 1 << 31
    with pytest.raises(FormatError, match="padding is not zero") as error:
        ternary.decode(words, 5, 8, PARAMS)
    assert (error.value.offset, error.value.beat) == (2, 5)
