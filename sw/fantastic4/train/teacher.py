# SPDX-License-Identifier: Apache-2.0
"""The float network as the teacher of the quantised one."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from fantastic4.model import Mlp

HALVES = ("avx512_bf16", "amx_bf16")
"""What a processor is called that multiplies in bfloat16 faster than in float32."""


def number_type(device: str) -> torch.dtype:
    """Return what a teacher on ``device`` computes in.

    On processors made for it that is bfloat16: eight digits are enough for probabilities that
    train others, and the answer takes half the time.
    """
    able = getattr(torch.cpu, "get_capabilities", dict)() if device == "cpu" else {}
    return torch.bfloat16 if any(able.get(name) for name in HALVES) else torch.float32


class Teacher:
    """A network in float that answers and does not learn: its norms are folded into its weights.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Tensors (out, in) and (out,), of the `number_type`; ReLU follows all but the last.
    """

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor]]):
        self.layers = tuple(layers)

    @classmethod
    def of(cls, model: Mlp) -> "Teacher":
        """Return the teacher that knows what ``model``, in float, knows now."""
        kind = number_type(model.layers[0].weight.device.type)
        layers = []
        for layer in model.layers:
            scale, offset = layer.norm.affine()
            weight = layer.weight.detach() * scale.detach()[:, None]
            layers.append((weight.to(kind), offset.detach().to(kind)))
        return cls(layers)

    @classmethod
    def from_state(cls, state: Sequence[Sequence[Tensor]], device: str) -> "Teacher":
        """Return the teacher whose `state` this is, on ``device``."""
        return cls([(weight.to(device), bias.to(device)) for weight, bias in state])

    def state(self) -> list[list[Tensor]]:
        """Return weights and biases, layer by layer."""
        return [list(layer) for layer in self.layers]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the probability of each class, float32 (batch, classes).

        ``x`` are real inputs, float32 (batch, features).
        """
        x = x.to(self.layers[0][0].dtype)
        for number, (weight, bias) in enumerate(self.layers, 1):
            x = linear(x, weight, bias)
            if number < len(self.layers):
                x.relu_()
        return torch.softmax(x.float(), 1)
