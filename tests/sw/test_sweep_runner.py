# SPDX-License-Identifier: Apache-2.0
"""Points over several processes: records, resumption, failures."""

import multiprocessing
import os
import signal
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fantastic4 import cost, data, golden, modelfile
from fantastic4.config import SMALL, TINY
from fantastic4.errors import FantasticError
from fantastic4.pack import pack, read_image
from fantastic4.sweep.grid import grid
from fantastic4.sweep.point import Point
from fantastic4.sweep.record import measure
from fantastic4.sweep.runner import cores, next_point, run
from fantastic4.sweep.store import Store
from fantastic4.sweep.worker import Epochs, Worker, attempt, serve

QUICK: dict[str, Any] = {"hidden": ((8,),), "gammas": (0.1,), "epochs": 2, "float_epochs": 1}


class Seen:
    """Notes what a sweep tells, and sends the process of the point ``victim`` a signal."""

    def __init__(self, victim: Point | None = None, number: int = 0) -> None:
        self.begun: list[Point] = []
        self.epochs: list[tuple[Point, int]] = []
        self.ended: list[tuple[Point, bool]] = []
        self.victim, self.number = victim, number

    def started(self, point: Point) -> None:
        self.begun.append(point)

    def epoch(self, point: Point, done: int) -> None:
        self.epochs.append((point, done))
        if point == self.victim:
            (process,) = multiprocessing.active_children()
            assert process.pid is not None
            os.kill(process.pid, self.number)

    def finished(self, point: Point, record: dict[str, Any], earlier: bool) -> None:
        self.ended.append((point, earlier))


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is the same whenever a point is measured."""
    return {k: v for k, v in record.items() if k not in ("seconds", "series", "model", "platform")}


def test_a_record_is_that_of_its_model(digits, tmp_path):
    (point,) = grid(digits, SMALL, seeds=(0,), **QUICK)
    record = measure(point, digits, tmp_path / "x.safetensors")
    network = modelfile.load(tmp_path / "x.safetensors")
    image = read_image(pack(network, SMALL), SMALL)
    stored = cost.storage(image)
    right = golden.predict(network, network.quant(digits.x_test)).best == digits.y_test
    metadata = network.metadata["accuracy"]
    assert record["accuracy"] == {**metadata, "golden": right.mean()}
    assert record["agreement"] >= 0.99
    assert record["bits_per_weight"] == cost.bits_per_weight(stored)
    assert record["entropy"] == cost.network_entropy(network)
    nonzero = sum((layer.codes != 0).sum() for layer in network.layers)
    assert record["density"] == pytest.approx(nonzero / network.weights)
    assert record["network"] == [64, 8, 10]
    assert record["weights"] == 64 * 8 + 8 * 10
    assert [layer["format"] for layer in record["layers"]] == [layer.format for layer in stored]
    timing = cost.timing(image, SMALL)
    assert (record["cycles"], record["utilisation"]) == (timing.cycles, timing.utilisation)
    assert record["training"]["hidden"] == [8]
    assert record["platform"]["device"] == "cpu"
    assert record["key"] == point.key


class Stops:
    """Notes epochs, and stops the run behind one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.done = last, 0

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        pass

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        self.done += 1
        if self.done == self.last:
            raise KeyboardInterrupt


def test_a_point_goes_on_behind_its_last_epoch(digits, tmp_path):
    (point,) = grid(digits, SMALL, seeds=(0,), **QUICK)
    stops, rest = Stops(2), Stops()
    with pytest.raises(KeyboardInterrupt):
        measure(point, digits, tmp_path / "x.safetensors", stops)
    stopped = measure(point, digits, tmp_path / "x.safetensors", rest)
    assert rest.done < 3
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
    (tmp_path / "through").mkdir()
    assert lasting(stopped) == lasting(measure(point, digits, tmp_path / "through/x.safetensors"))


def test_a_sweep_goes_on_where_it_was(digits, tmp_path):
    points = grid(digits, SMALL, seeds=(0, 1, 2), **QUICK)
    store = Store(tmp_path)
    store.keep(measure(points[1], digits, store.model_path(points[1].key)))
    written = store.record_path(points[1].key).stat().st_mtime_ns

    seen = Seen(points[0], signal.SIGINT)  # is for the process that started it
    records = run(points, store, 1, None, seen)
    assert seen.begun == [points[0], points[2]]
    assert seen.epochs == [(point, done) for point in seen.begun for done in (1, 2, 3)]
    assert seen.ended == [(points[1], True), (points[0], False), (points[2], False)]
    assert store.record_path(points[1].key).stat().st_mtime_ns == written
    assert [record["key"] for record in records] == [point.key for point in points]
    assert [record["training"]["seed"] for record in records] == [0, 1, 2]
    assert multiprocessing.active_children() == []
    for point, record in zip(points, records, strict=True):
        kept = store.finished(point.key)
        assert kept is not None
        assert record == kept | {"series": "ec4t"}
    again = measure(points[2], digits, tmp_path / "again.safetensors")
    assert lasting(again) == lasting(records[2])


