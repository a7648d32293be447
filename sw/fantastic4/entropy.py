# SPDX-License-Identifier: Apache-2.0
"""The entropy term of EC4T: which of 16 codes a weight takes when rare codes cost more.

Weights are assigned one by one, ``c* = argmin_c (w - w_c)**2 - lambda * log2 P_c``. As a function
of w that is the lower envelope of 16 parabolas of equal curvature, so each code wins on intervals
of the line, and a whole matrix is assigned by comparing it with the few thresholds between them.

Equations are those of EC2T (arXiv 2004.01077) and ECQ (arXiv 2109.04236), for 16 centroids.
"""

import math
from dataclasses import dataclass

import numpy as np

CODES = 16
BITS = np.arange(CODES)[:, None] >> np.arange(4) & 1
"""Bit i of code c at ``BITS[c, i]``: whether ω_i is part of w_c."""

ORDER = np.array(sorted(range(CODES), key=lambda c: (c.bit_count(), c)))
"""Codes by preference where two cost the same: fewer bits set are fewer additions."""

ZERO_FLOOR = 0.5
"""P_0 is taken to be at least this."""

SIZE_FLOOR = 0.05
"""ς: what the size of a layer adds to its share of the pressure."""

RANK = np.argsort(ORDER).tolist()
"""Place of each code in `ORDER`."""

LEAST = np.float32(-np.inf)


@dataclass(frozen=True)
class Decision:
    """A map from weights to codes that is constant between thresholds.

    Parameters
    ----------
    thresholds : numpy.ndarray
        float32, ascending, shape ``(n,)``.
    codes : numpy.ndarray
        uint8, shape ``(n + 1,)``: a weight above exactly k thresholds takes ``codes[k]``.
    """

    thresholds: np.ndarray
    codes: np.ndarray

    def __call__(self, weight: np.ndarray) -> np.ndarray:
        """Return the code of every weight, uint8 of the shape of ``weight`` (float32)."""
        steps = np.diff(self.codes)  # modulo 256, as the sum below
        codes = np.full(weight.shape, self.codes[0], np.uint8)
        above = np.empty(weight.shape, np.uint8)
        for threshold, step in zip(self.thresholds, steps, strict=True):
            np.greater(weight, threshold, out=above.view(bool))
            np.multiply(above, step, out=above)
            np.add(codes, above, out=codes)
        return codes

    def counts(self, weight: np.ndarray) -> np.ndarray:
        """Return how many weights take each code, int64, shape ``(16,)``."""
        this = np.empty(weight.shape, bool)
        above = [weight.size]
        for threshold in self.thresholds:
            above.append(int(np.count_nonzero(np.greater(weight, threshold, out=this))))
        inside = -np.diff(np.array([*above, 0]))
        return np.bincount(self.codes, inside, CODES).astype(np.int64)


def decide(centroids: np.ndarray, cost: np.ndarray) -> Decision:
    """Return the exact decision for ``argmin_c (w - w_c)**2 + cost_c``.

    Parameters
    ----------
    centroids, cost : numpy.ndarray
        float64, shape ``(16,)``; a code of infinite cost is never taken, and not all may be.
    """
    centroids, cost = np.asarray(centroids, np.float64), np.asarray(cost, np.float64)
    height = centroids**2 + cost
    winners, points = _envelope(2 * centroids, height)
    # On such a point two codes, or more, cost the same.
    score = height[ORDER] - 2 * points[:, None] * centroids[ORDER]
    codes = np.empty(2 * points.size + 1, np.uint8)
    codes[0::2], codes[1::2] = winners, ORDER[score.argmin(axis=1)]
    # In float32, w < p is "not above the number before p" and w <= p is "not above p".
    below = points.astype(np.float32)
    below = np.where(below > points, np.nextafter(below, LEAST), below)
    thresholds = np.empty(2 * points.size, np.float32)
    thresholds[0::2] = np.where(below == points, np.nextafter(below, LEAST), below)
    thresholds[1::2] = below
    change = codes[1:] != codes[:-1]
    return Decision(thresholds[change], np.concatenate([codes[:1], codes[1:][change]]))


def _envelope(slope: np.ndarray, height: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Return the codes of the lowest lines ``height - slope * w`` along w, and where they meet."""
    known = zip(slope.tolist(), height.tolist(), RANK, range(CODES), strict=True)
    lines = sorted(line for line in known if line[1] < math.inf)
    winners: list[tuple[float, float, int]] = []
    points: list[float] = []
    for steep, high, _, code in lines:
        if winners and winners[-1][0] == steep:
            continue  # of parallel lines the first is the lowest
        while winners:
            point = (high - winners[-1][1]) / (steep - winners[-1][0])
            if not points or point > points[-1]:
                points.append(point)
                break
            winners.pop()
            points.pop()
        winners.append((steep, high, code))
    return [code for _, _, code in winners], np.array(points)


def probabilities(counts: np.ndarray) -> np.ndarray:
    """Return P_c, float64 (16,), of ``counts`` with P_0 floored and the others shrunk to fit."""
    p = counts / counts.sum()
    if p[0] < ZERO_FLOOR:
        p = p * (1 - ZERO_FLOOR) / (1 - p[0])
        p[0] = ZERO_FLOOR
    return p


def information(p: np.ndarray) -> np.ndarray:
    """Return ``-log2 P_c``, float64 (16,): infinite for an empty cluster."""
    bits = np.full(CODES, np.inf)
    bits[p > 0] = -np.log2(p[p > 0])
    return bits


def strength_limit(low: float, high: float, centroids: np.ndarray, bits: np.ndarray) -> float:
    """Return λmax, the least λ that empties an outermost cluster into the zero cluster.

    For the outermost cluster n in use on the side of the extreme weight w,
    ``λ_n = (w**2 - (w - w_n)**2) / (I_n - I_0)``; λmax is the smaller of the two sides.

    Parameters
    ----------
    low, high : float
        The extreme weights of the layer.
    centroids, bits : numpy.ndarray
        float64, shape ``(16,)``; I_c as from `information`.
    """
    limits = []
    for extreme, side in ((low, -1), (high, 1)):
        used = np.isfinite(bits) & (centroids * side > 0)
        if not used.any():
            continue
        outer = int(np.argmax(np.where(used, centroids * side, -np.inf)))
        gain = extreme**2 - (extreme - centroids[outer]) ** 2
        surprise = bits[outer] - bits[0]
        if gain > 0 and surprise > 0:
            limits.append(gain / surprise)
    return float(min(limits, default=0.0))


def size_share(weights: int, largest: int) -> float:
    """Return δ of a layer, ``(n / n_max + ς) / (1 + ς)``: larger layers are pressed harder."""
    return (weights / largest + SIZE_FLOOR) / (1 + SIZE_FLOOR)


def code_cost(strength: float, bits: np.ndarray) -> np.ndarray:
    """Return ``λ I_c``, float64 (16,): infinite for an empty cluster, whatever λ."""
    cost = np.full(CODES, np.inf)
    used = np.isfinite(bits)
    cost[used] = strength * bits[used]
    return cost


def entropy(codes: np.ndarray) -> float:
    """Return the first-order entropy of ``codes`` in bits a weight."""
    p = np.bincount(np.asarray(codes).ravel(), minlength=CODES) / np.asarray(codes).size
    p = p[p > 0]
    return float(np.maximum(-(p * np.log2(p)).sum(), 0.0))
