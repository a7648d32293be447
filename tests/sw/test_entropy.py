# SPDX-License-Identifier: Apache-2.0
"""The entropy-constrained decision against brute force, and the parts of its cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4.entropy import (
    BITS,
    CODES,
    ORDER,
    code_cost,
    decide,
    entropy,
    information,
    probabilities,
    size_share,
    strength_limit,
)

QUARTERS = (np.arange(-400, 401) / 4).astype(np.float32)


def brute_force(weight, centroids, cost):
    """The code of least cost for each weight; of equals, the one with the fewest bits set."""
    score = (weight.astype(np.float64)[:, None] - centroids) ** 2 + cost
    return ORDER[np.argmin(score[:, ORDER], axis=1)]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(-9, 9), min_size=4, max_size=4),
    st.lists(st.one_of(st.integers(0, 60), st.just(np.inf)), min_size=16, max_size=16),
)
def test_decision_is_the_cheapest_code_ties_included(basis, cost):
    cost = np.array(cost, np.float64)
    cost[0] = min(cost[0], 60)  # small integers and quarters: every cost is exact, so ties are real
    centroids = (BITS @ np.array(basis)).astype(np.float64)
    decision = decide(centroids, cost)
    expected = brute_force(QUARTERS, centroids, cost)
    assert np.array_equal(decision(QUARTERS), expected)
    assert np.array_equal(decision.counts(QUARTERS), np.bincount(expected, minlength=CODES))


def test_decision_of_real_weights(rng):
    weight = rng.normal(size=(40, 50)).astype(np.float32)
    centroids = BITS @ rng.normal(size=4)
    cost = rng.exponential(size=CODES)
    codes = decide(centroids, cost)(weight)
    score = (weight[..., None] - centroids) ** 2 + cost
    chosen = np.take_along_axis(score, codes[..., None].astype(int), axis=2)[..., 0]
    assert codes.dtype == np.uint8
    assert codes.shape == weight.shape
    assert (chosen <= score.min(axis=2) * (1 + 1e-6)).all()


def test_a_tie_goes_to_fewer_bits():
    centroids = (BITS @ np.array([1, 2, 4, -8])).astype(np.float64)
    codes = decide(centroids, np.zeros(CODES))(np.array([0.5, 2.5, 6.5, -0.5], np.float32))
    assert codes.tolist() == [0, 2, 6, 0]  # between 0 and 1, 2 and 3, 6 and 7, -1 and 0


@pytest.mark.parametrize("divisor", [3, 5, 7, 11, 13])
def test_thresholds_are_exact_between_neighbouring_floats(divisor):
    centroids = np.full(CODES, 1 / divisor)
    centroids[0] = 0  # they meet half way, which is no float32: some are rounded up, some down
    middle = np.float32(0.5 / divisor)
    weight = np.array([np.nextafter(middle, np.float32(way)) for way in (0, middle, 1)])
    cost = np.full(CODES, np.inf)
    cost[:2] = 0
    assert decide(centroids, cost)(weight).tolist() == [0, int(float(middle) > 0.5 / divisor), 1]


def test_zero_probability_is_floored_and_the_rest_shrunk():
    counts = np.zeros(CODES)
    counts[[0, 1, 2]] = 20, 60, 20
    assert probabilities(counts)[:3] == pytest.approx([0.5, 0.375, 0.125])
    counts[0] = 320
    assert probabilities(counts)[:3] == pytest.approx([0.8, 0.15, 0.05])


def test_empty_cluster_costs_infinity():
    p = np.zeros(CODES)
    p[[0, 3]] = 0.75, 0.25
    cost = code_cost(2.0, information(p))
    assert cost[3] == 4.0
    assert np.isinf(np.delete(cost, [0, 3])).all()


def test_strength_limit_is_where_an_outermost_cluster_empties(rng):
    weight = rng.normal(size=20000).astype(np.float32)
    centroids = BITS @ (np.array([1, 2, 4, -8]) * np.abs(weight).max() / 8)
    nearest = decide(centroids, np.zeros(CODES))
    p = probabilities(nearest.counts(weight))
    bits = information(p)
    limit = strength_limit(float(weight.min()), float(weight.max()), centroids, bits)
    used = np.flatnonzero(p)
    outer = [used[np.argmin(centroids[used])], used[np.argmax(centroids[used])]]

    def against_zero(strength):
        cost = code_cost(strength, bits)
        alone = np.full((2, CODES), np.inf)
        alone[:, 0] = cost[0]
        alone[[0, 1], outer] = cost[outer]
        counts = [decide(centroids, row).counts(weight) for row in alone]
        return [counts[side][outer[side]] for side in (0, 1)]

    assert min(against_zero(limit * 0.999)) > 0
    assert min(against_zero(limit * 1.001)) == 0


def test_strength_limit_without_clusters_is_zero():
    p = np.zeros(CODES)
    p[0] = 1
    assert strength_limit(-1, 1, np.zeros(CODES), information(p)) == 0


def test_size_share():
    assert size_share(100, 100) == 1
    assert size_share(0, 100) == pytest.approx(0.05 / 1.05)


def test_entropy():
    assert entropy(np.zeros(8, np.uint8)) == 0
    assert entropy(np.arange(16, dtype=np.uint8)) == 4
    assert entropy(np.array([0, 0, 1, 2], np.uint8)) == 1.5
