# SPDX-License-Identifier: Apache-2.0
"""Records on disk: whole, or not there."""

import json
import os
from pathlib import Path

import pytest

from fantastic4.sweep.store import Store


@pytest.fixture
def kept(tmp_path) -> Store:
    """Return a store with the record of one point and its model."""
    found = Store(tmp_path / "new" / "sweep")
    found.keep({"key": "a", "accuracy": 0.5})
    found.model_path("a").write_bytes(b"model")
    return found


def test_a_record_is_found_again(kept):
    assert Store(kept.folder).finished("a") == {"key": "a", "accuracy": 0.5}
    assert kept.finished("b") is None
    assert kept.record_path("a") == kept.folder / "points" / "a.json"
    assert sorted(x.name for x in kept.points.iterdir()) == ["a.json", "a.safetensors"]


@pytest.mark.parametrize("text", ["", '{"key": "a"', "[1]", "{}", '{"key": "b"}', "\xff"])
def test_a_damaged_record_is_none(text, kept):
    kept.record_path("a").write_text(text, encoding="latin-1")
    assert kept.finished("a") is None


def test_a_failure_is_not_finished(kept):
    kept.keep({"key": "a", "error": "memory"})
    assert kept.finished("a") is None
    assert json.loads(kept.record_path("a").read_text())["error"] == "memory"


def test_a_record_without_its_model_is_not_finished(kept):
    kept.model_path("a").unlink()
    assert kept.finished("a") is None


def test_a_file_is_written_in_one_step(kept, monkeypatch):
    def interrupted(source, target):
        assert json.loads(Path(source).read_text()) == {"key": "a", "accuracy": 0.9}
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept.keep({"key": "a", "accuracy": 0.9})
    assert kept.finished("a") == {"key": "a", "accuracy": 0.5}
    assert sorted(x.name for x in kept.points.iterdir()) == ["a.json", "a.safetensors"]


def test_not_a_number_is_not_written(kept):
    with pytest.raises(ValueError, match="JSON"):
        kept.keep({"key": "a", "accuracy": float("nan")})
    assert kept.finished("a") is not None


def test_files_are_as_readable_as_others(kept, tmp_path):
    (tmp_path / "x").touch()
    assert os.stat(kept.record_path("a")).st_mode == os.stat(tmp_path / "x").st_mode
