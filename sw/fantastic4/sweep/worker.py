# SPDX-License-Identifier: Apache-2.0
"""A process that measures points, one after the other, on one thread."""

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fantastic4.errors import FantasticError

if TYPE_CHECKING:
    from fantastic4.sweep.point import Point
    from fantastic4.train import TrainConfig

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """The process, seen from the one that started it.

    Messages come through ``connection``: an int for the epochs done of a point, then its record.
    The end of the connection is the end of the process.

    Parameters
    ----------
    folder : Path
        Of the sweep.
    data_dir : Path, optional
        Where data sets are.
    """

    def __init__(self, folder: Path, data_dir: Path | None) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, folder, data_dir), name="sweep", daemon=True
        )
        with _interrupts_ignored():
            self.process.start()
        theirs.close()
        self.point: Point | None = None

    def give(self, point: "Point") -> None:
        """Have a point measured."""
        self.point = point
        self.connection.send(point)

    def end(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.connection.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes meanwhile that Ctrl-C does not reach: the one that started them ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(connection: Connection, folder: Path, data_dir: Path | None) -> None:
    """Measure what comes through ``connection`` until its other end is closed."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    from fantastic4.sweep.store import Store

    store = Store(folder)
    try:
        while True:
            point = connection.recv()
            connection.send(attempt(point, store, data_dir, Epochs(connection, point.training)))
    except (EOFError, OSError):
        return


class Epochs:
    """Tells the other end of ``connection`` how many epochs are done, earlier ones included."""

    def __init__(self, connection: Connection, training: "TrainConfig") -> None:
        self.connection, self.training = connection, training

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Count nothing: epochs are short."""

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Count an epoch."""
        self.connection.send(self.training.epochs_before(phase) + epoch)


def attempt(point: "Point", store: Any, data_dir: Path | None, progress: Epochs) -> dict[str, Any]:
    """Return the record of ``point``; of one that fails, its error."""
    from fantastic4 import data
    from fantastic4.sweep.record import measure

    try:
        loaded = data.load(point.source, data_dir)
        model, float_end = store.model_path(point.key), store.float_path(point.float_key)
        return measure(point, loaded, model, progress, float_end)
    except FantasticError as error:
        return failure(point, str(error))
    except Exception as error:  # a fault of ours shall not stop the other points
        return failure(point, f"{type(error).__name__}: {error}", traceback.format_exc())


def failure(point: "Point", error: str, trace: str | None = None) -> dict[str, Any]:
    """Return the record of a point that failed."""
    record = {"key": point.key, "dataset": point.dataset, "config": point.core.name}
    record |= {"training": point.training.plain(), "error": error}
    return record if trace is None else record | {"traceback": trace}
