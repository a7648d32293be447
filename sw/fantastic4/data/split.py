# SPDX-License-Identifier: Apache-2.0
"""How a data set without splits of its own is split."""

import numpy as np


def stratified_split(y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted indices of two parts of ``y``; the second has ``share`` of every class.

    The second part holds exactly ``ceil(share * len(y))``: whole examples are dealt to the
    classes with the largest remainders.
    """
    rng = np.random.default_rng(seed)
    labels, counts = np.unique(y, return_counts=True)
    quota = counts * share
    take = np.floor(quota).astype(int)
    missing = int(np.ceil(share * len(y))) - take.sum()
    take[np.argsort(take - quota, kind="stable")[:missing]] += 1
    second = np.zeros(len(y), bool)
    for label, number in zip(labels, take, strict=True):
        second[rng.permutation(np.flatnonzero(y == label))[:number]] = True
    return np.flatnonzero(~second), np.flatnonzero(second)
