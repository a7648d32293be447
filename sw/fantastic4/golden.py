# SPDX-License-Identifier: Apache-2.0
"""The integer reference the hardware is held against, stage by stage; numpy only.

The stages carry the names of the hardware's: ``decode``, ``accumulate``, ``multiply``, ``post``.
Every intermediate of the chip is an intermediate here, and all are exact: sums of a tile stay
below 2**24, so that even a float32 matrix product gives them without rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fantastic4.config import BASIS_COUNT, MAX_TILE
from fantastic4.errors import ModelError
from fantastic4.network import IntegerLayer, Network


@dataclass(frozen=True)
class Result:
    """What the chip answers for a batch.

    Parameters
    ----------
    outputs : numpy.ndarray
        int64, shape ``(batch, out_features)``: logits, or activations if the last layer has none.
    best : numpy.ndarray
        int64, shape ``(batch,)``: index of the largest output, the lowest one of equals.
    """

    outputs: np.ndarray
    best: np.ndarray


def decode(codes: np.ndarray) -> np.ndarray:
    """Return the four binary masks of ``codes``.

    Takes uint8 ``(planes, out, in)``; gives float32 zeros and ones ``(planes, 4, out, in)``.
    """
    masks = [(codes >> i) & 1 for i in range(BASIS_COUNT)]
    return np.stack(masks, axis=1).astype(np.float32)


def accumulate(masks: np.ndarray, x: np.ndarray, tile: int = MAX_TILE) -> np.ndarray:
    """Return ``s[b, r, p, t, i] = sum_j B_i[p, r, j] * x[b, j]`` over the columns j of tile t.

    Parameters
    ----------
    masks : numpy.ndarray
        As ``decode`` gives them, ``(planes, 4, out, in)``.
    x : numpy.ndarray
        Activations, uint8 ``(batch, in)``.
    tile : int
        Columns of a tile, at most 512.

    Returns
    -------
    numpy.ndarray
        int64, ``(batch, out, planes, tiles, 4)``.
    """
    planes, _, rows, columns = masks.shape
    tiles = -(-columns // tile)
    acts = x.astype(np.float32)
    sums = np.empty((len(x), rows, planes, tiles, BASIS_COUNT), np.int64)
    for t in range(tiles):
        part = slice(t * tile, min((t + 1) * tile, columns))
        flat = masks[..., part].reshape(-1, part.stop - part.start)
        product = acts[:, part] @ flat.T
        sums[:, :, :, t, :] = product.reshape(len(x), planes, BASIS_COUNT, rows).transpose(
            0, 3, 1, 2
        )
    return sums


def multiply(sums: np.ndarray, basis: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return ``z[b, r] = bias[r] + sum_{p, t, i} basis[r, p, i] * s[b, r, p, t, i]``, int64."""
    omega = basis.astype(np.int64)[None, :, :, None, :]
    return bias.astype(np.int64) + (sums * omega).sum(axis=(2, 3, 4))


def post(z: np.ndarray, shift: int, low: int, high: int) -> np.ndarray:
    """Return ``clamp(floor(z / 2**shift + 1/2), low, high)``, uint8, in integers throughout."""
    rounded = z if shift == 0 else ((z >> (shift - 1)) + 1) >> 1
    return np.clip(rounded, low, high).astype(np.uint8)


def run_layer(layer: IntegerLayer, x: np.ndarray, tile: int = MAX_TILE) -> np.ndarray:
    """Return what ``layer`` gives for activations ``x``: uint8, or int64 logits."""
    z = multiply(accumulate(decode(layer.codes), x, tile), layer.basis, layer.bias)
    return z if layer.logits else post(z, layer.shift, layer.low, layer.high)


def predict(
    network: Network,
    x: np.ndarray,
    batch: int = 512,
    progress: Callable[[int], None] = lambda done: None,
) -> Result:
    """Run ``network`` on activations.

    Parameters
    ----------
    network : Network
        Integer layers.
    x : numpy.ndarray
        uint8, shape ``(n, in_features)``.
    batch : int
        Inputs computed at a time.
    progress : callable
        Told how many inputs are done.

    Raises
    ------
    ModelError
        If ``x`` has another type or width.
    """
    check_inputs(network, x)
    outputs = np.empty((len(x), network.out_features), np.int64)
    for start in range(0, len(x), batch):
        y = x[start : start + batch]
        for layer in network.layers:
            y = run_layer(layer, y)
        outputs[start : start + batch] = y
        progress(min(start + batch, len(x)))
    return Result(outputs, outputs.argmax(axis=1) if len(x) else np.empty(0, np.int64))


def check_inputs(network: Network, x: np.ndarray) -> None:
    """Raise ``ModelError`` unless ``x`` is uint8 of shape ``(n, network.in_features)``."""
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != network.in_features:
        raise ModelError(
            f"inputs must be uint8 of shape (n, {network.in_features}), "
            f"not {x.dtype} of shape {x.shape}"
        )
