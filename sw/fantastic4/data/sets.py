# SPDX-License-Identifier: Apache-2.0
"""The data sets. A further one is one decorated function here."""

from functools import partial
from pathlib import Path

import numpy as np

from fantastic4.data import speech
from fantastic4.data.fetch import Files, Progress, download_idx
from fantastic4.data.registry import dataset
from fantastic4.data.split import stratified_split
from fantastic4.data.task import DataSet
from fantastic4.errors import DataError

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_FILES = {
    "x_train": ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
    "y_train": ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    "x_test": ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    "y_test": ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
}
"""Each array's file, and the md5 of that file uncompressed."""

DIGITS = tuple("0123456789")
ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "laying")


def flat(array: np.ndarray) -> np.ndarray:
    """Return ``array`` with all but its first axis as one."""
    return array.reshape(len(array), -1)


@dataset("digits")
def digits(files: Files, seed: int) -> DataSet:
    """8×8 images of digits, values 0..16, inside scikit-learn: 1437 training, 360 test."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "digits comes with scikit-learn: pip install 'fantastic4[train]'"
        ) from error
    x, y = load_digits(return_X_y=True)
    train, test = stratified_split(y, 0.2, seed)
    x, y = x.astype(np.uint8), y.astype(np.int64)
    return DataSet("digits", x[train], y[train], x[test], y[test], DIGITS, "global")


@dataset("mnist")
def mnist(files: Files, seed: int) -> DataSet:
    """28×28 images of digits, bytes: 60,000 training, 10,000 test."""

    def download(progress: Progress | None) -> dict[str, np.ndarray]:
        return {
            key: download_idx(name, md5, MNIST_MIRRORS, progress)
            for key, (name, md5) in MNIST_FILES.items()
        }

    z = files.arrays("mnist/mnist.npz", tuple(MNIST_FILES), download)
    return DataSet(
        "mnist",
        flat(z["x_train"]),
        z["y_train"].astype(np.int64),
        flat(z["x_test"]),
        z["y_test"].astype(np.int64),
        DIGITS,
        "none",
    )


@dataset("gsc12")
def gsc12(files: Files, seed: int) -> DataSet:
    """Google Speech Commands, 12 classes, 20 MFCC × 11 frames: 25,695 training, 4,890 test.

    If the folder given is that of the recordings, from them.
    """
    if files.folder is not None and speech.is_folder(files.folder):
        return _recorded(files.folder, files, seed)
    keys = ("x_train", "y_train", "x_test", "y_test", "classes", "scale")
    hint = "or give that of the recordings, with its testing_list.txt"
    z = files.arrays("gsc12_mfcc220/gsc12_mfcc220.npz", keys, hint=hint)
    return DataSet(
        "gsc12",
        flat(z["x_train"]) * np.float32(z["scale"]),
        z["y_train"].astype(np.int64),
        flat(z["x_test"]) * np.float32(z["scale"]),
        z["y_test"].astype(np.int64),
        tuple(str(name) for name in z["classes"]),
        "feature",
    )


def _recorded(folder: Path, files: Files, seed: int) -> DataSet:
    """Return the features of the recordings in ``folder``, kept in the cache."""

    def make() -> dict[str, np.ndarray]:
        told = files.progress
        return speech.features(folder, seed, told and partial(told, "features of recordings"))

    keys = ("x_train", "y_train", "x_test", "y_test", "validation")
    z = files.made(f"gsc12_wav/{speech.fingerprint(folder, seed)}.npz", keys, make)
    return DataSet("gsc12", **z, classes=speech.CLASSES, normalise="feature")


@dataset("har")
def har(files: Files, seed: int) -> DataSet:
    """Six human activities from 144 features of a waist phone: 7,415 training, 2,996 test."""
    z = files.arrays("har_hapt/har_hapt_feat144.npz", ("x", "y", "test"))
    x, y, test = z["x"], z["y"].astype(np.int64), z["test"]
    return DataSet("har", x[~test], y[~test], x[test], y[test], ACTIVITIES, "feature")
