# SPDX-License-Identifier: Apache-2.0
"""The points of a grid: the product of what is varied."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from fantastic4.config import CoreConfig
from fantastic4.data import DataSet
from fantastic4.sweep.point import Point, data_digest, training_config

SEEDS = (0, 1, 2)


def grid(
    data: DataSet,
    core: CoreConfig,
    *,
    source: str | None = None,
    methods: Sequence[str] = ("ec4t",),
    objectives: Sequence[str] = ("entropy",),
    hidden: Sequence[tuple[int, ...] | None] = (None,),
    gammas: Sequence[float | None] = (None,),
    values: Sequence[int | None] = (None,),
    seeds: Sequence[int] = SEEDS,
    **given: Any,
) -> list[Point]:
    """Return the product of what is varied, seeds last; equal points once.

    Parameters
    ----------
    source : str, optional
        What loads ``data``, if not its name.
    objectives : sequence of str
        Of the entropy term; with another than "entropy" a method is a series of its own.
    hidden, gammas, values : sequence
        None is the default of the data set.
    given
        Options of `TrainConfig` that all points share; None is the default.

    Raises
    ------
    FantasticError
        If an option is out of its range.
    """
    digest = data_digest(data)
    points = []
    series = product(methods, objectives)
    for (method, objective), *options in product(series, hidden, gammas, values, seeds):
        varied = dict(zip(("hidden", "gamma", "values", "seed"), options, strict=True))
        training = training_config(data.name, method, objective=objective, **given, **varied)
        name = method if training.objective == "entropy" else f"{method} {training.objective}"
        points.append(Point(data.name, source or data.name, digest, training, core, name))
    return unique(points)


def unique(points: Iterable[Point]) -> list[Point]:
    """Return the first of all points that are equal, in order."""
    return list(dict.fromkeys(points))