def test_a_float_phase_is_trained_once(digits, tmp_path):
    options: dict[str, Any] = {**QUICK, "gammas": (0.1, 0.3)}
    points = grid(digits, SMALL, seeds=(0, 1), **options)
    seen = Seen()
    records = run(points, Store(tmp_path), 1, None, seen)
    done = {point: [d for p, d in seen.epochs if p == point] for point in points}
    assert [done[point] for point in points] == [[1, 2, 3], [1, 2, 3], [2, 3], [2, 3]]
    assert len(list((tmp_path / "float").iterdir())) == 2
    for point, record in zip(points, records, strict=True):
        alone = measure(point, digits, tmp_path / "alone.safetensors")
        assert lasting(alone) == lasting(record)


def test_a_worker_takes_another_float_phase_than_the_others(digits):
    options: dict[str, Any] = {**QUICK, "gammas": (0.1, 0.3)}
    first, other, same, last = grid(digits, SMALL, seeds=(0, 1), **options)
    assert first.float_key == same.float_key != other.float_key == last.float_key
    worker = Worker.__new__(Worker)
    worker.point = first
    waiting = deque([same, other, last])
    assert next_point(waiting, [worker]) == other
    assert next_point(waiting, [worker]) == last
    assert next_point(waiting, [worker]) == same
    assert not waiting


def test_failures_stop_nothing_and_are_not_finished(digits, tmp_path):
    fits, ends = grid(digits, TINY, seeds=(0, 1), **QUICK)
    wide = replace(fits, training=replace(fits.training, hidden=(200,)))
    store = Store(tmp_path)
    seen = Seen(ends, signal.SIGKILL)
    records = run([wide, ends, fits], store, 1, None, seen)
    assert records[0]["error"].startswith("config tiny holds 32 hidden chunks")
    assert "traceback" not in records[0]
    assert records[1]["error"].startswith("the process ended with exit code -9")
    assert "error" not in records[2]
    assert records[2]["accuracy"]["golden"] > 0.1
    assert [store.finished(point.key) for point in (wide, ends)] == [None, None]
    assert len(list(store.points.glob("*.json"))) == 3


def test_a_fault_of_ours_is_a_failure_with_its_traceback(digits, tmp_path, monkeypatch):
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("fantastic4.sweep.record.measure", fail)
    (point,) = grid(digits, SMALL, seeds=(0,), **QUICK)
    ours, _ = multiprocessing.Pipe()
    record = attempt(point, Store(tmp_path), None, Epochs(ours, point.training))
    assert record["error"] == "ZeroDivisionError: by nothing"
    assert "in fail" in record["traceback"]
    assert (record["key"], record["training"]["hidden"]) == (point.key, [8])


def test_data_are_loaded_from_their_source(digits, tmp_path, monkeypatch):
    def load(name: str, folder: Path) -> None:
        raise FantasticError(f"{name} of {folder}")

    monkeypatch.setattr(data, "load", load)
    ours, _ = multiprocessing.Pipe()
    for source, expected in ((None, "digits"), ("a/digits.csv", "a/digits.csv")):
        (point,) = grid(digits, SMALL, source=source, seeds=(0,), **QUICK)
        progress = Epochs(ours, point.training)
        record = attempt(point, Store(tmp_path), Path("data"), progress)
        assert (record["error"], record["dataset"]) == (f"{expected} of data", "digits")


def test_a_worker_ends_with_the_process_that_started_it(digits, tmp_path):
    (point,) = grid(digits, SMALL, seeds=(0,), **QUICK)
    ours, theirs = multiprocessing.Pipe()
    ours.send(point)
    ours.close()
    serve(theirs, tmp_path, None)  # returns: its first epoch finds nobody to tell
    assert not Store(tmp_path).model_path(point.key).exists()


def test_points_with_one_key_are_one(digits, tmp_path):
    (point,) = grid(digits, SMALL, seeds=(0,), **QUICK)
    store = Store(tmp_path)
    store.keep({"key": point.key})
    store.model_path(point.key).touch()
    seen = Seen()
    records = run([point, replace(point, series="other")], store, 1, None, seen)
    assert len(seen.ended) == 1
    assert [record["series"] for record in records] == ["ec4t", "other"]


def test_cores():
    assert 1 <= cores() <= multiprocessing.cpu_count()
