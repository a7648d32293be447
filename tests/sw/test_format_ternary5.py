# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import ternary5
from fantastic4.formats.errors import FormatError

PARAMS = ternary5.Params()


def some_beats(seed, count, lanes, density=0.5, top=3):
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
    beats = some_beats(seed, count, lanes, density)
    words = ternary5.encode(beats, PARAMS)
    assert words.shape == (ternary5.word_count(beats, PARAMS),)
    assert words.dtype == np.uint32
    assert int(words.max()) >> 4 * lanes == 0
    decoded = ternary5.decode(words, count, lanes, PARAMS)
    assert decoded.dtype == np.uint8
    assert (decoded == beats).all()


def test_the_bits_stay_where_they_are():
    beats = np.array(
        [[0, 1, 2, 0], [2, 2, 1, 2], [2, 1, 2, 2], [2, 2, 2, 2], [1, 1, 2, 1]], np.uint8
    )
    # t q p: P = 1, Q = 3, T = 1; escape, T = 1, Q = 6; escape, 4 + P, T = 2; both, 4 + T
    data = [0b01_011_001, 0b11_110_001, 0b11_110_111, 0b11_011_101]
    words = np.array(data, np.uint8).view("<u2")
    assert ternary5.encode(beats, PARAMS).tolist() == words.tolist()


def test_every_byte():
    valid = {}
    for byte in range(256):
        words = np.array([byte, 0], np.uint8).view("<u2")
        words = np.append(words, np.uint16(0))
        try:
            beats = ternary5.decode(words, 5, 4, PARAMS)
        except FormatError:
            continue
        assert (ternary5.encode(beats, PARAMS) == words).all()
        valid[beats.tobytes()] = byte
    assert len(valid) == 243


def test_choose():
    assert ternary5.choose(np.array([[0, 2]], np.uint8)) == PARAMS
    assert ternary5.choose(np.array([[0, 3]], np.uint8)) is None


def test_malformed_streams():
    beats = some_beats(1, 13, 8, 1)
    words = ternary5.encode(beats, PARAMS)
    assert len(words) == 6
    with pytest.raises(FormatError, match="truncated: 5 words of 6") as error:
        ternary5.decode(words[:5], 13, 8, PARAMS)
    assert (error.value.offset, error.value.beat) == (5, 12)
    with pytest.raises(FormatError, match="1 words too many") as error:
        ternary5.decode(words, 12, 8, PARAMS)
    assert (error.value.offset, error.value.beat) == (5, 12)
    for change, message, beat in (
        (1 << 16, "padding is not zero", 13),  # in the second half of the last word
        (1 << 6, "padding is not zero", 13),  # the fifth beat
        (0xC3, "byte 0xc3 stands for nothing", 12),
    ):
        bad = ternary5.encode(np.concatenate([beats[:12], np.zeros((1, 8), np.uint8)]), PARAMS)
        bad[-1] |= change
        with pytest.raises(FormatError, match=message) as error:
            ternary5.decode(bad, 13, 8, PARAMS)
        assert (error.value.offset, error.value.beat) == (5, beat)
