# SPDX-License-Identifier: Apache-2.0
"""Features of recordings, and the folder of Google Speech Commands."""

import wave
from itertools import pairwise

import numpy as np
import pytest

from fantastic4 import data
from fantastic4.data import fetch, speech
from fantastic4.data.mfcc import COEFFICIENTS, FRAMES, RATE, mel_filters, mfcc
from fantastic4.errors import DataError

N = np.arange(RATE)


def chirp():
    return 0.5 * np.sin(2 * np.pi * (200 + 0.05 * N) * N / RATE) * (1 - N / RATE)


REFERENCE = {
    "first": [-84.85906, -102.56633],
    "second": [204.56584, 218.34974],
    "third": [-26.32762, -86.56687],
}
"""First coefficients of `chirp` in two frames, by librosa 0.11 with ``pad_mode="reflect"``."""


def test_features_are_those_of_librosa():
    found = mfcc(chirp())
    assert (found.shape, found.dtype) == ((20, 11), np.float32)
    assert np.allclose(found[:3, :2], list(REFERENCE.values()), atol=1e-4)


def test_short_recordings_lack_frames_and_zeros_at_the_end_do_not_count():
    full, half = mfcc(chirp()), mfcc(chirp()[:9000])
    assert np.array_equal(half[:, 6:], np.zeros((20, 5)))
    assert np.allclose(half[:, :2], full[:, :2], atol=1e-3)
    padded = np.concatenate([chirp()[:9000], np.zeros(7000)])
    assert np.array_equal(mfcc(padded), half)


def test_what_is_80_db_below_the_loudest_is_raised_to_that():
    found = mfcc(np.where(N < RATE / 2, 0, chirp()))
    assert -1000 < found[0, 0] < 0
    assert np.allclose(found[1:, 0], 0, atol=1e-3)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.ones(1), np.ones(40) / 2])
def test_silence_and_tiny_recordings_have_features(samples):
    assert np.isfinite(mfcc(samples)).all()


def test_bands_have_unit_area():
    area = mel_filters().sum(axis=1) * (RATE / 2048)
    assert np.allclose(area[40:], 1, atol=0.05)  # those below are narrower than a bin


