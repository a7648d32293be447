# SPDX-License-Identifier: Apache-2.0
"""Google Speech Commands from its folder of recordings: twelve classes, split by its own lists.

The folder is that of the archive: one folder of wav files a word, ``_background_noise_``,
``validation_list.txt`` and ``testing_list.txt``. To the ten words come, in each split, as many
clips of other words (drawn) and of background noise (drawn, at random volume) as a word has on
average; the splits take their noise from different parts of the recordings.
"""

import hashlib
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fantastic4.data.mfcc import COEFFICIENTS, FRAMES, RATE, mfcc
from fantastic4.errors import DataError

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN = "_silence_", "_unknown_"
CLASSES = (*WORDS, SILENCE, UNKNOWN)
NOISE = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""From where to where in a recording of noise each split takes its own."""

RECIPE = 1
"""To be raised when the features change, so that those in the cache are made anew."""

Split = dict[str, list[str]]


@dataclass(frozen=True)
class Clip:
    """A second of sound to be: where it is, and of which class."""

    file: str
    label: int
    start: int = 0
    volume: float = 1.0


def is_folder(folder: Path | None) -> bool:
    """Return whether ``folder`` is one of Speech Commands: it has the official lists."""
    return folder is not None and all((folder / name).is_file() for name in LISTS.values())


def plan(folder: Path, seed: int) -> dict[str, list[Clip]]:
    """Return the clips of each split: "train", "validation" and "test".

    Raises
    ------
    DataError
        If the folder lacks a word or the noise.
    """
    lengths = {
        f"{NOISE}/{path.name}": len(read_wav(path))
        for path in sorted(folder.glob(f"{NOISE}/*.wav"))
    }
    if not lengths:
        raise DataError(f"{folder}: no wav files in {NOISE}, from which silence is made")
    rng = np.random.default_rng(seed)
    found = {}
    for part, files in split_files(folder).items():
        known = [Clip(file, WORDS.index(word)) for file in files if (word := _word(file)) in WORDS]
        others = [file for file in files if _word(file) not in WORDS]
        count = -(-len(known) // len(WORDS))
        drawn = rng.permutation(len(others))[:count]
        found[part] = [
            *known,
            *(Clip(others[i], CLASSES.index(UNKNOWN)) for i in sorted(drawn)),
            *(_noise(lengths, part, rng) for _ in range(count)),
        ]
    return found


def split_files(folder: Path) -> Split:
    """Return the wav files of each split, ``word/name.wav``, sorted."""
    listed: Split = {}
    for part, name in LISTS.items():
        lines = (folder / name).read_text(encoding="utf-8").split()
        listed[part] = sorted(lines)
        missing = next((line for line in listed[part] if not (folder / line).is_file()), None)
        if missing:
            raise DataError(f"{folder / missing} is in {name}, but there is no such file")
    aside = {file for files in listed.values() for file in files}
    paths = (path for path in folder.glob("*/*.wav") if not path.parent.name.startswith("_"))
    everything = sorted(f"{path.parent.name}/{path.name}" for path in paths)
    return {"train": [file for file in everything if file not in aside], **listed}


def _word(file: str) -> str:
    return file.partition("/")[0]


def _noise(lengths: dict[str, int], part: str, rng: np.random.Generator) -> Clip:
    """Draw a second of noise from the stretch of a recording that ``part`` may use."""
    file = sorted(lengths)[rng.integers(len(lengths))]
    begin, end = (int(share * lengths[file]) for share in PARTS[part])
    start = int(rng.integers(begin, max(begin, end - RATE) + 1))
    return Clip(file, CLASSES.index(SILENCE), start, float(rng.random()))


def fingerprint(folder: Path, seed: int) -> str:
    """Return a name for the features of ``folder``: other files, another name."""
    state = hashlib.sha256(f"{RECIPE} {seed}\n".encode())
    for path in sorted([*folder.glob("*/*.wav"), *(folder / name for name in LISTS.values())]):
        stat = path.stat()
        line = f"{path.relative_to(folder).as_posix()} {stat.st_size} {stat.st_mtime_ns}\n"
        state.update(line.encode())
    return state.hexdigest()[:16]


def features(
    folder: Path, seed: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, np.ndarray]:
    """Return the features of ``folder``: float32 (n, 220), labels and the validation split.

    Parameters
    ----------
    progress : callable, optional
        Told how many clips are done, of how many.

    Raises
    ------
    DataError
        If a file is missing or is not a recording of 16 bits, one channel, 16 kHz.
    """
    parts = plan(folder, seed)
    clips = [*parts["train"], *parts["validation"], *parts["test"]]
    x = np.empty((len(clips), COEFFICIENTS * FRAMES), np.float32)
    noises: dict[str, np.ndarray] = {}
    for done, clip in enumerate(clips, 1):
        samples = noises.get(clip.file)
        if samples is None:
            samples = read_wav(folder / clip.file)
            if clip.file.startswith(NOISE):
                noises[clip.file] = samples
        x[done - 1] = mfcc(clip.volume * samples[clip.start :][:RATE]).ravel()
        if progress and (done % 100 == 0 or done == len(clips)):
            progress(done, len(clips))
    y = np.array([clip.label for clip in clips], np.int64)
    train = len(parts["train"]) + len(parts["validation"])
    return {
        "x_train": x[:train],
        "y_train": y[:train],
        "x_test": x[train:],
        "y_test": y[train:],
        "validation": np.arange(train) >= len(parts["train"]),
    }


def read_wav(path: Path) -> np.ndarray:
    """Return the samples of a recording, float64 in -1..1, shape ``(n,)``."""
    try:
        with wave.open(str(path)) as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(
            f"{path} cannot be read as a wav file: {error or 'it is cut short'}"
        ) from error
    if form != (1, 16, RATE):
        raise DataError(
            f"{path} must have 1 channel of 16 bits at {RATE} Hz, not {form[0]} of {form[1]} "
            f"at {form[2]}"
        )
    if not raw:
        raise DataError(f"{path} has no samples")
    return np.frombuffer(raw[: len(raw) // 2 * 2], "<i2") / 32768
