# SPDX-License-Identifier: Apache-2.0
"""How fast a phase learns as it goes on."""

import math

WARM_UP = 0.05
"""Share of a phase in which the learning rate rises."""


def learning_rate(done: float) -> float:
    """Return the learning rate, as a share of its peak, at ``done`` (0..1) of a phase."""
    if done < WARM_UP:
        return 0.1 + 0.9 * done / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
