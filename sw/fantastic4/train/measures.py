# SPDX-License-Identifier: Apache-2.0
"""How a model does, and what its codes take."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fantastic4.entropy import entropy
from fantastic4.estimate import layer_bits
from fantastic4.model import Mlp

EVAL_BATCH = 5000


@torch.no_grad()
def logits(model: Mlp, x: Tensor) -> Tensor:
    """Return the logits (n, classes) of real inputs ``x`` (n, features), on the processor."""
    model.eval()
    device = model.layers[0].weight.device
    return torch.cat([model(part.to(device)).cpu() for part in x.split(EVAL_BATCH)])


def evaluate(model: Mlp, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return accuracy (0..1) and mean loss on real inputs ``x`` (n, features)."""
    found = logits(model, x)
    right = int((found.argmax(1) == labels).sum())
    return right / len(labels), float(cross_entropy(found, labels))


def code_metrics(model: Mlp) -> dict[str, Any]:
    """Return entropy, estimated stored bits (both a weight) and sparsity, also by layer."""
    layers = []
    for layer in model.layers:
        planes = layer.planes()
        layers.append(
            {
                "entropy": sum(map(entropy, planes)),
                "bits": layer_bits(planes),
                "sparsity": float((layer.codes == 0).float().mean()),
            }
        )
    sizes = [layer.codes.numel() for layer in model.layers]
    means = {
        key: float(np.average([layer[key] for layer in layers], weights=sizes)) for key in layers[0]
    }
    return {**means, "layers": layers}
