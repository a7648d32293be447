# SPDX-License-Identifier: Apache-2.0
"""The multilayer perceptron in PyTorch: first in float32, then as the integers will compute it."""

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from fantastic4.config import BASIS_COUNT
from fantastic4.dense import product
from fantastic4.entropy import CODES, size_share
from fantastic4.errors import FantasticError
from fantastic4.methods import int8
from fantastic4.methods.method import Method
from fantastic4.methods.relevance import Relevance
from fantastic4.norm import MOMENTUM, Norm
from fantastic4.quant import (
    ACT_MAX,
    by_numpy,
    codebook,
    dequantise_wide,
    look_up,
    quantise_activation,
)
from fantastic4.straight import quantised_product

BASIS_MODES = ("layer", "row")
PEAK = 0.999
"""Share of a layer's activations that 8 bits must reach without clipping."""

NEARLY = 0.75
"""Share of the highest activations so far above which those of a batch are looked for."""


def ranked(values: np.ndarray, place: int, least: float) -> float:
    """Return the number at ``place``, from 0, of the sorted ``values``, float32 (n,).

    It is found among those above ``least`` if it is one of them, which then takes a tenth of the
    time; else among all.
    """
    high = values[values > least] if least > 0 else values
    behind = len(values) - place
    if len(high) < behind:
        high = values
    return float(np.partition(high, len(high) - behind)[len(high) - behind])


