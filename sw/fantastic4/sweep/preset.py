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
    """Networks trained by one method with every γ and number of values."""

    method: str
    gammas: tuple[float, ...] = (0.0,)
    values: tuple[int, ...] = (15,)
    objective: str = "entropy"


@dataclass(frozen=True)
class Task:
    """One network: data set, hidden layers, the core it is packed for, goals and curves."""

    dataset: str
    hidden: tuple[int, ...]
    core: str
    goals: tuple[Goal, ...]
    curves: tuple[Curve, ...]
    float_goal: float | None = None


CURVES = (
    Curve("ec4t", (0.1, 0.2, 0.3, 0.45, 0.6), (2,)),
    Curve("ec4t", (0.05, 0.45)),
    Curve("ec2t", (0.3,), (2,)),
    Curve("ecqx", (0.2,)),
    Curve("int4"),
)
LARGE = (
    Curve("ec4t", (0.3, 0.45, 0.6), (2,)),
    Curve("ec4t", (0.1, 0.45)),
    Curve("ec2t", (0.45,), (2,)),
    Curve("ecqx", (0.45,)),
    Curve("int4"),
)
"""Of networks that take long to train."""

RESULTS = (
    Task("digits", (64, 32), "small", (Goal(2.0, below_float=1.0),), CURVES, 97.0),
    Task("har", (128, 64), "small", (Goal(1.8, below_float=0.5),), CURVES, 96.0),
    Task("mnist", (300, 100), "full", (Goal(1.0, 98.2), Goal(0.6, 97.8)), CURVES, 98.4),
    Task("gsc12", (512, 512, 256, 256, 128, 128), "full", (Goal(1.2, below_float=0.5),), LARGE),
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


def task_points(task: Task, data: DataSet, device: str = "cpu") -> list[Point]:
    """Return the points of ``task``: the baseline in float, and all curves.

    The baseline is trained in float for as many epochs as the others have in all.
    """
    core, digest = find_config(task.core), data_digest(data)
    points = []
    for seed in SEEDS:
        usual = training_config(task.dataset, "ec4t", hidden=task.hidden, seed=seed)
        epochs = {"float_epochs": usual.float_epochs + usual.epochs, "epochs": 1}
        baseline = training_config(
            task.dataset, "ec4t", hidden=task.hidden, seed=seed, gamma=0.0, device=device, **epochs
        )
        points.append(Point(task.dataset, task.dataset, digest, baseline, core, FLOAT))
    for curve in task.curves:
        points += grid(
            data,
            core,
            methods=(curve.method,),
            objectives=(curve.objective,),
            hidden=(task.hidden,),
            gammas=curve.gammas,
            values=curve.values,
            seeds=SEEDS,
            device=device,
        )
    return unique(points)
