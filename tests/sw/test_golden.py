# SPDX-License-Identifier: Apache-2.0
"""Golden against the formulas of the design, written out with Python's own integers."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4 import golden
from fantastic4.errors import ModelError
from fantastic4.randomnet import random_layer, random_network

ENDS = [-(1 << 35), (1 << 35) - 1]


@st.composite
def layers(draw):
    """A small layer with inputs for it; every kind of basis, one to three planes."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    columns, rows = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    layer = random_layer(
        rng,
        columns,
        rows,
        planes=draw(st.integers(1, 3)),
        per_row=draw(st.booleans()),
        density=draw(st.sampled_from([0, 0.3, 1])),
        extreme=draw(st.booleans()),
        logits=draw(st.booleans()),
    )
    return layer, rng.choice(np.array([0, 1, 128, 255], np.uint8), (3, columns))


def naive_z(layer, x, row):
    """bias + sum of basis times the activations under each mask, one by one."""
    omega = layer.basis[row if layer.per_row else 0]
    total = int(layer.bias[row])
    for plane in range(layer.planes):
        for i in range(4):
            for column in range(layer.in_features):
                if int(layer.codes[plane, row, column]) >> i & 1:
                    total += int(omega[plane, i]) * int(x[column])
    return total


def naive_post(z, shift, low, high):
    return min(max(floor(Fraction(z, 1 << shift) + Fraction(1, 2)), low), high)


@settings(deadline=None, max_examples=60)
@given(layers(), st.integers(1, 12))
def test_layer(case, tile):
    layer, x = case
    expected = [[naive_z(layer, inputs, r) for r in range(layer.out_features)] for inputs in x]
    z = golden.multiply(
        golden.accumulate(golden.decode(layer.codes), x, tile), layer.basis, layer.bias
    )
    assert z.tolist() == expected
    found = golden.run_layer(layer, x, tile)
    if not layer.logits:
        post = (layer.shift, layer.low, layer.high)
        expected = [[naive_post(value, *post) for value in row] for row in expected]
    assert found.tolist() == expected


@settings(deadline=None, max_examples=60)
@given(layers(), st.integers(1, 12))
def test_sums_of_tiles(case, tile):
    layer, x = case
    sums = golden.accumulate(golden.decode(layer.codes), x, tile)
    tiles = -(-layer.in_features // tile)
    assert sums.shape == (len(x), layer.out_features, layer.planes, tiles, 4)
    for b, r, p, t, i in np.ndindex(*sums.shape):
        part = range(t * tile, min((t + 1) * tile, layer.in_features))
        under_mask = [int(x[b, j]) for j in part if layer.codes[p, r, j] >> i & 1]
        assert sums[b, r, p, t, i] == sum(under_mask)


def test_decode():
    codes = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    masks = golden.decode(codes)
    assert masks.shape == (1, 4, 4, 4)
    assert np.tensordot([1, 2, 4, 8], masks[0], 1).tolist() == codes[0].tolist()


@given(
    st.one_of(st.integers(*ENDS), st.sampled_from([*ENDS, -1, 0, 1])),
    st.integers(0, 35),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted),
)
def test_post(z, shift, clamp):
    expected = naive_post(z, shift, *clamp)
    assert golden.post(np.array([z]), shift, *clamp).tolist() == [expected]


@given(st.integers(1, 20), st.integers(-300, 300), st.integers(-1, 1))
def test_post_rounds_halves_up(shift, whole, beside):
    """On, just below and just above every half, also below zero."""
    z = (whole << shift) + (1 << shift - 1) + beside
    rounded = whole + (beside >= 0)
    if shift == 1 and beside == 1:
        rounded = whole + 1
    assert naive_post(z, shift, 0, 255) == min(max(rounded, 0), 255)
    assert golden.post(np.array([z]), shift, 0, 255)[0] == min(max(rounded, 0), 255)


def test_full_tile_is_exact():
    """The largest sums: 512 columns of 255 under four full masks, several tiles of them."""
    codes = np.full((1, 1, 1537), 15, np.uint8)
    x = np.full((1, 1537), 255, np.uint8)
    sums = golden.accumulate(golden.decode(codes), x)
    assert sums[0, 0, 0].tolist() == [[512 * 255] * 4] * 3 + [[255] * 4]


def test_predict(rng):
    network = random_network(rng, [7, 5, 4])
    x = rng.integers(0, 256, (11, 7), np.uint8)
    told: list[int] = []
    result = golden.predict(network, x, batch=4, progress=told.append)
    hidden = golden.run_layer(network.layers[0], x)
    assert np.array_equal(result.outputs, golden.run_layer(network.layers[1], hidden))
    assert result.best.tolist() == [row.index(max(row)) for row in result.outputs.tolist()]
    assert told == [4, 8, 11]
    nothing = golden.predict(network, x[:0])
    assert nothing.outputs.shape == (0, 4)
    assert nothing.best.shape == (0,)


def test_the_first_of_equals_is_best(rng):
    network = random_network(rng, [3, 6], density=0.0, logits=False)
    outputs = golden.predict(network, np.zeros((1, 3), np.uint8)).outputs
    best = golden.predict(network, np.zeros((1, 3), np.uint8)).best
    assert best[0] == outputs[0].tolist().index(outputs.max())


@pytest.mark.parametrize(
    "x", [np.zeros((2, 3), np.uint8), np.zeros(4, np.uint8), np.zeros((2, 4), np.int64)]
)
def test_wrong_inputs_are_refused(rng, x):
    with pytest.raises(
        ModelError, match=r"inputs must be uint8 of shape \(n, 4\), not .* of shape"
    ):
        golden.predict(random_network(rng, [4, 2]), x)
