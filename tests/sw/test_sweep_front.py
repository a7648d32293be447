# SPDX-License-Identifier: Apache-2.0
"""The Pareto front, and means over seeds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4.sweep.front import front, means

POINT = st.tuples(st.integers(0, 8), st.integers(0, 8))  # few values, for many equal ones


def as_good(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether ``one`` (size, accuracy) is at most as large and at least as right."""
    return one[0] <= other[0] and one[1] >= other[1]


@settings(deadline=None)
@given(st.lists(POINT, max_size=30))
def test_front(points):
    found = front([size for size, _ in points], [accuracy for _, accuracy in points])
    chosen = [points[index] for index in found]
    assert chosen == sorted(set(chosen))
    assert [accuracy for _, accuracy in chosen] == sorted({accuracy for _, accuracy in chosen})
    for index, point in enumerate(points):
        if index not in found:
            assert any(as_good(best, point) for best in chosen)
        else:
            assert not any(as_good(other, point) for other in points if other != point)
            assert points.index(point) == index


def record(bits: float, golden: float, seed: int = 0, **changed) -> dict:
    """Return a record with what means are made of."""
    given = {"series": "ec4t", "network": [64, 10], "gamma": 0.1} | changed
    return {
        "series": given["series"],
        "dataset": "digits",
        "network": given["network"],
        "config": "full",
        "accuracy": dict.fromkeys(("float", "quantised", "validation"), 0.5) | {"golden": golden},
        "training": {"gamma": given["gamma"], "values": 15, "seed": seed},
        "weights": 640,
        "bits_per_weight": bits,
        **dict.fromkeys(("agreement", "entropy", "density", "cycles"), 1.0),
        **dict.fromkeys(("utilisation", "model_bytes", "seconds"), 1),
    }


def test_means_are_those_of_seeds():
    rows = means([record(2.0, 0.9), record(1.0, 0.7, gamma=0.2), record(3.0, 0.8, seed=4)])
    assert [row["seeds"] for row in rows] == [[0, 4], [0]]
    assert rows[0]["golden"] == pytest.approx({"mean": 0.85, "low": 0.8, "high": 0.9})
    assert rows[0]["bits_per_weight"] == {"mean": 2.5, "low": 2.0, "high": 3.0}
    assert (rows[0]["gamma"], rows[1]["gamma"]) == (0.1, 0.2)


def test_every_series_and_network_has_a_front_of_its_own():
    rows = means(
        [
            record(2.0, 0.9),
            record(3.0, 0.8, gamma=0.2),
            record(4.0, 0.7, series="int4"),
            record(5.0, 0.6, network=[64, 8, 10], gamma=0.3),
        ]
    )
    assert [row["on_front"] for row in rows] == [True, False, True, True]


def test_failed_points_have_no_mean():
    failed = {"series": "ec4t", "training": {"seed": 1}, "error": "too wide"}
    assert len(means([failed, record(1.0, 0.5)])) == 1
    assert means([failed]) == []
