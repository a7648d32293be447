# SPDX-License-Identifier: Apache-2.0
"""What each weight contributes to the right answer: layer-wise relevance propagation."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

if TYPE_CHECKING:
    from fantastic4.model import Mlp

MOMENTUM = 0.1
"""Weight of the newest batch."""

EPSILON = 0.01
"""What stabilises a quotient, relative to the layer's mean output."""


class Relevance:
    """Running mean of the relevance of every weight.

    The logit of an example's class is handed down by the ε-rule: weight j of row i, the norm's
    scale included, receives ``a_j w_ij / (y_i + ε) · R_i``. The outputs y are those of the
    quantised network and w are the background weights, so that a weight that is zero now can come
    back.

    Members
    -------
    means : one float32 (out, in) a layer
    """

    def __init__(self, model: "Mlp"):
        self.means = [torch.zeros_like(layer.weight) for layer in model.layers]

    @torch.no_grad()
    def update(self, model: "Mlp", x: Tensor, labels: Tensor) -> None:
        """Take in a batch of real inputs (batch, in) and their labels (batch,)."""
        mode = model.training
        model.eval()
        inputs = [x]
        for layer in model.layers:
            inputs.append(layer(inputs[-1]))
        model.train(mode)
        share = inputs[-1] * one_hot(labels, inputs[-1].shape[1])
        for layer, mean, a, y in zip(
            *(model.layers[::-1], self.means[::-1], inputs[-2::-1], inputs[:0:-1]), strict=True
        ):
            scale, _ = layer.norm.affine()
            epsilon = EPSILON * y.abs().mean() + torch.finfo(y.dtype).tiny
            quotient = share / (y + torch.where(y < 0, -epsilon, epsilon)) * scale.float()
            found = (layer.weight * (quotient.T @ a)).abs_()
            mean.copy_(mean.lerp(found, MOMENTUM) if mean.any() else found)
            share = a * (quotient @ layer.weights())

    def of(self, number: int) -> np.ndarray:
        """Return the relevance of the weights of layer ``number``, from 0, in 0..1."""
        mean = self.means[number]
        return (mean / mean.max().clamp(min=torch.finfo(mean.dtype).tiny)).cpu().numpy()
