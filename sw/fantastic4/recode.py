# SPDX-License-Identifier: Apache-2.0
"""Other codes and another basis for the same weights: what is cheaper to store and to add up."""

from dataclasses import replace

import numpy as np

from fantastic4.config import BASIS_COUNT
from fantastic4.network import IntegerLayer

_LIMIT = 1 << 15


def recode(layer: IntegerLayer) -> IntegerLayer:
    """Return ``layer`` with one mask for each of its values, if a plane has at most four.

    Each weight that is not zero is then added under one mask instead of up to four, and a plane of
    at most two values has codes 0, 1 and 2, which ``ternary5`` stores. Weights, and so all
    outputs, are the same. The most frequent value gets code 1. A plane with more values, or with
    one that 16 bits do not hold, keeps its codes.
    """
    codes, basis = layer.codes.copy(), layer.basis.copy()
    for plane in range(layer.planes):
        counts = np.bincount(codes[plane].ravel(), minlength=16)
        used = [int(code) for code in np.argsort(-counts, kind="stable") if code and counts[code]]
        bits = np.array(used, int)[:, None] >> np.arange(BASIS_COUNT) & 1
        values = layer.basis[:, plane].astype(np.int64) @ bits.T  # (rows, used)
        if len(used) > BASIS_COUNT or (values < -_LIMIT).any() or (values >= _LIMIT).any():
            continue
        table = np.zeros(16, np.uint8)
        table[used] = 1 << np.arange(len(used), dtype=np.uint8)
        codes[plane] = table[codes[plane]]
        basis[:, plane] = 0
        basis[:, plane, : len(used)] = values
    return replace(layer, codes=codes, basis=basis)