def write_wav(path, samples, rate=RATE, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((32767 * np.asarray(samples)).astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path, rng, monkeypatch):
    """A folder as that of Speech Commands: words are tones, five takes of ten speakers."""
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv(fetch.ENVIRONMENT, raising=False)
    root = tmp_path / "speech"
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for number, word in enumerate([*speech.WORDS, "bird", "tree"]):
        for speaker in range(5):
            name = f"{word}/{speaker}{number:03x}_nohash_0.wav"
            tone = np.sin(2 * np.pi * (300 + 150 * number) * N[:1600] / RATE + speaker)
            write_wav(root / name, tone * rng.uniform(0.2, 0.9))
            if speaker == 3:
                lists["validation_list.txt"].append(name)
            if speaker == 4:
                lists["testing_list.txt"].append(name)
    for number in range(2):
        write_wav(root / speech.NOISE / f"{number}.wav", rng.uniform(-1, 1, 4 * RATE))
    for name, files in lists.items():
        (root / name).write_text("\n".join(files) + "\n")
    return root


def test_splits_are_those_of_the_lists(folder):
    parts = speech.plan(folder, seed=0)
    per_word = {"train": 3, "validation": 1, "test": 1}
    for part, clips in parts.items():
        labels = np.bincount([clip.label for clip in clips], minlength=12)
        assert labels.tolist() == [per_word[part]] * 12
    spoken = {
        part: {clip.file for clip in clips if not clip.file.startswith("_")}
        for part, clips in parts.items()
    }
    assert all(file.partition("/")[2][0] == "4" for file in spoken["test"])
    assert all(file.partition("/")[2][0] == "3" for file in spoken["validation"])
    assert not spoken["train"] & (spoken["test"] | spoken["validation"])


def test_splits_share_no_noise(folder):
    rng = np.random.default_rng(0)
    lengths = {"noise": 100 * RATE}
    stretches = sorted(speech.PARTS.values())
    assert all(one[1] <= two[0] for one, two in pairwise(stretches))
    for part, (begin, end) in speech.PARTS.items():
        clips = [speech._noise(lengths, part, rng) for _ in range(200)]
        assert min(clip.start for clip in clips) >= begin * 100 * RATE
        assert max(clip.start for clip in clips) + RATE <= end * 100 * RATE
        assert 0 <= min(clip.volume for clip in clips) < 0.1
        assert 0.9 < max(clip.volume for clip in clips) <= 1


def test_gsc12_from_recordings(folder, tmp_path):
    told = []
    loaded = data.load("gsc12", folder, progress=lambda *what: told.append(what))
    assert loaded.classes == speech.CLASSES
    assert loaded.x_train.shape == (48, COEFFICIENTS * FRAMES)
    assert loaded.x_test.shape == (12, COEFFICIENTS * FRAMES)
    assert loaded.validation is not None
    assert loaded.validation.sum() == 12
    assert told[-1][1:] == (60, 60)

    first = speech.plan(folder, 0)["train"][0]
    expected = mfcc(speech.read_wav(folder / first.file)).ravel()
    assert np.array_equal(loaded.x_train[0], expected)


def test_features_are_kept_until_the_folder_changes(folder, tmp_path, monkeypatch):
    made, features = [], speech.features

    def spy(*given):
        made.append(given)
        return features(*given)

    monkeypatch.setattr(speech, "features", spy)
    first, again = data.load("gsc12", folder), data.load("gsc12", folder)
    assert len(made) == 1
    assert np.array_equal(first.x_train, again.x_train)
    assert len([*(tmp_path / "cache" / "gsc12_wav").iterdir()]) == 1
    write_wav(folder / "yes" / "9_nohash_0.wav", np.ones(2000) / 2)
    data.load("gsc12", folder)
    assert len(made) == 2
    write_wav(folder / "yes" / "9_nohash_0.wav", np.ones(2001) / 2)
    data.load("gsc12", folder)
    assert len(made) == 3
    other = data.load("gsc12", folder, seed=1)
    assert len(made) == 4
    assert not np.array_equal(other.x_test, again.x_test)


def damage(name):
    def change(folder):
        path = next(folder.glob(f"{name}/*.wav"))
        path.write_bytes(path.read_bytes()[:30])

    return change


def remove_noise(folder):
    for path in folder.glob(f"{speech.NOISE}/*"):
        path.unlink()


def remove_listed(folder):
    (folder / "yes/4009_nohash_0.wav").unlink()


def remove_word(folder):
    for path in folder.glob("left/[0-2]*.wav"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage("stop"), r"stop/.*\.wav cannot be read as a wav file"),
        (remove_noise, "no wav files in _background_noise_, from which silence is made"),
        (remove_listed, r"yes/4009_nohash_0.wav is in testing_list.txt, but there is no such file"),
        (remove_word, "class 'left' has no example in the training split"),
        (
            lambda folder: write_wav(folder / "up" / "x.wav", np.zeros(99), rate=8000),
            r"up/x.wav must have 1 channel of 16 bits at 16000 Hz, not 1 of 16 at 8000",
        ),
        (
            lambda folder: write_wav(folder / "up" / "x.wav", np.zeros(99 * 2), channels=2),
            r"not 2 of 16 at 16000",
        ),
        (lambda folder: write_wav(folder / "up" / "x.wav", []), r"up/x.wav has no samples"),
    ],
)
def test_what_is_wrong_with_the_folder_is_named(folder, change, message):
    change(folder)
    with pytest.raises(DataError, match=message) as caught:
        data.load("gsc12", folder)
    assert "\n" not in str(caught.value)


def test_without_lists_the_prepared_features_are_looked_for(folder):
    (folder / "testing_list.txt").unlink()
    with pytest.raises(DataError, match=r"or give that of the recordings, with its testing_list"):
        data.load("gsc12", folder)
