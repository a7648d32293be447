# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.config import CoreConfig
from fantastic4.errors import ImageError
from fantastic4.formats import FORMATS, dense
from fantastic4.formats.beats import beat_count, from_beats, row_of, to_beats
from fantastic4.formats.errors import FormatError
from fantastic4.formats.params import Params
from fantastic4.layout import Format

SIZES = st.tuples(
    *[st.integers(1, 4)] * 3, st.integers(1, 3), st.integers(1, 9), st.integers(1, 19)
)


def core(lanes, banks, engines):
    return CoreConfig(
        *("x", lanes * banks, engines, 64, 64, 64, 64, 64, 1), lanes, formats=("dense",)
    )


@given(SIZES, st.integers(0, 1 << 32))
def test_codes_are_dealt_and_collected(sizes, seed):
    lanes, banks, engines, planes, rows, columns = sizes
    cfg = core(lanes, banks, engines)
    shape = (planes, rows, columns)
    codes = np.random.default_rng(seed).integers(0, 16, shape, np.uint8)
    beats = to_beats(codes, cfg)
    assert beats.shape == (engines * banks, beat_count(shape, cfg), lanes)
    assert np.array_equal(from_beats(beats, shape, cfg), codes)
    assert beats.sum() == codes.sum(), "what pads is zero"


def test_order_of_beats():
    """Row group, then plane, then chunk; row r belongs to engine r mod engines."""
    codes = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[10, 0, 0], [11, 0, 0], [12, 0, 0]]])
    beats = to_beats(codes.astype(np.uint8), core(2, 1, 2))
    assert beats[0].tolist() == [
        *([1, 2], [3, 0], [10, 0], [0, 0]),
        *([7, 8], [9, 0], [12, 0], [0, 0]),
    ]
    assert beats[1].tolist() == [
        *([4, 5], [6, 0], [11, 0], [0, 0]),
        *([0, 0], [0, 0], [0, 0], [0, 0]),
    ]


def test_order_of_banks():
    """Bank b of engine e is number e * banks + b and has the lanes from b * bank_lanes on."""
    codes = np.arange(1, 9, dtype=np.uint8).reshape(1, 2, 4)
    beats = to_beats(codes, core(2, 2, 2))
    assert beats.tolist() == [[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]


@given(SIZES, st.data())
def test_row_of_a_beat(sizes, draw):
    lanes, banks, engines, planes, rows, columns = sizes
    cfg = core(lanes, banks, engines)
    shape = (planes, rows, columns)
    row = draw.draw(st.integers(0, rows - 1))
    codes = np.zeros(shape, np.uint8)
    codes[:, row] = 1
    for bank, beat, _ in np.argwhere(to_beats(codes, cfg)):
        assert row_of(int(beat), int(bank), shape, cfg) == row


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 1 << 32))
def test_dense_round_trip(lanes, count, seed):
    beats = np.random.default_rng(seed).integers(0, 16, (count, lanes), np.uint8)
    words = dense.encode(beats, Params())
    assert words.shape == (dense.word_count(beats, Params()),) == (count,)
    assert words.dtype == np.uint32
    assert np.array_equal(dense.decode(words, count, lanes, Params()), beats)


def test_dense_bits():
    words = dense.encode(np.array([[1, 2, 3, 4, 5, 6, 7, 8]], np.uint8), Params())
    assert words.tolist() == [0x87654321]
    assert FORMATS[Format.DENSE] is dense


@given(st.sampled_from(list(Format)), st.integers(1, 30), st.floats(0, 1), st.integers(0, 1 << 32))
def test_a_layer_ends_where_its_words_do(kind, count, density, seed):
    """``extent`` finds the end of a layer in a stream that goes on, for every format."""
    rng = np.random.default_rng(seed)
    module = FORMATS[kind]
    beats = rng.integers(1, 3, (count, 8), np.uint8)
    beats[rng.random(beats.shape) >= density] = 0
    params = module.choose(beats)
    words = module.encode(beats, params)
    assert len(words) == module.word_count(beats, params)
    more = np.concatenate([words, rng.integers(0, 1 << 32, 9, np.uint32)])
    assert module.extent(more, count, 8, params) == len(words)


def test_malformed_dense_streams():
    words = np.arange(3, dtype=np.uint32)
    with pytest.raises(FormatError, match="truncated: 3 words of 4") as error:
        dense.decode(words, 4, 8, Params())
    assert (error.value.offset, error.value.beat) == (3, 3)
    with pytest.raises(FormatError, match="1 words too many") as error:
        dense.decode(words, 2, 8, Params())
    assert (error.value.offset, error.value.beat) == (2, 2)
    assert isinstance(error.value, ImageError)
    assert str(error.value) == "1 words too many (at word 2, beat 2)"


def test_names_in_use():
    assert Params(2, palette=(3, 1, 0, 0) * 4).names == 2
    assert Params(2, palette=(3, 1, 2, 4) * 4).names == 4
    assert Params(0, palette=(7,) * 16).names == 1
    assert Params(0).names == 0
