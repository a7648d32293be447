# SPDX-License-Identifier: Apache-2.0
"""All points of a sweep, over several processes; what was finished before is not done again."""

import os
from collections import deque
from collections.abc import Iterable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

from fantastic4.sweep.point import Point
from fantastic4.sweep.store import Store
from fantastic4.sweep.worker import Worker, failure


class Watch(Protocol):
    """Told how a sweep goes."""

    def started(self, point: Point) -> None:
        """See ``point`` begin."""
        ...

    def epoch(self, point: Point, done: int) -> None:
        """See ``done`` epochs of a point finished."""
        ...

    def finished(self, point: Point, record: dict[str, Any], earlier: bool) -> None:
        """See the record of a point, perhaps one of an ``earlier`` run."""
        ...


def cores() -> int:
    """Return the processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    points: Sequence[Point], store: Store, jobs: int, data_dir: Path | None, watch: Watch
) -> list[dict[str, Any]]:
    """Return the record of every point, in order, with its ``series``.

    Records of ``store`` are taken as they are, except those of points that failed. However this
    ends, its processes end with it.

    Parameters
    ----------
    points : sequence of Point
    store : Store
        Gets each record as soon as it is there.
    jobs : int
        Most processes.
    data_dir : Path, optional
        Where data sets are.
    watch : Watch
    """
    records: dict[str, dict[str, Any]] = {}
    waiting: deque[Point] = deque()
    for point in {point.key: point for point in points}.values():
        record = store.finished(point.key)
        if record is None:
            waiting.append(point)
        else:
            records[point.key] = record
            watch.finished(point, record, True)
    workers: dict[Any, Worker] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                worker = Worker(store.folder, data_dir)
                workers[worker.connection] = worker
                _give(worker, next_point(waiting, workers.values()), watch)
            for connection in wait(list(workers)):
                worker = workers[connection]
                record = _heard(worker, watch)
                if record is None:
                    continue
                point = worker.point
                assert point is not None
                store.keep(record)
                records[point.key] = record
                watch.finished(point, record, False)
                if waiting and worker.process.is_alive():
                    _give(worker, next_point(waiting, workers.values()), watch)
                else:
                    workers.pop(connection).end()
    finally:
        for worker in workers.values():
            worker.end()
    return [records[point.key] | {"series": point.series} for point in points]


def next_point(waiting: deque[Point], workers: Iterable[Worker]) -> Point:
    """Take a point whose float phase no worker may be at, if there is one: it may find it there."""
    busy = {worker.point.float_key for worker in workers if worker.point}
    point = next((point for point in waiting if point.float_key not in busy), waiting[0])
    waiting.remove(point)
    return point


def _give(worker: Worker, point: Point, watch: Watch) -> None:
    """Have ``worker`` measure ``point``."""
    watch.started(point)
    worker.give(point)


def _heard(worker: Worker, watch: Watch) -> dict[str, Any] | None:
    """Return the record that ``worker`` sent, if it did; of a process that ended, a failure."""
    assert worker.point is not None
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        return failure(
            worker.point,
            f"the process ended with exit code {worker.process.exitcode}; with -9, memory may have "
            "been short: take fewer --jobs",
        )
    if isinstance(message, int):
        watch.epoch(worker.point, message)
        return None
    return message
