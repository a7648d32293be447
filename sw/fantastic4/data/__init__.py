# SPDX-License-Identifier: Apache-2.0
"""Data sets as numpy arrays: a registry, the sets, and where their files come from.

``load("mnist")`` and ``load("my.csv")`` give a `DataSet`; `input_quant` says how its raw inputs
become 8-bit activations.
"""

from fantastic4.data import sets
from fantastic4.data.fetch import cache_dir
from fantastic4.data.inputs import InputScale, input_quant
from fantastic4.data.registry import dataset, load, names
from fantastic4.data.task import DataSet

__all__ = [
    "DataSet",
    "InputScale",
    "cache_dir",
    "dataset",
    "input_quant",
    "load",
    "names",
    "sets",
]
