# SPDX-License-Identifier: Apache-2.0
"""Which core is the fastest for a network on a chip, or the smallest that is fast enough."""

from fantastic4.plan.chips import CHIPS, Chip, find_chip
from fantastic4.plan.planner import Goal, plan
from fantastic4.plan.proposal import Proposal

__all__ = ["CHIPS", "Chip", "Goal", "Proposal", "find_chip", "plan"]
