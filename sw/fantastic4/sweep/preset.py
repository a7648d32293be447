# SPDX-License-Identifier: Apache-2.0
"""The networks of ``docs/results.md``: what each must reach, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from fantastic4.config import find_config
from fantastic4.data import DataSet
from fantastic4.errors import FantasticError
from fantastic4.sweep.grid import SEEDS, grid, unique
from fantastic4.sweep.plot import FLOAT
from fantastic4.sweep.point import Point, data_digest, training_config


@dataclass(frozen=True)
class Goal:
    """What EC4T must reach.

    Parameters
    ----------
    bits : float
        Stored bits a weight, at most.
    accuracy : float, optional
        Golden accuracy, percent.
    below_float : float, optional
        Without ``accuracy``: points that golden accuracy may be below that in float.
    """

    bits: float
    accuracy: float | None = None
    below_float: float | None = None

    def least(self, in_float: float) -> float:
        """Return the golden accuracy to reach, percent, given that in float."""
        return in_float - (self.below_float or 0.0) if self.accuracy is None else self.accuracy


@dataclass(frozen=True)
class Curve:
    """Networks trained by one method with every γ and number of values.

    ``hidden`` has hidden layers that differ from the task's: of what uniform int4 cannot press, the
    only way to be smaller is to be narrower.
    """

    method: str
    gammas: tuple[float, ...] = (0.0,)
    values: tuple[int, ...] = (15,)
    objective: str = "entropy"
    hidden: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Task:
    """One network: data set, hidden layers, the core it is packed for, goals, curves and seeds."""

    dataset: str
    hidden: tuple[int, ...]
    core: str
    goals: tuple[Goal, ...]
    curves: tuple[Curve, ...]
    float_goal: float | None = None
    seeds: tuple[int, ...] = SEEDS


EC4T = (Curve("ec4t", (0.1, 0.2, 0.3, 0.45, 0.6), (2,)), Curve("ec4t", (0.05, 0.45)))
LARGE = (Curve("ec4t", (0.45, 0.47, 0.5), (2,)),)
"""Of networks that take long to train."""

FRESH = (3, 4, 5)
FRESH_DIGITS = (20, 21, 22)
"""Seeds that nobody had looked at when the settings were decided."""


def int4(*narrower: tuple[int, ...]) -> tuple[Curve, ...]:
    """Return the curve of uniform int4: the task's network, and ones with these hidden layers.

    Some take just a bit more than what EC4T's goals allow, others lie between.
    """
    return Curve("int4"), Curve("int4", hidden=narrower)


def others(gamma: float, relevant: float) -> tuple[Curve, ...]:
    """Return the curves of ternary networks, and of those that spare what is relevant."""
    return Curve("ec2t", (gamma,), (2,)), Curve("ecqx", (relevant,))


RESULTS = (
    Task(
        "digits",
        (64, 32),
        "small",
        (Goal(2.0, below_float=1.0),),
        # One γ more: its goal lies between two of the others.
        (
            *EC4T,
            Curve("ec4t", (0.35,), (2,)),
            *int4((32, 16), (32, 20), (48, 24)),
            *others(0.3, 0.2),
        ),
        97.0,
        FRESH_DIGITS,
    ),
    Task(
        "har",
        (128, 64),
        "small",
        (Goal(1.8, below_float=0.5),),
        (*EC4T, *int4((64, 20), (64, 24), (60, 32), (96, 48)), *others(0.3, 0.2)),
        96.0,
        FRESH,
    ),
    Task(
        "mnist",
        (300, 100),
        "full",
        (Goal(1.0, 98.2), Goal(0.6, 97.8)),
        (*EC4T, *int4((44, 20), (48, 20), (64, 56), (68, 40)), *others(0.3, 0.2)),
        98.4,
    ),
    Task(
        "gsc12",
        (512, 512, 256, 256, 128, 128),
        "full",
        (Goal(1.2, below_float=0.5),),
        (*LARGE, *int4((240, 240, 128, 128, 64, 64)), *others(0.45, 0.45)),
        seeds=FRESH,
    ),
)


def tasks(only: Sequence[str]) -> list[Task]:
    """Return the tasks of the data sets named, or all; raise ``FantasticError`` if one has none."""
    known = [task.dataset for task in RESULTS]
    for name in only:
        if name not in known:
            raise FantasticError(
                f"the preset has no data set {name!r}; choose some of {', '.join(known)}"
            )
    return [task for task in RESULTS if not only or task.dataset in only]


def task_points(
    task: Task, data: DataSet, device: str = "cpu", methods: Sequence[str] = ()
) -> list[Point]:
    """Return the points of ``task``: the baseline in float, and all curves.

    The baseline is trained in float for as many epochs as the others have in all. With ``methods``
    only the curves of these are meant.

    Raises
    ------
    FantasticError
        If the task has no curve of one of ``methods``.
    """
    for method in methods:
        if method not in {curve.method for curve in task.curves}:
            raise FantasticError(f"the preset trains {task.dataset} by no method {method!r}")
    core = find_config(task.core)
    points = [] if methods else baselines(task, data, device)
    for curve in task.curves:
        if not methods or curve.method in methods:
            points += grid(
                data,
                core,
                methods=(curve.method,),
                objectives=(curve.objective,),
                hidden=curve.hidden or (task.hidden,),
                gammas=curve.gammas,
                values=curve.values,
                seeds=task.seeds,
                device=device,
            )
    return unique(points)


def baselines(task: Task, data: DataSet, device: str) -> list[Point]:
    """Return the points in float, one a seed."""
    core, digest = find_config(task.core), data_digest(data)
    points = []
    for seed in task.seeds:
        given = {"hidden": task.hidden, "seed": seed}
        usual = training_config(task.dataset, "ec4t", **given)
        given |= {"float_epochs": usual.float_epochs + usual.epochs, "epochs": 1}
        training = training_config(task.dataset, "ec4t", gamma=0.0, device=device, **given)
        points.append(Point(task.dataset, task.dataset, digest, training, core, FLOAT))
    return points
