# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.formats import ENCODERS, dense
from fantastic4.formats.beats import beat_count, from_beats, to_beats
from fantastic4.layout import Format

SIZES = st.tuples(*[st.integers(1, 9)] * 2, st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


@given(SIZES, st.integers(0, 1 << 32))
def test_codes_are_dealt_and_collected(sizes, seed):
    lanes, engines, planes, rows, columns = sizes
    codes = np.random.default_rng(seed).integers(0, 16, (planes, rows, columns), np.uint8)
    beats = to_beats(codes, lanes, engines)
    assert beats.shape == (engines, beat_count(planes, rows, columns, lanes, engines), lanes)
    assert np.array_equal(from_beats(beats, planes, rows, columns), codes)
    assert beats.sum() == codes.sum(), "what pads is zero"


def test_order_of_beats():
    """Row group, then plane, then chunk; row r belongs to engine r mod engines."""
    codes = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[10, 0, 0], [11, 0, 0], [12, 0, 0]]])
    beats = to_beats(codes.astype(np.uint8), lanes=2, engines=2)
    assert beats[0].tolist() == [
        *([1, 2], [3, 0], [10, 0], [0, 0]),
        *([7, 8], [9, 0], [12, 0], [0, 0]),
    ]
    assert beats[1].tolist() == [
        *([4, 5], [6, 0], [11, 0], [0, 0]),
        *([0, 0], [0, 0], [0, 0], [0, 0]),
    ]


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 1 << 32))
def test_dense_round_trip(lanes, count, seed):
    beats = np.random.default_rng(seed).integers(0, 16, (count, lanes), np.uint8)
    words = dense.encode(beats)
    assert words.shape == (dense.word_count(count), -(-lanes // 8))
    assert words.dtype == np.uint32
    assert np.array_equal(dense.decode(words, lanes), beats)


def test_dense_bits():
    words = dense.encode(np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9]], np.uint8))
    assert words.tolist() == [[0x87654321, 0x00000009]]
    assert ENCODERS[Format.DENSE] is dense
