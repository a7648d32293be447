# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.bias import BiasWords, decode, encode, rounded, word_count

MANTISSAS = st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=1, max_size=9)
WIDE = st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=1, max_size=9)


def words(*values):
    return np.array(values, "<u4")


def test_order_of_the_halves():
    stored = encode(np.array([1, -2, 3]))
    assert stored.words.tolist() == [0xFFFE0001, 0x00000003]
    assert (stored.narrow, stored.shift) == (True, 0)
    stored = encode(np.array([32767, -32768, 5]) << 4)
    assert stored.words.tolist() == [0x80007FFF, 0x00000005]
    assert (stored.narrow, stored.shift) == (True, 4)


@given(MANTISSAS, st.integers(0, 15))
def test_mantissas_are_narrow(mantissas, shift):
    bias = np.array(mantissas) << shift
    stored = encode(bias)
    assert stored.narrow
    assert stored.shift <= shift
    assert len(stored.words) == word_count(len(bias), narrow=True) == (len(bias) + 1) // 2
    back = decode(stored, len(bias))
    assert back.dtype == np.int64
    assert back.tolist() == bias.tolist() == rounded(bias).tolist()
    if stored.shift:  # one less, and a mantissa would not fit
        mantissas = bias >> stored.shift - 1
        assert mantissas.max() > 32767 or mantissas.min() < -32768


@given(WIDE)
def test_any_biases_come_back(values):
    bias = np.array(values)
    stored = encode(bias)
    assert decode(stored, len(bias)).tolist() == values
    if not stored.narrow:
        assert stored.shift == 0
        assert len(stored.words) == word_count(len(bias), narrow=False) == len(bias)
        assert any((rounded(bias, shift) != bias).any() for shift in range(16)) or (
            bias.max() >= 32767 << 15 or bias.min() < -(32768 << 15)
        )


@pytest.mark.parametrize(
    ("values", "shift"),
    [
        ([0], 0),
        ([-32768], 0),
        ([32768], 1),
        ([32769], None),
        ([32767 << 15, -32768 << 15], 15),
        ([1 << 30], None),
        ([-32769 << 15], None),
        ([1 << 29, 1 << 15], 15),
        ([1 << 29, 1 << 14], None),
    ],
)
def test_what_is_narrow(values, shift):
    stored = encode(np.array(values))
    assert (stored.narrow, stored.shift) == (shift is not None, shift or 0)


@given(WIDE, st.integers(0, 15))
def test_rounded_is_narrow_and_near(values, max_shift):
    bias = np.array(values)
    near = rounded(bias, max_shift)
    if (near != bias).any():
        stored = encode(near)
        assert stored.narrow
        assert stored.shift <= max_shift
        assert np.abs(near - bias).max() <= 1 << stored.shift >> 1
    # what does not fit even at the largest shift, rounded, is left alone; all else is narrow
    fits = (bias + (1 << max_shift >> 1)) >> max_shift
    if fits.min() >= -32768 and fits.max() <= 32767:
        assert encode(near).narrow
    else:
        assert (near == bias).all()


def test_a_mantissa_that_rounds_up_takes_a_larger_shift():
    assert rounded(np.array([65535, 3])).tolist() == [65536, 4]
    assert rounded(np.array([-65537, 3])).tolist() == [-65536, 4]
    assert rounded(np.array([(1 << 30) - 1])).tolist() == [(1 << 30) - 1]
    assert rounded(np.array([65535]), max_shift=-3).tolist() == [65535]


@pytest.mark.parametrize(
    ("stored", "rows", "message"),
    [
        (
            BiasWords(words(5, 0x70000), True, 0),
            3,
            "last bias word must be 0, not 0x0007",
        ),
        (BiasWords(words(5, 0xFFFF0000), True, 9), 3, "half of the last bias word .* not 0xffff"),
        (BiasWords(words(5), True, 0), 3, "3 biases must take 2 words, not 1"),
        (BiasWords(words(5, 6), False, 0), 3, "3 biases must take 3 words, not 2"),
        (BiasWords(words(5, 6), False, 3), 2, "bias_shift must be 0 where bias_narrow is, not 3"),
    ],
)
def test_what_is_malformed(stored, rows, message):
    with pytest.raises(ValueError, match=message):
        decode(stored, rows)
