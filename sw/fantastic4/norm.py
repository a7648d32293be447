# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation with one scale for a layer or one for each feature."""

from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-5
MOMENTUM = 0.1
"""Weight of the newest batch in running statistics."""


class _Normalise(torch.autograd.Function):
    """Normalisation by a batch's own statistics, with the gradient in closed form.

    With c = z - mean, v the mean of c² and r = (v + ε)^(-1/2), the output is ``g·r·c + bias``, and

        ∂L/∂z = g·r·(G - mean G) - g·r³·S·c / n,   ∂L/∂g = r·S,   S = Σ G·c

    where G is the output's gradient and sums are over the n numbers that share one v. Returns
    output, mean and v.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, gain: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        mean = z.mean(0)
        centred = z - mean
        count = z.numel() // gain.numel()
        variance = _sums(centred, centred, gain) / count
        root = torch.rsqrt(variance + EPSILON)
        ctx.save_for_backward(centred, gain, root)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        return torch.addcmul(bias, centred, gain * root), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradient = gradients[0]
        centred, gain, root = ctx.saved_tensors
        sums = _sums(gradient, centred, gain)
        scale = gain * root
        total = gradient.sum(0)
        to_z = torch.addcmul(-scale * total / len(gradient), gradient, scale)
        to_z.addcmul_(centred, -scale * root.square() * sums / ctx.count)
        return to_z, root * sums, total


def _sums(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    """Return Σ a·b over what shares one element of ``like``."""
    if like.numel() == 1:
        return torch.dot(a.reshape(-1), b.reshape(-1)).reshape(1)
    return (a * b).sum(0)


class Norm(nn.Module):
    """Batch normalisation, an affine map ``scale * z + offset`` once trained.

    Mean and bias belong to a feature. Variance and gain do too if ``per_row``; else they are one
    number for the layer, which leaves the fold with one basis for all rows.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, features: int, per_row: bool):
        super().__init__()
        scales = features if per_row else 1
        self.gain = nn.Parameter(torch.ones(scales))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(scales))
        self.frozen = False

    def forward(self, z: Tensor) -> Tensor:
        """Return the normalised ``z`` (batch, features); in training, by the batch's statistics."""
        if self.training and not self.frozen:
            result: Any = _Normalise.apply(z, self.gain, self.bias)
            y, mean, variance = result
            self.mean.lerp_(mean, MOMENTUM)
            self.variance.lerp_(variance, MOMENTUM)
            return y
        scale = self.gain * torch.rsqrt(self.variance + EPSILON)
        return torch.addcmul(self.bias - self.mean * scale, z, scale)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return scale, (features,) or (1,), and offset, (features,), in float64."""
        scale = self.gain.double() * torch.rsqrt(self.variance.double() + EPSILON)
        return scale, self.bias.double() - self.mean.double() * scale
