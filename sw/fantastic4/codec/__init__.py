# SPDX-License-Identifier: Apache-2.0
"""The codec of model files: 4-bit codes, lossless, in about their entropy and often less.

In the spirit of DeepCABAC (arXiv 1907.11900): each code is a chain of yes-or-no questions (zero?
then, value by value), answered with an arithmetic coder whose probabilities adapt to what was
coded before. `encode` and `decode` take all planes of a network; one stream holds them.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from fantastic4.codec.coder import Decoder, Encoder
from fantastic4.codec.plane import code_plane
from fantastic4.config import MAX_FEATURES, MAX_LAYERS, MAX_PLANES
from fantastic4.errors import ModelError

CHECKSUM = 4
"""Bytes of CRC-32 at the end, little endian."""

_LIMITS = (MAX_PLANES, MAX_FEATURES, MAX_FEATURES)


def encode(layers: Sequence[np.ndarray]) -> bytes:
    """Return the stream of a network's codes.

    Parameters
    ----------
    layers : sequence of numpy.ndarray
        1..16 arrays, uint8 in 0..15, shape ``(planes, out_features, in_features)`` each.
    """
    coder = Encoder()
    coder.number(MAX_LAYERS, len(layers) - 1)
    for codes in layers:
        for size, limit in zip(codes.shape, _LIMITS, strict=True):
            coder.number(limit, size - 1)
        for plane in codes:
            code_plane(coder, plane.shape, plane)
    stream = coder.finish()
    return stream + zlib.crc32(stream).to_bytes(CHECKSUM, "little")


def decode(stream: bytes) -> list[np.ndarray]:
    """Return the arrays that `encode` was given.

    Raises
    ------
    ModelError
        If the stream is truncated or was altered.
    """
    body, checksum = stream[:-CHECKSUM], stream[-CHECKSUM:]
    if zlib.crc32(body).to_bytes(CHECKSUM, "little") != checksum:
        raise ModelError("the codes are damaged: their checksum does not match")
    coder = Decoder(body)
    layers = []
    for _ in range(coder.number(MAX_LAYERS) + 1):
        planes, rows, columns = (coder.number(limit) + 1 for limit in _LIMITS)
        layers.append(np.stack([code_plane(coder, (rows, columns)) for _ in range(planes)]))
    return layers
