# SPDX-License-Identifier: Apache-2.0
"""The points of a grid, and what tells them apart."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4 import data
from fantastic4.config import FULL, SMALL
from fantastic4.errors import FantasticError
from fantastic4.sweep import point as points
from fantastic4.sweep.grid import grid
from fantastic4.sweep.point import data_digest
from fantastic4.train import TrainConfig


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_grid_is_the_product(digits):
    found = grid(
        digits, FULL, hidden=((8,), (9, 9)), gammas=(0.1, 0.2), values=(3, 15), seeds=(0, 5)
    )
    assert [
        (p.training.hidden, p.training.gamma, p.training.values, p.training.seed) for p in found
    ] == [(h, g, v, s) for h in ((8,), (9, 9)) for g in (0.1, 0.2) for v in (3, 15) for s in (0, 5)]
    assert len({p.key for p in found}) == 16
    assert {p.series for p in found} == {"ec4t"}
    assert {p.core for p in found} == {FULL}


def test_defaults_are_those_of_the_data_set(digits):
    (found,) = grid(digits, FULL, seeds=(3,), epochs=2)
    assert found.training == TrainConfig.for_dataset("digits", epochs=2, seed=3)
    assert found.epochs == 2 + found.training.float_epochs


def test_equal_points_are_one(digits):
    found = grid(digits, FULL, gammas=(0.2, 0.1, 0.2), seeds=(0,))
    assert [point.training.gamma for point in found] == [0.2, 0.1]


def test_a_method_decides_some_options_itself(digits):
    varied = {"gammas": (0.1, 0.2), "values": (3, 15), "seeds": (0,)}
    assert len(grid(digits, FULL, methods=("ec4t", "ecqx"), **varied)) == 8
    found = grid(digits, FULL, methods=("int4", "ec2t"), **varied)
    assert [(p.series, p.training.gamma, p.training.values) for p in found] == [
        *[("int4", 0.0, 3), ("int4", 0.0, 15), ("ec2t", 0.1, 2), ("ec2t", 0.2, 2)]
    ]
    assert all(point.training.method == point.series for point in found)


def test_an_objective_is_a_series_of_its_own(digits):
    found = grid(
        digits,
        FULL,
        methods=("ec4t", "int4"),
        objectives=("entropy", "stored"),
        seeds=(0,),
        wide_layers=(1,),
    )
    assert [(p.series, p.training.method, p.training.objective) for p in found] == [
        ("ec4t", "ec4t", "entropy"),
        ("ec4t stored", "ec4t", "stored"),
        ("int4", "int4", "entropy"),
    ]
    assert [p.training.wide_layers for p in found] == [(1,), (1,), ()]


def test_the_key_is_that_of_everything_that_decides_the_record(digits):
    (one,) = grid(digits, FULL, seeds=(0,))
    assert one.key == replace(one).key == replace(one, series="other", source="x.csv").key
    assert len(one.key) == 16
    others = [
        replace(one, dataset="mnist"),
        replace(one, data_digest="0"),
        replace(one, core=SMALL),
        replace(one, core=replace(FULL, formats=("dense",))),
        replace(one, training=replace(one.training, hidden=(9,))),
        replace(one, training=replace(one.training, seed=1)),
        replace(one, training=replace(one.training, batch=65)),
    ]
    assert len({one.key, *(other.key for other in others)}) == 8


@pytest.mark.parametrize("name", ["RECORD_VERSION", "__version__"])
def test_the_key_changes_with_the_program(name, digits, monkeypatch):
    (one,) = grid(digits, FULL, seeds=(0,))
    before = one.key
    monkeypatch.setattr(points, name, 99)
    assert one.key != before


def test_the_digest_is_that_of_data_and_labels(digits):
    before = data_digest(digits)
    assert data_digest(replace(digits, x_test=digits.x_test.copy())) == before
    for part in ("x_train", "y_train", "x_test", "y_test"):
        changed = getattr(digits, part).copy()
        changed.flat[0] = (changed.flat[0] + 1) % 10
        assert data_digest(replace(digits, **{part: changed})) != before
    real = replace(digits, x_train=digits.x_train.astype(np.float32))
    assert data_digest(real) != before
    assert data_digest(replace(digits, normalise="feature")) != before
    assert data_digest(replace(digits, classes=tuple("abcdefghij"))) != before


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"methods": ("ec5t",)}, "method must be one of ec4t, ec2t, ecqx, int4, not 'ec5t'"),
        ({"gammas": (2.0,)}, "gamma must be 0..1"),
        ({"hidden": ((8,) * 16,)}, "hidden must have at most 15 layers"),
    ],
)
def test_what_cannot_be_trained_is_refused(given, text, digits):
    with pytest.raises(FantasticError, match=text):
        grid(digits, FULL, **given)
