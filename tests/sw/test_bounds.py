# SPDX-License-Identifier: Apache-2.0
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4 import golden
from fantastic4.bounds import Bounds, accumulator_bounds, output_bounds
from fantastic4.randomnet import random_layer


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.booleans(), st.integers(1, 2), st.integers(1, 255))
def test_output_bounds_are_reached_and_not_passed(seed, per_row, planes, top):
    """Against every combination of inputs 0 and ``top``, where a linear function has its ends."""
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, 5, 4, planes=planes, per_row=per_row, extreme=True, logits=True)
    x = np.array(list(product([0, top], repeat=5)), np.uint8)
    z = golden.run_layer(layer, x)
    bounds = output_bounds(layer, top)
    assert bounds.least.tolist() == z.min(axis=0).tolist()
    assert bounds.greatest.tolist() == z.max(axis=0).tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.booleans(), st.integers(1, 2), st.integers(1, 7))
def test_every_partial_sum_is_within_the_accumulator_bounds(seed, per_row, planes, tile):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, 7, 3, planes=planes, per_row=per_row, extreme=True)
    bounds = accumulator_bounds(layer)
    x = rng.choice(np.array([0, 255], np.uint8), (40, 7))
    sums = golden.accumulate(golden.decode(layer.codes), x, tile)
    omega = layer.basis.astype(np.int64)[None, :, :, None, :]
    terms = (sums * omega).sum(axis=4).reshape(len(x), 3, -1)
    partial = layer.bias[None, :, None] + np.cumsum(terms, axis=2)
    assert (partial >= bounds.least[None, :, None]).all()
    assert (partial <= bounds.greatest[None, :, None]).all()


def test_by_hand():
    """One row, codes 1 and 3 with basis 10, -4: the masks count 2 and 1 columns."""
    codes = np.array([[[1, 3, 0]]], np.uint8)
    layer = random_layer(np.random.default_rng(0), 3, 1)
    layer = type(layer)("x", codes, np.array([[[10, -4, 0, 0]]], np.int32), np.array([7]))
    assert accumulator_bounds(layer, 2) == (np.array([7 - 8]), np.array([7 + 40]))
    assert output_bounds(layer, 2) == (np.array([7]), np.array([7 + 2 * 10 + 2 * 6]))


def test_outside():
    bounds = Bounds(np.array([-8, -9, 0, 0]), np.array([7, 0, 8, 0]))
    assert bounds.outside(4).tolist() == [1, 2]
