# SPDX-License-Identifier: Apache-2.0
"""Which layers deserve 8-bit weights: those that lose most by 4 bits, for their size."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fantastic4.methods import Method
from fantastic4.model import Layer, Mlp

SHARE = 0.05
"""Share of a network's weights that may become wide."""


def choose_wide(model: Mlp, method: Method, x: Tensor, labels: Tensor) -> tuple[int, ...]:
    """Return the layers to be wide, from 1: the most sensitive, up to `SHARE` of all weights.

    A layer's sensitivity is what the loss grows by for each of its weights when only this layer is
    quantised, without training. One that loses nothing stays narrow.

    Parameters
    ----------
    model : Mlp
        In float; it is left so.
    x, labels : Tensor
        Real inputs (n, features) that choose, and their labels (n,).
    """
    sizes = [layer.weight.numel() for layer in model.layers]
    losses = sensitivities(model, method, x, labels)
    most = SHARE * sum(sizes)
    chosen: list[int] = []
    order = sorted(range(len(sizes)), key=lambda i: -losses[i] / sizes[i])
    for index in order:
        if losses[index] > 0 and sizes[index] <= most:
            chosen.append(index + 1)
            most -= sizes[index]
    return tuple(sorted(chosen))


@torch.no_grad()
def sensitivities(model: Mlp, method: Method, x: Tensor, labels: Tensor) -> list[float]:
    """Return what the loss on ``x`` grows by when one layer is quantised, for each layer."""
    model.eval()

    def loss() -> float:
        return float(cross_entropy(model(x), labels))

    def quantised(layer: Layer) -> float:
        layer.quantise(method, wide=False)
        layer.assign(method, renew=True, relevance=None)
        found = loss()
        layer.quantised = False
        return found

    before = loss()
    return [quantised(layer) - before for layer in model.layers]
