# SPDX-License-Identifier: Apache-2.0
"""What training computes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fantastic4.errors import FantasticError


def find_device(name: str) -> str:
    """Return the device called ``name``; "auto" is a GPU if PyTorch has one, else the processor.

    Raises
    ------
    FantasticError
        If PyTorch does not have it.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    number = int(name.partition(":")[2] or 0)
    if name.startswith("cuda") and number >= count:
        raise FantasticError(
            f"there is no {name}: PyTorch {torch.__version__} sees {count} GPUs. For a build that "
            "knows them see README, or train with --device cpu"
        )
    return name


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let PyTorch use ``number`` threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
