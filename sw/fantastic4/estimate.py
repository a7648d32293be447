# SPDX-License-Identifier: Apache-2.0
"""Bits that the chip's formats take for a layer, from how often each of its codes occurs.

For independent codes on banks of `LANES` lanes, without padding: what `fantastic4.cost` counts
exactly, at the price of packing, this tells while a network is still being trained. With density d
and names of v bits, positions take

    bitmask    1
    bitmask2   2 / lanes + 1 - (1 - d)**(lanes / 2)
    csr        32 g d / (n (g + v) (1 - q)),   q = (1 - d)**(2**g - 1)

bits a weight and names v·d, where csr writes tokens of g + v bits, n to a word of 32, and q is how
often a gap runs over; *dense*, *ternary* and *ternary5* take 4, 2 and 1.6 in all.
"""

import numpy as np

from fantastic4.formats.csr import MAX_GAP, WIDTHS
from fantastic4.formats.names import name_width
from fantastic4.layout import LAYER

LANES = 8
"""Lanes of a bank."""

DENSE, TERNARY, TERNARY5 = 4.0, 2.0, 1.6

LAYER_BITS = 64 + LAYER.width
"""A basis and a layer record."""

BIAS_BITS = 16


def format_bits(counts: np.ndarray) -> dict[str, float]:
    """Return what each format that can express the codes takes, bits a weight.

    Parameters
    ----------
    counts : numpy.ndarray
        How often each code occurs, shape ``(16,)``, not all 0.
    """
    values = int(np.count_nonzero(counts[1:]))
    density = 1 - float(counts[0] / counts.sum())
    width = name_width(values)
    found = {kind: bits + width * density for kind, bits in _masks(density).items()}
    found["dense"] = DENSE
    if values <= 3:
        found["ternary"] = TERNARY
    if values <= 2:
        found["ternary5"] = TERNARY5
    found["csr"] = min(_tokens(density, width), default=np.inf)
    return found


def code_bits(counts: np.ndarray) -> float:
    """Return what the smallest format takes, bits a weight."""
    return min(format_bits(counts).values())


def layer_bits(planes: np.ndarray) -> float:
    """Return what a layer takes in all, bits a weight; of codes (planes, out, in), uint8."""
    counts = [np.bincount(plane.ravel(), minlength=16) for plane in planes]
    rows, columns = planes.shape[1:]
    beside = LAYER_BITS * len(planes) + BIAS_BITS * rows
    return sum(map(code_bits, counts)) + beside / (rows * columns)


def stored_information(counts: np.ndarray) -> np.ndarray:
    """Return the stored bits that each code answers for, float64 (16,).

    Zero answers for none. The others share what the positions take equally, those of the format
    that is smallest at this density, with at most half of the weights taken to be other than zero.
    A name takes as many bits as the names of all codes that are as frequent, or more; so the last
    code that needs a further bit pays for it. A code that does not occur costs infinity.
    """
    bits = np.full(16, np.inf)
    bits[0] = 0.0
    used = int(np.count_nonzero(counts[1:]))
    if not used:
        return bits
    density = min(1 - float(counts[0] / counts.sum()), 0.5)
    width = name_width(used)
    token = min(_tokens(density, width), default=np.inf) - width * density
    positions = min(*_masks(density).values(), token) / density
    order = 1 + np.argsort(-counts[1:], kind="stable")[:used]
    bits[order] = positions + np.array([name_width(rank + 1) for rank in range(used)])
    return bits


def _masks(density: float) -> dict[str, float]:
    """Return the bits a weight of the formats that mask."""
    groups = 2 / LANES + 1 - (1 - density) ** (LANES // 2)
    return {"bitmask": 1.0, "bitmask2": groups}


def _tokens(density: float, width: int) -> list[float]:
    """Return the bits a weight of *csr*, names included, for each width that a token may have."""
    found = []
    for token in WIDTHS[LANES]:
        gap = token - width
        if 1 <= gap <= MAX_GAP:
            over = (1 - density) ** ((1 << gap) - 1)
            slots = 4 * LANES // token
            found.append(4 * LANES / slots * density / (1 - over) if density else 0.0)
    return found
