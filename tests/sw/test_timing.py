# SPDX-License-Identifier: Apache-2.0
"""Cycles on cases small enough to count; ``tests/hw`` holds the RTL against the same function."""

from itertools import pairwise

import numpy as np
import pytest

from fantastic4.config import CoreConfig
from fantastic4.image import parse
from fantastic4.network import InputQuant, Network
from fantastic4.pack import encode_layers, fit_masks, pack
from fantastic4.randomnet import random_layer, random_network
from fantastic4.timing import (
    ACTIVATION_LATENCY,
    CHUNK_TO_STEP,
    RETIRE_TO_RESULT,
    START,
    STEP_TO_TAKE,
    TREE_TO_RETIRE,
    ideal_timing,
    planned_timing,
    timing,
)

READ_TO_RETIRE = ACTIVATION_LATENCY + TREE_TO_RETIRE
"""Of a core without decoders."""


def timed(lanes, engines, widths, planes=1, input_width=1):
    cfg = CoreConfig(
        *("x", lanes, engines, 4096, 512, 512, 64, 64, input_width),
        bank_lanes=lanes if lanes < 8 else 8,
        formats=("dense",),
    )
    rng = np.random.default_rng(0)
    layers = [
        random_layer(rng, columns, rows, planes=planes, name=str(index))
        for index, (columns, rows) in enumerate(pairwise(widths))
    ]
    network = Network(tuple(layers), InputQuant(np.ones(1), np.zeros(1)))
    return timing(parse(pack(network, cfg)), cfg)


@pytest.mark.parametrize(("lanes", "levels"), [(1, 1), (2, 1), (4, 2), (5, 3), (16, 4)])
def test_one_beat(lanes, levels):
    """One weight: a step, its beat, the tree, and the way to retirement."""
    found = timed(lanes, 1, [1, 1])
    assert found.beats == 1
    assert found.cycles == STEP_TO_TAKE + 1 + levels + 1 + READ_TO_RETIRE
    assert found.latency == 1 + START + found.cycles + RETIRE_TO_RESULT
    assert found.interval == found.cycles + 1


@pytest.mark.parametrize("engines", [1, 2, 4])
@pytest.mark.parametrize("planes", [1, 2])
def test_a_layer_of_long_rows_has_no_gap(engines, planes):
    """5 groups of 10 chunks: one beat a clock, then the last rows leave one by one."""
    found = timed(4, engines, [40, 5 * engines], planes)
    assert found.beats == 50 * planes
    assert found.cycles == 50 * planes + STEP_TO_TAKE + 3 + READ_TO_RETIRE + engines - 1
    assert found.utilisation == found.beats / found.cycles


def test_short_rows_wait_for_the_multipliers():
    """Groups of one chunk and four rows: four clocks each, whatever the chunks."""
    found = timed(4, 4, [3, 12])
    assert found.beats == 3
    assert found.cycles == 1 + 2 * 4 + STEP_TO_TAKE + 3 + READ_TO_RETIRE + 3
    # The last group has one row, but its chunk waits for the four rows before.
    assert timed(4, 4, [3, 9]).cycles == found.cycles - 3


def test_a_layer_waits_for_the_one_before():
    """Two layers of one beat: the second asks for its chunk when the first has retired it."""
    one, two = timed(4, 1, [4, 1]), timed(4, 1, [4, 1, 1])
    assert two.layer_beats == (1, 1)
    assert two.cycles == 2 * one.cycles + CHUNK_TO_STEP - 1


def test_interval_is_that_of_the_inputs_if_they_are_slow():
    slow, fast = timed(4, 1, [200, 1]), timed(4, 1, [200, 1], input_width=4)
    assert slow.interval == 200
    assert fast.interval == fast.cycles + 1 == slow.cycles + 1
    assert slow.latency - fast.latency == 150


@pytest.mark.parametrize("formats", [("dense",), ("bitmask",), ("dense", "csr")])
@pytest.mark.parametrize("engines", [1, 3])
def test_planned_as_packed_and_never_less_than_ideal(rng, engines, formats):
    """Pauses of wide names and of zero runs included."""
    cfg = CoreConfig("x", 8, engines, 4096, 512, 512, 64, 64, 2, formats=formats)
    network = random_network(rng, [30, 20, 9], density=0.3)
    fitted = fit_masks(network, cfg)
    choices, _ = encode_layers(network, cfg)
    found = planned_timing(fitted.layers, choices, cfg)
    assert found == timing(parse(pack(network, cfg)), cfg)
    ideal = ideal_timing(fitted.layers, cfg)
    assert ideal.latency <= found.latency
    assert ideal.beats == found.beats
