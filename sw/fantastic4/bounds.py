# SPDX-License-Identifier: Apache-2.0
"""Proof that no accumulator of the chip can wrap, for the weights at hand."""

from typing import NamedTuple

import numpy as np

from fantastic4.network import IntegerLayer


class Bounds(NamedTuple):
    """Least and greatest value of each row, int64, shape ``(out_features,)``."""

    least: np.ndarray
    greatest: np.ndarray

    def outside(self, bits: int) -> np.ndarray:
        """Return the rows that ``bits`` signed bits do not hold."""
        limit = 1 << bits - 1
        return np.flatnonzero((self.least < -limit) | (self.greatest >= limit))


def accumulator_bounds(layer: IntegerLayer, greatest_input: int = 255) -> Bounds:
    """Bound every partial sum of the accumulator: bias, then tile after tile, plane after plane.

    Each mask of each tile is bounded by itself, so the order of additions does not matter:
    a partial sum lies between the bias plus all negative and the bias plus all positive terms.
    """
    least, greatest = layer.bias.astype(np.int64), layer.bias.astype(np.int64)
    for i in range(layer.basis.shape[2]):
        counts = (layer.codes >> i & 1).sum(axis=2, dtype=np.int64)  # (planes, out)
        terms = counts * layer.basis[:, :, i].astype(np.int64).T * greatest_input
        least = least + np.minimum(terms, 0).sum(axis=0)
        greatest = greatest + np.maximum(terms, 0).sum(axis=0)
    return Bounds(least, greatest)


def output_bounds(layer: IntegerLayer, greatest_input: int = 255) -> Bounds:
    """Bound ``z``, exactly: each input is free in ``0..greatest_input``."""
    weights = layer.values().sum(axis=0)  # planes see the same inputs
    bias = layer.bias.astype(np.int64)
    return Bounds(
        bias + greatest_input * np.minimum(weights, 0).sum(axis=1),
        bias + greatest_input * np.maximum(weights, 0).sum(axis=1),
    )
