# SPDX-License-Identifier: Apache-2.0
"""Seeded random integer networks, extremes included: what tests and benchmarks run on."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fantastic4.bias import MAX_BIAS_SHIFT
from fantastic4.bounds import output_bounds
from fantastic4.config import BASIS_COUNT
from fantastic4.network import InputQuant, IntegerLayer, Network


def random_layer(
    rng: np.random.Generator,
    in_features: int,
    out_features: int,
    *,
    planes: int = 1,
    per_row: bool = False,
    density: float = 0.5,
    names: int = 15,
    extreme: bool = False,
    logits: bool = False,
    name: str = "layer",
) -> IntegerLayer:
    """Return a layer with random codes, of which a share ``density`` is not zero.

    Codes that are not zero are 1 to ``names``.
    ``extreme`` draws the basis from the ends of its range. The rounding shift is chosen so that
    outputs spread over, and beyond, the clamp. Biases are narrow or wide (``fantastic4.bias``).
    """
    codes = rng.integers(1, names + 1, (planes, out_features, in_features), np.uint8)
    codes[rng.random(codes.shape) >= density] = 0
    shape = (out_features if per_row else 1, planes, BASIS_COUNT)
    if extreme:
        basis = rng.choice(np.array([-32768, -32767, -1, 0, 1, 32767]), shape)
    else:
        basis = rng.integers(-2000, 2001, shape)
    basis = basis.astype(np.int32)
    bias = _random_bias(rng, out_features, extreme=extreme)
    layer = IntegerLayer(name, codes, basis, bias, logits=logits)
    bounds = output_bounds(layer)
    if logits:
        while len(output_bounds(layer).outside(32)):
            layer = IntegerLayer(name, codes, layer.basis // 2, bias // 2, logits=True)
        return layer
    span = max(int(np.abs(np.stack(bounds)).max()), 1)
    shift = int(np.clip(span.bit_length() - 9 + rng.integers(-1, 2), 0, 35))
    low, high = sorted(rng.integers(0, 256, 2).tolist()) if extreme else (0, 255)
    return IntegerLayer(name, codes, basis, bias, shift, low, high)


def _random_bias(rng: np.random.Generator, rows: int, *, extreme: bool) -> np.ndarray:
    """Return biases, int64 ``(rows,)``: of half the layers 16-bit mantissas with one shift."""
    if not rng.integers(2):
        return rng.integers(-(2**20), 2**20, rows)
    if extreme:
        ends = np.array([-32768, -32767, -1, 0, 1, 32767])
        return rng.choice(ends, rows) << rng.integers(MAX_BIAS_SHIFT + 1)
    return rng.integers(-(2**15), 2**15, rows) << rng.integers(6)


def random_network(
    rng: np.random.Generator,
    widths: list[int],
    *,
    extreme: bool = False,
    density: float | Sequence[float] | None = None,
    names: Sequence[int] = (15,),
    logits: bool = True,
) -> Network:
    """Return a network of ``len(widths) - 1`` layers; planes and kind of basis vary by layer.

    ``density``, if it is several, and ``names`` go round with the layers.
    """
    densities = density if isinstance(density, Sequence) else [density]
    layers = []
    last = len(widths) - 2
    for index, (columns, rows) in enumerate(pairwise(widths)):
        share = densities[index % len(densities)]
        layers.append(
            random_layer(
                rng,
                columns,
                rows,
                planes=int(rng.choice([1, 1, 1, 2])),
                per_row=bool(rng.integers(2)),
                density=rng.uniform(0, 1) if share is None else share,
                names=names[index % len(names)],
                extreme=extreme,
                logits=logits and index == last,
                name=f"layer{index}",
            )
        )
    quant = InputQuant(gain=np.ones(1), offset=np.zeros(1))
    return Network(tuple(layers), quant)