class Layer(nn.Module):
    """Weights and norm, and unless it is the last, ReLU and 8-bit activations.

    Members
    -------
    weight : (out, in) background weights, float32
    basis : (4,) basis coefficients; (8,) if the layer is wide
    codes : (out, in) uint8, code c stands for the subset sum c of ``basis``
    usable : (16,) bool, which codes can occur among ``codes``, unless the layer is wide
    wide : whether codes have 8 bits
    act_scale : () what one step of the output activation means; the output is 255 steps at most
    share : δ, this layer's share of the entropy pressure
    cost : (16,) what each code costs beside its distance, float64
    """

    codes: Tensor
    usable: Tensor
    act_scale: Tensor

    def __init__(self, in_features: int, out_features: int, per_row: bool, last: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.basis = nn.Parameter(torch.zeros(BASIS_COUNT))
        self.norm = Norm(out_features, per_row)
        self.register_buffer("codes", torch.zeros(out_features, in_features, dtype=torch.uint8))
        self.register_buffer("usable", torch.ones(CODES, dtype=torch.bool))
        self.register_buffer("act_scale", torch.zeros(()))
        self.last = last
        self.wide = False
        self.share = 1.0
        self.cost = np.zeros(CODES)
        self.quantised = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the output (batch, out) of ``x`` (batch, in)."""
        z = self.norm(self._product(x))
        if self.last:
            return z
        if self.training and not self.norm.frozen:
            self._observe(z.detach())
        return quantise_activation(z, self.act_scale) if self.quantised else torch.relu(z)

    def weights(self) -> Tensor:
        """Return the weights the layer computes with, (out, in); no gradient once quantised."""
        if self.quantised:
            return look_up(codebook(self.basis).to(self.codes.device), self.codes)
        return self.weight

    def _product(self, x: Tensor) -> Tensor:
        """Return ``x`` times the weights, with the gradients that training follows."""
        if not self.quantised:
            return product(x, self.weight)
        if self.wide:
            return product(x, dequantise_wide(self.weight, self.basis, self.codes))
        usable = self.usable.cpu().numpy()
        return quantised_product(x, self.weight, self.basis, self.codes, usable)

    def planes(self) -> np.ndarray:
        """Return the codes plane by plane, uint8 (planes, out, in) in 0..15."""
        codes = self.codes.cpu().numpy()
        return np.stack([codes & 15, codes >> 4]) if self.wide else codes[None].copy()

    def quantise(self, method: Method, wide: bool) -> None:
        """Go from float32 to a first basis, of 8-bit weights if ``wide``."""
        self.wide = wide
        weight = self.weight.detach().cpu()
        basis = int8.init_basis(weight) if wide else method.init_basis(weight)
        self.basis = nn.Parameter(basis.to(self.weight.device), requires_grad=not wide)
        self.quantised = True

    def assign(self, method: Method, renew: bool, relevance: np.ndarray | None) -> None:
        """Give every weight its code anew; of a wide layer, by a new step if ``renew``."""
        weight = self.weight.detach().cpu().numpy()
        if self.wide:
            if renew:
                self.basis.data.copy_(int8.init_basis(self.weight))
            codes = int8.assign(weight, float(self.basis[0]))
        else:
            centroids = codebook(self.basis.detach()).double().numpy()
            if renew:
                self.cost = method.costs(weight, centroids, self.share)
                self.usable.copy_(torch.from_numpy(np.isfinite(self.cost)))
            codes = method.assign(weight, centroids, self.cost, relevance)
        self.codes.copy_(torch.from_numpy(codes))

    def _observe(self, z: Tensor) -> None:
        """Let 255 steps follow the highest activations but for the share above ``PEAK``."""
        place = min(z.numel() - 1, round(z.numel() * PEAK))
        old = float(self.act_scale)
        if by_numpy(z):
            peak = ranked(z.numpy().ravel(), place, old * ACT_MAX * NEARLY)
        else:
            peak = float(z.flatten().kthvalue(place + 1).values)
        scale = max(peak / ACT_MAX, 1e-8)
        self.act_scale.fill_(old + MOMENTUM * (scale - old) if old else scale)


class Mlp(nn.Module):
    """Fully connected layers, each with a norm; the last gives logits.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    basis : str
        "layer" (one basis a layer) or "row" (the norm's scale makes one a row).
    input_scale, zero_point : float, int
        Inputs in 8 bits mean ``input_scale * (x - zero_point)``.
    generator : torch.Generator
        Draws the weights.

    Raises
    ------
    FantasticError
        If ``basis`` is neither.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        basis: str,
        input_scale: float,
        zero_point: int,
        generator: torch.Generator,
    ):
        super().__init__()
        if basis not in BASIS_MODES:
            raise FantasticError(f"basis must be one of {', '.join(BASIS_MODES)}, not {basis!r}")
        self.input_scale = input_scale
        self.zero_point = zero_point
        pairs = list(pairwise(sizes))
        self.layers = [
            Layer(n, m, basis == "row", last=i == len(pairs) - 1) for i, (n, m) in enumerate(pairs)
        ]
        self.stack = nn.ModuleList(self.layers)
        largest = max(n * m for n, m in pairs)
        for layer, (n, m) in zip(self.layers, pairs, strict=True):
            layer.share = size_share(n * m, largest)
            nn.init.normal_(layer.weight, std=(2 / n) ** 0.5, generator=generator)

    def real(self, x: Tensor) -> Tensor:
        """Return what 8-bit inputs ``x`` (uint8) mean, float32."""
        return (x.float() - self.zero_point) * self.input_scale

    def forward(self, x: Tensor, thin: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return logits (batch, classes) of real inputs ``x`` (batch, features), float32.

        ``thin``, if given, is applied to the output of every hidden layer.
        """
        for layer in self.layers:
            x = layer(x)
            if thin and not layer.last:
                x = thin(x)
        return x

    def quantise(self, method: Method, wide: Collection[int] = ()) -> None:
        """Go from float32 to quantised weights and activations: the first basis and codes.

        The layers ``wide``, counted from 1, get weights of 8 bits.
        """
        for number, layer in enumerate(self.layers, 1):
            layer.quantise(method, number in wide)
        self.assign(method)

    def assign(
        self, method: Method, renew: bool = True, relevance: Relevance | None = None
    ) -> None:
        """Give every weight its code anew, by new costs of the codes or by those of last time."""
        for number, layer in enumerate(self.layers):
            layer.assign(method, renew, None if relevance is None else relevance.of(number))

    def settle(self, method: Method) -> None:
        """Move every basis to the nearest that ``method`` allows."""
        for layer in self.layers:
            if not layer.wide:
                layer.basis.data.copy_(method.settle(layer.basis.data.cpu()))

    def freeze(self) -> None:
        """Fix the statistics of norms and activations: training then sees what will be run."""
        for layer in self.layers:
            layer.norm.frozen = True
