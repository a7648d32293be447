# SPDX-License-Identifier: Apache-2.0
"""Training end to end on real data: accuracy, entropy, agreement with golden, determinism."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fantastic4 import data, golden
from fantastic4.data import DataSet
from fantastic4.errors import FantasticError
from fantastic4.lower import snap
from fantastic4.methods import METHODS
from fantastic4.model import BASIS_MODES
from fantastic4.train import TrainConfig, TrainResult, loop, train
from fantastic4.train.teacher import Teacher

QUICK = TrainConfig(hidden=(32,), epochs=12, float_epochs=8, batch=32, float_lr=0.01)


class Recorder:
    def __init__(self):
        self.epochs, self.batches = [], []

    def batch(self, phase, epoch, epochs, batch, batches):
        self.batches.append((phase, epoch, epochs, batch, batches))

    def epoch(self, phase, epoch, epochs, metrics):
        self.epochs.append((phase, epoch, epochs, metrics))


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def result(digits):
    return train(digits, QUICK)


@torch.no_grad()
def compare(result: TrainResult, task: DataSet) -> tuple[float, float]:
    """Return golden's test accuracy, and how often it gives the model's class."""
    network = result.network()
    x = network.quant(task.x_test)
    best = golden.predict(network, x).best
    model = result.model.eval()
    theirs = model(model.real(torch.from_numpy(x))).argmax(1).numpy()
    return float((best == task.y_test).mean()), float((best == theirs).mean())


def codes(result):
    return [layer.codes.numpy() for layer in result.model.layers]


@pytest.mark.parametrize("basis", BASIS_MODES)
def test_quick_digits_in_both_modes(digits, basis):
    result = train(digits, replace(QUICK, basis=basis))
    accuracy, agreement = compare(result, digits)
    assert accuracy >= 0.92
    assert agreement >= 0.999
    assert result.accuracy_float >= 0.92
    assert abs(result.accuracy_quantised - accuracy) <= 0.003


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_exact_in_integers(digits, method):
    result = train(digits, replace(QUICK, method=method, distill=0.5))
    accuracy, agreement = compare(result, digits)
    assert accuracy >= 0.92
    assert agreement >= 0.999
    again = train(digits, replace(QUICK, method=method, distill=0.5))
    assert all(map(np.array_equal, codes(result), codes(again)))
    for layer, trained in zip(result.network().layers, result.model.layers, strict=True):
        basis = trained.basis.detach()
        if method == "ec2t":
            assert len(np.unique(layer.codes)) <= 3
        if method == "int4":
            assert torch.allclose(basis / basis[0], torch.tensor([1.0, 2, 4, -8]), rtol=1e-3)


@pytest.mark.slow
def test_default_digits(digits):
    result = train(digits, TrainConfig.for_dataset("digits"))
    accuracy, agreement = compare(result, digits)
    assert accuracy >= 0.95
    assert agreement >= 0.999


def test_part_of_mnist(data_dir):
    task = data.load("mnist", data_dir)
    part = DataSet(
        "part",
        *(task.x_train[:4000], task.y_train[:4000], task.x_test, task.y_test),
        task.classes,
        task.normalise,
    )
    config = TrainConfig(hidden=(48,), epochs=4, float_epochs=3, gamma=0.2)
    accuracy, agreement = compare(train(part, config), task)
    assert accuracy >= 0.89
    assert agreement >= 0.999


def test_signed_features(data_dir):
    task = data.load("har", data_dir)
    result = train(task, TrainConfig(hidden=(32,), epochs=4, float_epochs=3))
    accuracy, agreement = compare(result, task)
    assert accuracy >= 0.93
    assert agreement >= 0.999


def test_same_seed_same_model_and_no_global_state(digits, result):
    torch.manual_seed(123)
    state = torch.get_rng_state()
    again = train(digits, QUICK)
    assert torch.equal(torch.get_rng_state(), state)
    for one, two in zip(codes(result), codes(again), strict=True):
        assert np.array_equal(one, two)
    assert result.history == again.history
    other = train(digits, replace(QUICK, seed=1))
    assert not np.array_equal(codes(result)[0], codes(other)[0])


def test_gamma_lowers_the_entropy(digits, result):
    free = train(digits, replace(QUICK, gamma=0.0))
    pressed = train(digits, replace(QUICK, gamma=0.5))
    bits = [run.history[-1]["entropy"] for run in (free, result, pressed)]
    assert bits[0] > bits[1] + 0.2
    assert bits[1] > bits[2] + 0.5


def test_frozen_epochs_keep_the_codes(result):
    frozen = [row for row in result.history if row["phase"] == "frozen"]
    assert len(frozen) == QUICK.frozen_epochs == 3
    assert len({row["entropy"] for row in frozen}) == 1
    assert all(layer.norm.frozen for layer in result.model.layers)


def test_basis_is_learned(result):
    basis = result.model.layers[0].basis.detach()
    assert not torch.allclose(basis / basis[0], torch.tensor([1.0, 2, 4, -8]), rtol=1e-3)


def test_validation_comes_from_training_and_the_test_split_decides_nothing(digits, result):
    swapped = DataSet(
        *("swapped", digits.x_train, digits.y_train, digits.x_test[::-1].copy()),
        (digits.y_test + 1) % 10,
        digits.classes,
        digits.normalise,
    )
    other = train(swapped, QUICK)
    assert other.history == result.history
    assert other.accuracy_quantised != result.accuracy_quantised


@pytest.mark.parametrize("given", [None, np.arange(200) % 10 > 6])
def test_validation_and_training_share_no_example(monkeypatch, given):
    x = np.arange(200, dtype=np.uint8)[:, None] * np.ones((1, 2), np.uint8)
    y = np.arange(200) % 2
    task = DataSet("count", x, y, x[:10], y[:10], ("even", "odd"), "none", given)
    trained, judged = set(), []
    step, evaluate = loop._Run._step, loop.evaluate

    def spy_step(run, x, targets, optimiser):
        trained.update(torch.round(x[:, 0] * 255).tolist())
        return step(run, x, targets, optimiser)

    def spy_evaluate(model, x, labels):
        judged.append(set(torch.round(x[:, 0] * 255).tolist()))
        return evaluate(model, x, labels)

    monkeypatch.setattr(loop._Run, "_step", spy_step)
    monkeypatch.setattr(loop, "evaluate", spy_evaluate)
    train(task, TrainConfig(hidden=(), epochs=1, float_epochs=1, batch=10, dropout=0))
    validation = judged[0]
    assert len(validation) == (20 if given is None else 60)
    assert len(trained) == 200 - len(validation)
    assert not trained & validation
    assert given is None or validation == set(np.flatnonzero(given))


def test_the_model_is_left_on_its_integers(digits, result):
    before = [layer.basis.detach().clone() for layer in result.model.layers]
    snap(result.model)
    assert all(map(torch.equal, before, [layer.basis for layer in result.model.layers]))


def test_the_best_late_epoch_is_kept(digits, monkeypatch):
    weights = []

    def ever_worse(model, x, labels):
        weights.append(model.layers[0].weight.detach().clone())
        return 1 - len(weights) / 100, 0.0

    monkeypatch.setattr(loop, "evaluate", ever_worse)
    config = TrainConfig(hidden=(), epochs=8, float_epochs=2)
    result = train(digits, config)  # evaluates 2 + test, 6 free + 2 frozen + test
    assert result.accuracy_validation == 1 - 9 / 100
    assert torch.equal(result.model.layers[0].weight, weights[8])  # the last with free codes
    assert not torch.equal(weights[8], weights[10])


def test_targets_are_labels_and_the_float_network(digits, monkeypatch):
    wanted, step = [], loop._Run._step

    def spy(run, x, targets, optimiser):
        wanted.append(targets)
        return step(run, x, targets, optimiser)

    monkeypatch.setattr(loop._Run, "_step", spy)
    quick = TrainConfig(hidden=(), epochs=1, float_epochs=1, batch=1000, smoothing=0.2)
    train(digits, replace(quick, distill=0.5))
    one, two = wanted
    assert sorted(set(one.flatten().tolist())) == pytest.approx([0.02, 0.82])
    torch.testing.assert_close(two.sum(1), torch.ones(1000))
    assert len(two.unique()) > 1000
    assert two.max() < 0.82 / 2 + 0.5
    assert two.min() >= 0.01


def test_a_live_teacher_answers_for_the_very_inputs(digits, monkeypatch):
    steps, asked, losses = [], [], []
    step, answer, loss = loop._Run._step, Teacher.__call__, loop.cross_entropy

    def spy_step(run, x, targets, optimiser):
        steps.append((x, targets))
        return step(run, x, targets, optimiser)

    def spy_answer(teacher, x):
        asked.append((x, answer(teacher, x)))
        return asked[-1][1]

    def spy_loss(logits, targets):
        losses.append(targets)
        return loss(logits, targets)

    monkeypatch.setattr(loop._Run, "_step", spy_step)
    monkeypatch.setattr(Teacher, "__call__", spy_answer)
    monkeypatch.setattr(loop, "cross_entropy", spy_loss)
    quick = TrainConfig(hidden=(), epochs=1, float_epochs=1, batch=1000, smoothing=0.2, noise=0.2)
    train(digits, replace(quick, distill=0.25, live_teacher=True))
    (x, targets), (taught, answers) = steps[1], asked[0]
    assert len(asked) == 1
    assert taught is x
    assert sorted(set(targets.flatten().tolist())) == pytest.approx([0.02, 0.82])
    torch.testing.assert_close(losses[1], 0.75 * targets + 0.25 * answers)


def test_every_regulariser_changes_the_run(digits):
    short = replace(QUICK, epochs=1, float_epochs=2)
    plain = train(digits, short)
    changes = {"noise": 0.1, "mixup": 0.2, "decay": 0.1, "hidden_dropout": 0.2}
    for name, value in changes.items():
        other = train(digits, replace(short, **{name: value}))
        assert other.history[1]["loss"] != plain.history[1]["loss"], name


def test_progress_counts_everything(digits):
    seen = Recorder()
    train(digits, TrainConfig(hidden=(), epochs=4, float_epochs=2, batch=500), seen)
    assert [what[:3] for what in seen.epochs] == [
        *[("float", 1, 2), ("float", 2, 2)],
        *[("entropy", 1, 3), ("entropy", 2, 3), ("entropy", 3, 3), ("frozen", 1, 1)],
    ]
    assert seen.batches[:3] == [("float", 1, 2, 1, 2), ("float", 1, 2, 2, 2), ("float", 2, 2, 1, 2)]
    known = {"loss", "validation_loss", "accuracy"}
    assert set(seen.epochs[0][3]) == known
    assert set(seen.epochs[-1][3]) == known | {"entropy", "sparsity", "bits", "layers"}


def test_metadata_is_plain_json(result):
    metadata = result.network().metadata
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["dataset"] == "digits"
    assert metadata["accuracy"]["float"] == result.accuracy_float
    assert metadata["training"]["gamma"] == 0.1
    assert len(metadata["entropy"]) == len(metadata["density"]) == 2


def test_threads_are_given_back(digits):
    before = torch.get_num_threads()
    train(digits, TrainConfig(hidden=(), epochs=1, float_epochs=1, threads=before + 1))
    assert torch.get_num_threads() == before


def test_defaults_of_a_data_set():
    assert TrainConfig.for_dataset("mnist").hidden == (300, 100)
    assert TrainConfig.for_dataset("mnist", hidden=(9,), lr=None).hidden == (9,)
    assert TrainConfig.for_dataset("other") == TrainConfig()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden", (0,)),
        ("hidden", (4097,)),
        ("hidden", (5,) * 16),
        ("epochs", 0),
        ("float_epochs", 0),
        ("frozen_share", 2),
        ("method", "int8"),
        ("gamma", -0.1),
        ("basis", "tile"),
        ("lr", 0),
        ("batch", 1),
        ("decay", -1),
        ("dropout", 1),
        ("hidden_dropout", 1),
        ("noise", -1),
        ("mixup", -1),
        ("distill", 1.1),
        ("smoothing", 1),
        ("validation", 0),
        ("seed", -1),
        ("threads", 0),
    ],
)
def test_out_of_range(field, value):
    with pytest.raises(FantasticError, match=f"{field} must"):
        TrainConfig(**{field: value})


def test_too_large_a_batch(digits):
    with pytest.raises(FantasticError, match="batch must be at most the 1293 examples"):
        train(digits, TrainConfig(batch=2000))


def test_divergence_is_reported(digits):
    with pytest.raises(FantasticError, match="loss is not finite in epoch 1"):
        train(digits, TrainConfig(hidden=(), epochs=1, float_epochs=1, float_lr=1e30))
