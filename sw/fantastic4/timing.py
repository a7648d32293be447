# SPDX-License-Identifier: Apache-2.0
"""Clock cycles of an inference, predicted exactly from an image and the geometry it is for.

The hardware's rules, as ``docs/microarchitecture.md`` derives them:

* A beat is taken every clock, except that the last chunk of a tile waits until the rows of the
  tile before have left for the multipliers, one a clock.
* In the first row group of a layer, a chunk waits until the layer before has computed it.
* Everything behind the join has a fixed latency.

All times count from the clock in which the sequencer begins an inference.
"""

from dataclasses import dataclass

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.image import Image

START = 1
"""Clocks from the last input transfer to the one in which the inference begins."""

STEP_TO_TAKE = 2
"""Clocks from a step to the beat that is taken with its chunk."""

TREE_TO_RETIRE = 12
"""Clocks from a tile's last beat to its first row's retirement, less the tree's levels."""

RETIRE_TO_RESULT = 3
"""Clocks from the last row's retirement to its result at the port, an empty queue given."""


@dataclass(frozen=True)
class Timing:
    """Clocks of one inference with a reader that is always ready.

    Parameters
    ----------
    cycles : int
        From the first step to the last row, both included: what ``perf_cycles`` says.
    beats : int
        Clocks in which the array took a beat.
    interval : int
        From one inference to the next, inputs waiting.
    latency : int
        From the first input transfer to the last result, both included.
    layer_beats : tuple of int
        ``beats``, layer by layer.
    """

    cycles: int
    beats: int
    interval: int
    latency: int
    layer_beats: tuple[int, ...]

    @property
    def utilisation(self) -> float:
        """Share of ``cycles`` in which the array was busy."""
        return self.beats / self.cycles


def timing(image: Image, cfg: CoreConfig) -> Timing:
    """Return the clocks of one inference of ``image`` on a core of configuration ``cfg``."""
    lanes, engines = image.geometry["lanes"], image.geometry["engines"]
    retire = max(1, (lanes - 1).bit_length()) + TREE_TO_RETIRE
    taken, tile_end, leaving = STEP_TO_TAKE, -engines, 0
    computed = np.zeros(0, np.int64)  # when each chunk of the layer's inputs can be asked for
    layer_beats = []
    closes = np.zeros(0, np.int64)
    rows_last = 1

    for record in image.layers:
        chunks, planes, rows = (record[key] for key in ("in_chunks", "planes", "out_features"))
        groups = -(-rows // engines)
        rows_last = rows - (groups - 1) * engines
        layer_beats.append(groups * planes * chunks)
        tile = image.geometry["tile_chunks"]
        tiles = planes * [min(tile, chunks - at) for at in range(0, chunks, tile)]

        # First row group, chunk by chunk.
        active = rows_last if groups == 1 else engines
        for index, size in enumerate(tiles):
            first = index * tile % (-(-chunks // tile) * tile)
            for at in range(size):
                taken += 1
                if len(computed):
                    taken = max(taken, int(computed[first + at]) + STEP_TO_TAKE)
                if at == size - 1:
                    taken = max(taken, tile_end + leaving)
                    tile_end, leaving = taken, active

        # The others: nothing but the rows' way out can hold them up.
        period = sum(max(size, engines) for size in tiles)
        closes = tile_end + period * np.arange(groups)
        if groups > 1:
            closes[-1] -= sum(max(s, engines) - max(s, rows_last) for s in tiles[1:])
        taken = tile_end = int(closes[-1])
        leaving = rows_last

        row = np.minimum((np.arange(-(-rows // lanes)) + 1) * lanes, rows) - 1
        computed = closes[row // engines] + retire + row % engines + 1

    cycles = int(closes[-1]) + retire + rows_last - 1
    transfers = -(-image.layers[0]["in_features"] // cfg.input_width)
    return Timing(
        cycles=cycles,
        beats=sum(layer_beats),
        interval=max(cycles + 1, transfers),
        latency=transfers + START + cycles + RETIRE_TO_RESULT,
        layer_beats=tuple(layer_beats),
    )
