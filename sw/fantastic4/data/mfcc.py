# SPDX-License-Identifier: Apache-2.0
"""Mel-frequency cepstral coefficients of a recording, as the features of ``gsc12`` were made.

Every third sample is kept, unfiltered, and the rest is done as if the rate were still 16 kHz: power
spectra of 2048 samples, Hann window, every 512; 128 triangles on Slaney's mel scale, each of unit
area; decibels, at most 80 below the loudest; orthonormal cosine transform. These are the defaults
of ``librosa.feature.mfcc``.
"""

from functools import cache

import numpy as np

RATE = 16_000
"""Samples a second of a recording."""

COEFFICIENTS, FRAMES = 20, 11
KEEP = 3
WINDOW, HOP, BANDS = 2048, 512, 128
FLOOR, RANGE = 1e-10, 80.0
"""Least power, and decibels below the loudest, that count."""

LINEAR_END, LINEAR_STEP = 1000.0, 200 / 3
"""Slaney's mel scale is linear below the first (Hz), with mels of the second (Hz)."""

LOG_STEP = np.log(6.4) / 27
"""Above, a mel is this step of ln f."""


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Return the features of a recording, float32 (20, 11).

    Parameters
    ----------
    samples : numpy.ndarray
        A second at 16 kHz, -1..1, shape ``(n,)``; frames that are missing are zeros, and zeros at
        the end do not count.
    """
    loud = np.flatnonzero(samples)
    kept = samples[: loud[-1] + 1 if loud.size else None][::KEEP]
    padded = np.pad(kept, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:FRAMES]
    power = np.abs(np.fft.rfft(frames * hann(), axis=1)) ** 2
    level = 10 * np.log10(np.maximum(FLOOR, power @ mel_filters().T))
    level = np.maximum(level, level.max() - RANGE)
    features = np.zeros((COEFFICIENTS, FRAMES), np.float32)
    features[:, : len(level)] = cosine_transform() @ level.T
    return features


@cache
def hann() -> np.ndarray:
    """Return the periodic Hann window, shape ``(2048,)``."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


@cache
def mel_filters() -> np.ndarray:
    """Return the weight of each frequency in each band, shape ``(128, 1025)``."""
    top = LINEAR_END / LINEAR_STEP + np.log(RATE / 2 / LINEAR_END) / LOG_STEP
    mels = np.linspace(0, top, BANDS + 2)
    above = mels - LINEAR_END / LINEAR_STEP
    edges = np.where(
        above < 0, mels * LINEAR_STEP, LINEAR_END * np.exp(LOG_STEP * np.maximum(above, 0))
    )
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


@cache
def cosine_transform() -> np.ndarray:
    """Return the first rows of the orthonormal DCT-II, shape ``(20, 128)``."""
    rows, columns = np.arange(COEFFICIENTS)[:, None], np.arange(BANDS)
    matrix = np.cos(np.pi * rows * (columns + 0.5) / BANDS) * np.sqrt(2 / BANDS)
    matrix[0] /= np.sqrt(2)
    return matrix
