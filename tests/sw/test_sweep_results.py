# SPDX-License-Identifier: Apache-2.0
"""The preset, and the tables of ``docs/results.md``."""

from pathlib import Path
from typing import Any

import pytest

from fantastic4 import data
from fantastic4.cli.formats import renewed
from fantastic4.config import CONFIGS
from fantastic4.errors import FantasticError
from fantastic4.sweep import results
from fantastic4.sweep.preset import RESULTS, Goal, Task, task_points, tasks
from fantastic4.train import TrainConfig

DOCS = Path(__file__).parents[2] / "docs"
TASK = Task("digits", (8,), "tiny", (Goal(2.0, below_float=1.0),), ())


def row(
    series: str, golden: float, validation: float, bits: float, hidden: int = 8
) -> dict[str, Any]:
    """Return a mean over seeds, of a network with so wide a hidden layer."""
    of = {"golden": golden, "validation": validation, "bits_per_weight": bits, "float": 0.97}
    of |= dict.fromkeys(("agreement", "entropy", "density", "cycles"), 1.0)
    figures = {name: {"mean": x, "low": x, "high": x} for name, x in of.items()}
    row: dict[str, Any] = {"series": series, "gamma": 0.1, "values": 3, "on_front": True}
    return row | {"network": [64, hidden, 10], "weights": 74 * hidden} | figures


def network(*rows: dict[str, Any]) -> dict[str, Any]:
    """Return what results.json has on a network whose baseline has 97 %."""
    return {"network": [64, 8, 10], "rows": [row("float", 0.5, 1.0, 0.1), *rows]}


def test_the_best_is_chosen_by_validation_within_the_bits():
    found = network(
        row("ec4t", 0.99, 0.95, 1.9),  # the test split decides nothing
        row("ec4t", 0.96, 0.97, 2.0),
        row("ec4t", 0.98, 0.99, 2.1),
        row("int4", 0.98, 0.99, 1.0),
    )
    got = results.goal_row(TASK, found, TASK.goals[0])
    assert got["golden %"] == 96
    assert (got["bits a weight"], got["γ"], got["values"]) == (2.0, 0.1, 3)
    assert (got["float %"], got["to reach %"], got["met"]) == (97, 96, "yes")


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(2.0, below_float=0.5), "yes"),
        (Goal(2.0, below_float=0.3), "no"),
        (Goal(2.0, accuracy=96.6), "yes"),
        (Goal(2.0, accuracy=96.7), "no"),
        (Goal(1.0, accuracy=10.0), "no"),
    ],
)
def test_goals(goal, met):
    found = network(row("ec4t", 0.966, 0.9, 1.5))
    assert results.goal_row(TASK, found, goal)["met"] == met


def test_of_equals_the_largest_that_fits_is_taken():
    rows = [row("ec4t", 0.8, 0.9, 1.4), row("ec4t", 0.9, 0.9 + 1e-15, 1.5), row("ec4t", 1, 0.9, 3)]
    assert results.best_within(rows, "ec4t", 2) is rows[1]
    assert results.best_within(rows[::-1], "ec4t", 2) is rows[1]
    assert results.best_within(rows, "ec4t", 1.45) is rows[0]
    rows[1] = row("ec4t", 0.9, 0.9 - 1e-15, 1.5)
    assert results.best_within(rows, "ec4t", 2) is rows[1]
    assert results.best_within(rows, "ec2t", 2) is None


def test_the_same_shape():
    ours = [row("ec4t", 0.99, 0.99, 3.1), row("ec4t", 0.95, 0.9, 3.0)]
    narrow = row("int4", 0.93, 1.0, 3.5, hidden=4)
    got = results.same_shape_row("digits", network(row("int4", 0.94, 0.9, 3.0), narrow, *ours))
    assert got["EC4T bits"] == 3.0
    assert got["gain, points"] == pytest.approx(1.0)
    assert results.same_shape_row("digits", network(*ours))["int4 %"] == results.NONE
    alone = results.same_shape_row("digits", network(row("int4", 0.94, 1.0, 1.0), *ours))
    assert (alone["int4 bits"], alone["EC4T %"]) == (1.0, results.NONE)


OURS = row("ec4t", 0.95, 0.9, 2.0)  # 2 bits of 74 · 8 weights are 4 bits of 74 · 4


@pytest.mark.parametrize(
    ("rivals", "taken"),
    [
        ([row("int4", 0.94, 0.9, 4.0, 4), row("int4", 0.99, 0.9, 3.99, 4)], 0),  # not smaller
        ([row("int4", 0.94, 0.9, 4.1, 4), row("int4", 0.93, 0.95, 4.39, 4)], 1),  # by validation
        ([row("int4", 0.94, 0.9, 4.1, 4), row("int4", 0.93, 0.95, 4.41, 4)], 0),  # too large
        ([row("ec2t", 0.94, 0.99, 4.0, 4), row("int4", 0.94, 0.9, 4.2, 4)], 1),
    ],
)
def test_equal_size_is_all_that_is_stored(rivals, taken):
    too_large = row("ec4t", 0.99, 0.99, 2.01)
    narrow = row("ec4t", 0.99, 0.99, 1.0, 4)
    found = network(OURS, too_large, narrow, *rivals)
    got = results.equal_size_row(TASK, found, TASK.goals[0])
    best = rivals[taken]
    assert got["EC4T kbit"] == pytest.approx(74 * 8 * 2 / 1000)
    assert got["int4 kbit"] == best["weights"] * best["bits_per_weight"]["mean"] / 1000
    assert got["int4 layers"] == "-".join(map(str, best["network"]))
    assert got["gain, points"] == pytest.approx(95 - 100 * best["golden"]["mean"])


