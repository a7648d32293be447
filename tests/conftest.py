# SPDX-License-Identifier: Apache-2.0
"""Fixtures all tests share."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("FANTASTIC4_MODEL_OPT", "-O1")  # runs here are short


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same each time this test runs."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def data_dir() -> Path:
    """The folder with the real data sets; the test is skipped where there is none."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FANTASTIC4_DATA", default))
    if not folder.is_dir():
        pytest.skip("no data sets here (set FANTASTIC4_DATA)")
    return folder
