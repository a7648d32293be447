# SPDX-License-Identifier: Apache-2.0
"""Cores whose banks have their beats at the same time: RTL equals golden and ``timing``."""

import numpy as np
import pytest

from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4_sim.device import open_device

CORES = {
    "few": {"formats": ("dense", "bitmask"), "name_width": 2},
    "few, two cores": {"formats": ("dense", "bitmask"), "name_width": 2, "cores": 2},
    "flags": {"formats": ("dense", "bitmask2"), "name_width": 1, "shared_activations": True},
    "ternary": {"formats": ("ternary", "bitmask"), "masks": 2, "name_width": 1},
    "trits": {"formats": ("ternary", "ternary5", "dense")},
}


@pytest.mark.parametrize(("lanes", "engines"), [(8, 3), (16, 2)])
@pytest.mark.parametrize("core", CORES)
def test_networks(check, rng, geometry, lanes, engines, core):
    """Engines are told one after the other; layers dense and not, of one beat and of many."""
    cfg = geometry(lanes, engines, weight_depth=1024, **CORES[core])
    assert cfg.told
    device = open_device(cfg, engine="amaranth")
    names = (1, 2) if cfg.masks == 2 else (2, 4)
    for widths in ([9, 2 * engines * cfg.cores + 1, 5, 3], [40, 30, 7]):
        network = random_network(rng, widths, density=[0.3, 0.6, 0.1], names=names)
        check(device, network, pack(network, cfg), rng.integers(0, 256, (3, widths[0]), np.uint8))