def test_without_a_rival_there_is_no_gain():
    other = [row("int4", 0.9, 0.9, bits) for bits in (1.99, 2.21)]
    for rows in ([OURS], [OURS, *other], other):
        got = results.equal_size_row(TASK, network(*rows), TASK.goals[0])
        assert got["gain, points"] == results.NONE


def test_a_goal_is_for_the_networks_shape():
    found = network(OURS, row("ec4t", 0.99, 0.99, 1.0, 4))
    assert results.goal_row(TASK, found, TASK.goals[0])["golden %"] == 95


def test_the_front_of_all_shapes_is_by_what_is_stored_in_all():
    rows = [
        row("int4", 0.90, 0.9, 4.0),
        row("int4", 0.91, 0.9, 5.0, 4),  # more bits a weight, less in all
        row("ec4t", 0.80, 0.9, 2.0),
    ]
    assert [r["on_front"] for r in results.with_fronts(rows)] == [False, True, True]


TRAINING = {"gamma": 0.1, "values": 3, "seed": 0, "hidden": [8]}


def record(series: str, golden: float, **changed: Any) -> dict[str, Any]:
    """Return a record of ``TASK``'s network."""
    accuracy = dict.fromkeys(("float", "quantised", "validation"), 0.5) | {"golden": golden}
    figures = dict.fromkeys(("agreement", "entropy", "density", "cycles", "utilisation"), 1.0)
    found = {"series": series, "dataset": "digits", "network": [64, 8, 10], "config": "tiny"}
    found |= {"training": TRAINING, "accuracy": accuracy, "weights": 592, "platform": {"cores": 2}}
    return found | figures | {"bits_per_weight": 2.0, "model_bytes": 9, "seconds": 3} | changed


def test_of_some_methods_the_others_rows_are_kept():
    seeds = [record("float", 0.9), record("float", 0.9, training=TRAINING | {"seed": 1})]
    before = results.summary(TASK, [*seeds, record("int4", 0.8)])
    new = [record("int4", 0.7, platform={"cores": 4}, seconds=5)]
    got = results.summary(TASK, new, before)
    assert [(r["series"], r["golden"]["mean"]) for r in got["rows"]] == [
        *[("float", 0.9), ("int4", 0.7)]
    ]
    assert got["seconds"] == 3 + 3 + 5
    assert got["platforms"] == [{"cores": 2}, {"cores": 4}]
    assert (got["network"], got["weights"]) == ([64, 8, 10], 592)
    assert len(results.summary(TASK, new)["rows"]) == 1


def test_only_methods_that_the_preset_trains():
    digits = data.load("digits")
    found = task_points(RESULTS[0], digits, methods=("int4",))
    assert {point.series for point in found} == {"int4"}
    with pytest.raises(FantasticError, match="the preset trains digits by no method 'int3'"):
        task_points(RESULTS[0], digits, methods=("int3",))


def test_what_was_not_run_says_so():
    found = results.tables({})
    assert [r["float %"] for r in found["goals"]] == ["not run"] * 5
    assert found["curves"] == found["machines"] == found["equal-size"] == []


def test_a_failed_point_is_no_result():
    records = [{"error": "too wide"}, {"error": "x"}]
    with pytest.raises(FantasticError, match="2 of 2 points of digits failed, the first: too wide"):
        results.summary(TASK, records)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"networks": 3}'])
def test_other_files_are_not_taken_for_results(text, tmp_path):
    path = tmp_path / "results.json"
    assert results.earlier(path) == {}
    path.write_text(text)
    with pytest.raises(FantasticError, match=r"results\.json is not a results\.json: delete it"):
        results.earlier(path)


def test_the_preset_has_every_network_of_the_documents():
    assert tasks(()) == list(RESULTS)
    assert [task.dataset for task in tasks(("mnist", "digits"))] == ["digits", "mnist"]
    assert {task.core for task in RESULTS} <= set(CONFIGS)
    assert {task.dataset for task in RESULTS} == set(data.names()) & {
        *("digits", "har", "mnist", "gsc12")
    }
    for task in RESULTS:
        assert {curve.method for curve in task.curves} >= {"ec4t", "int4"}


def test_points_of_a_task():
    digits = data.load("digits")
    task = RESULTS[0]
    found = task_points(task, digits)
    usual = TrainConfig.for_dataset("digits")
    baselines = [point for point in found if point.series == "float"]
    assert [point.training.seed for point in baselines] == list(task.seeds)
    for point in baselines:
        assert point.training.float_epochs == usual.float_epochs + usual.epochs
        assert point.training.hidden == task.hidden
    each = [len(c.gammas) * len(c.values) * (len(c.hidden) or 1) for c in task.curves]
    assert len(found) == 3 + 3 * sum(each)
    for method in {curve.method for curve in task.curves}:
        trained = [p.training for p in found if p.series == method == p.training.method]
        curves = [curve for curve in task.curves if curve.method == method]
        expected = {(g, v) for curve in curves for g in curve.gammas for v in curve.values}
        assert {(t.gamma, t.values) for t in trained} == expected
        assert {t.seed for t in trained} == set(task.seeds)
        shapes = {shape for c in curves for shape in c.hidden or (task.hidden,)}
        assert {t.hidden for t in trained} == shapes
    assert {point.core.name for point in found} == {task.core}


def test_documents_hold_what_was_measured():
    """The tables of results.md are those of results.json."""
    networks = results.earlier(DOCS / "results.json")
    assert networks
    text = (DOCS / "results.md").read_text()
    tables = results.tables(networks)
    assert all(f"<!-- table: {name} -->" in text for name in tables)
    assert renewed(text, tables) == text
