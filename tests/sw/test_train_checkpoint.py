# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped and goes on ends as if it had not been stopped."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from fantastic4 import data
from fantastic4.errors import FantasticError
from fantastic4.train import Checkpoint, TrainConfig, train
from fantastic4.train.config import FLOAT_OPTIONS

QUICK = TrainConfig(
    hidden=(16,), epochs=5, float_epochs=3, batch=128, noise=0.1, mixup=0.2, distill=0.5
)


class Stop(Exception):
    """What kills a run in these tests."""


class StopAfter:
    """Kills a run in the given batch of the given epoch, both counted from 1 over all phases."""

    def __init__(self, epoch, batch):
        self.epochs, self.at = 0, (epoch - 1, batch)

    def batch(self, phase, epoch, epochs, batch, batches):
        if (self.epochs, batch) == self.at:
            raise Stop

    def epoch(self, phase, epoch, epochs, metrics):
        self.epochs += 1


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def state(result):
    return result.model.state_dict()


@pytest.mark.parametrize(("method", "wide"), [("ec4t", ()), ("ecqx", (1,)), ("ec4t", "auto")])
@pytest.mark.parametrize("epoch", [1, 2, 4, 6, 8])
def test_resumed_is_uninterrupted(digits, tmp_path, epoch, method, wide, monkeypatch):
    monkeypatch.setattr("fantastic4.train.sensitivity.SHARE", 1.0)
    config = replace(QUICK, method=method, wide_layers=wide, live_teacher=wide != ())
    whole = train(digits, config)
    path = tmp_path / "run" / "checkpoint.pt"
    with pytest.raises(Stop):
        train(digits, config, StopAfter(epoch, 5), Checkpoint(path))
    assert path.exists() == (epoch > 1)
    again = StopAfter(0, 0)
    resumed = train(digits, config, again, Checkpoint(path, resume=True))
    assert again.epochs == 8 - (epoch - 1)  # nothing but the last epoch is lost
    assert resumed.history == whole.history
    assert resumed.accuracy_float == whole.accuracy_float
    assert resumed.accuracy_quantised == whole.accuracy_quantised
    assert all(torch.equal(value, state(whole)[key]) for key, value in state(resumed).items())
    assert not path.exists()


def interrupted(digits, path, config=QUICK):
    with pytest.raises(Stop):
        train(digits, config, StopAfter(3, 1), Checkpoint(path))


def test_without_resume_a_run_begins_anew(digits, tmp_path):
    path = tmp_path / "checkpoint.pt"
    interrupted(digits, path)
    seen = StopAfter(0, 0)
    train(digits, QUICK, seen, Checkpoint(path))
    assert seen.epochs == 8


def test_another_configuration_is_refused(digits, tmp_path):
    path = tmp_path / "checkpoint.pt"
    interrupted(digits, path)
    with pytest.raises(FantasticError, match=r"checkpoint.pt is of another run \(gamma 0.1, not"):
        train(digits, replace(QUICK, gamma=0.2), checkpoint=Checkpoint(path, resume=True))


def test_other_data_are_refused(digits, tmp_path):
    path = tmp_path / "checkpoint.pt"
    interrupted(digits, path)
    other = replace(digits, x_train=digits.x_train[::-1].copy())
    with pytest.raises(FantasticError, match=r"of another run \(data digits"):
        train(other, QUICK, checkpoint=Checkpoint(path, resume=True))


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_a_damaged_file_is_refused(digits, tmp_path, keep):
    path = tmp_path / "checkpoint.pt"
    interrupted(digits, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FantasticError, match=r"checkpoint.pt is no checkpoint, or damaged"):
        train(digits, QUICK, checkpoint=Checkpoint(path, resume=True))


OTHERS = {
    "epochs": 4,
    "frozen_share": 0.5,
    "method": "int4",
    "gamma": 0.3,
    "values": 2,
    "lr": 2e-3,
    "basis_lr": 2e-3,
    "distill": 0.0,
    "objective": "stored",
    "live_teacher": True,
    "wide_layers": (2,),
}


def test_a_float_phase_serves_all_that_follows(digits, tmp_path):
    assert {*OTHERS, *FLOAT_OPTIONS} == asdict(QUICK).keys()
    path = tmp_path / "float.pt"
    train(digits, QUICK, float_end=Checkpoint(path, True, FLOAT_OPTIONS))
    written = path.read_bytes()
    for option, value in OTHERS.items():
        config = replace(QUICK, **{option: value})
        seen = StopAfter(0, 0)
        found = train(digits, config, seen, float_end=Checkpoint(path, True, FLOAT_OPTIONS))
        assert seen.epochs == config.epochs
        whole = train(digits, config)
        assert found.history == whole.history
        assert found.accuracy_float == whole.accuracy_float
        assert all(torch.equal(value, state(whole)[key]) for key, value in state(found).items())
    assert path.read_bytes() == written


def test_a_stopped_run_goes_on_from_its_own_file(digits, tmp_path):
    """Not from the end of the float phase, which is there too."""
    end, path = tmp_path / "float.pt", tmp_path / "checkpoint.pt"
    with pytest.raises(Stop):
        train(
            digits,
            QUICK,
            StopAfter(6, 1),
            Checkpoint(path),
            Checkpoint(end, True, FLOAT_OPTIONS),
        )
    seen = StopAfter(0, 0)
    both = (Checkpoint(path, resume=True), Checkpoint(end, True, FLOAT_OPTIONS))
    resumed = train(digits, QUICK, seen, *both)
    assert seen.epochs == 3
    assert resumed.history == train(digits, QUICK).history


def test_another_float_phase_is_refused(digits, tmp_path):
    path = tmp_path / "float.pt"
    train(digits, QUICK, float_end=Checkpoint(path, True, FLOAT_OPTIONS))
    other = replace(QUICK, seed=1)
    with pytest.raises(FantasticError, match=r"float.pt is of another run \(seed 0, not 1\)"):
        train(digits, other, float_end=Checkpoint(path, True, FLOAT_OPTIONS))


def test_a_stop_while_writing_leaves_the_last_file(digits, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    interrupted(digits, path)
    before = path.read_bytes()
    checkpoint = Checkpoint(path)
    checkpoint.open(digits, QUICK)

    def half(record, file):
        file.write(b"half")
        raise Stop

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(Stop):
        checkpoint.save({"epoch": np.nan})
    assert path.read_bytes() == before
