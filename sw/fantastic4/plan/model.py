# SPDX-License-Identifier: Apache-2.0
"""The network to plan for: that of a model file, or a random one of given widths."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from fantastic4 import modelfile
from fantastic4.config import MAX_FEATURES
from fantastic4.errors import FantasticError
from fantastic4.network import InputQuant, Network
from fantastic4.randomnet import random_layer

_WIDTHS = re.compile(r"\d+(-\d+)+")


def is_widths(text: str) -> bool:
    """Return whether ``text`` is widths such as ``490-256-12`` and not a file."""
    return bool(_WIDTHS.fullmatch(text))


def load(text: str, density: float, values: int) -> Network:
    """Return the network of a model file, or a random one, the same each time.

    Parameters
    ----------
    text : str
        A file, or widths such as ``490-256-12``.
    density, values : float, int
        For widths: the share of weights that are not zero, and how many values these have.

    Raises
    ------
    FantasticError
        If there is no such file, it is no model, or widths are out of range.
    """
    if not is_widths(text):
        return modelfile.load(Path(text))
    widths = [int(part) for part in text.split("-")]
    if not all(1 <= width <= MAX_FEATURES for width in widths):
        raise FantasticError(f"widths must be 1..{MAX_FEATURES}, not {text}")
    rng = np.random.default_rng(0)
    last = len(widths) - 2
    layers = [
        random_layer(
            rng,
            columns,
            rows,
            density=density,
            names=values,
            logits=index == last,
            name=f"fc{index}",
        )
        for index, (columns, rows) in enumerate(pairwise(widths))
    ]
    return Network(tuple(layers), InputQuant(gain=np.ones(1), offset=np.zeros(1)))
