# SPDX-License-Identifier: Apache-2.0
"""Forward exactly on the codebook; gradients as the equations say."""

import numpy as np
import pytest
import torch

from fantastic4.quant import codebook, look_up, quantise_activation


def test_codebook_is_the_subset_sums():
    assert codebook(torch.tensor([1.0, 2, 4, -8])).tolist() == [*range(8), *range(-8, 0)]


@pytest.mark.parametrize("shape", [(4, 6), (3, 5), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_look_up_is_indexing(rng, shape, dtype):
    table = torch.from_numpy(rng.normal(size=16)).to(dtype)
    codes = torch.from_numpy(rng.integers(0, 16, shape).astype(np.uint8))
    found = look_up(table, codes)
    assert found.dtype == dtype
    assert torch.equal(found, table[codes.int()])


def test_activation_is_rounded_half_up_and_clamped():
    x = torch.tensor([-1.0, 0, 0.24, 0.25, 0.75, 127.25, 200], requires_grad=True)
    y = quantise_activation(x, torch.tensor(0.5))
    assert y.tolist() == [0, 0, 0, 0.5, 1, 127.5, 127.5]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 1, 1, 1, 0]
