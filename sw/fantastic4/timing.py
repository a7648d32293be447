# SPDX-License-Identifier: Apache-2.0
"""Clock cycles of an inference, predicted exactly from an image and the geometry it is for.

The hardware's rules, as ``docs/microarchitecture.md`` derives them:

* A beat is taken every clock, except that the last chunk of a tile waits until the rows of the
  tile before have left for the multipliers, one a clock.
* In the first row group of a layer, a chunk waits until the layer before has computed it.
* A beat waits until every bank offers its part (``fantastic4.pace``).
* Everything behind the join has a fixed latency.
* Several cores finish a row each in one clock, but results leave one a clock: a row group of the
  last layer waits until the queue has room for it, and the first one until the results of the
  inference before have left.

All times count from the clock in which the sequencer begins an inference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.formats.beats import to_beats
from fantastic4.image import Image
from fantastic4.layout import Format
from fantastic4.network import IntegerLayer
from fantastic4.pace import (
    BEAT_TO_COMMAND,
    TOLD,
    Pace,
    SteadyPace,
    decode_latency,
    is_fixed,
    make_pace,
)
from fantastic4.pack import params_of, unpack
from fantastic4.selection import Choice

ACTIVATION_LATENCY = 4
"""Clocks that the activation memory takes to read a chunk."""

WRITTEN_AT_ONCE = 4
"""Weight banks that are written in the same clock; the next ones follow in the next."""

START = 2
"""Clocks from the last input transfer to the one in which the inference begins."""

FED_TO_BEGIN = 1
"""Clocks from the one in which all banks offer the first beat to that one."""

CHUNK_TO_STEP = 2
"""Clocks from the retirement of a chunk's last row to its step, which waited for it."""

STEP_TO_TAKE = 1
"""Clocks from a step to the beat that is taken with it."""

TREE_TO_RETIRE = 13
"""Clocks from the one in which a tile's last chunk has been read to its first row's retirement,
less the levels of trees and of what collects their sums."""

LEFT_TO_STEP = 3
"""Clocks from a result that leaves the queue to the step that needs its place."""

RETIRE_TO_RESULT = 6
"""Clocks from the last row's retirement to its result at the port, an empty queue given."""

ARG_MAX = 2
"""Clocks of these that the arg-max takes; of several cores it is found behind the queue."""

SERIAL = 2
"""Clocks more from the result queue to the port where several results leave the cores at once."""


LONG_AGO = -(10**9)
"""Clock of a command that decoders have had all the time for."""


@dataclass(frozen=True)
class Timing:
    """Clocks of one inference with a reader that is always ready.

    Parameters
    ----------
    cycles : int
        From the first step to the last row, both included: what ``perf_cycles`` says.
    following : int
        The same for an inference whose input came right behind the one before: decoders with a
        queue have had less time to fill it, and results of several cores may still be leaving.
    beats : int
        Clocks in which the array took a beat.
    stalls : int
        Clocks in which it could have taken one, but weights were late: ``perf_stalls``.
    interval : int
        From one inference to the next, inputs waiting.
    latency : int
        From the first input transfer to the last result, both included.
    layer_beats : tuple of int
        ``beats``, layer by layer.
    """

    cycles: int
    following: int
    beats: int
    stalls: int
    interval: int
    latency: int
    layer_beats: tuple[int, ...]

    @property
    def utilisation(self) -> float:
        """Share of ``cycles`` in which the array was busy."""
        return self.beats / self.cycles


def result_depth(cfg: CoreConfig) -> int:
    """Return the places of the result queue, each for a row of every core.

    Of one core, a reader that is always ready never holds up a row group.
    """
    row_latency = STEP_TO_TAKE + _take_to_retire(cfg)
    return 1 << (row_latency + 3 * cfg.engines + 9).bit_length()


def read_latency(cfg: CoreConfig) -> int:
    """Return the clocks from a beat that is taken until its chunk and the first engine's codes are
    there: those of the activation memory, or of decoders that take longer.
    """
    return max(ACTIVATION_LATENCY, decode_latency(cfg) + (TOLD if cfg.told else 0))


def _take_to_retire(cfg: CoreConfig) -> int:
    return read_latency(cfg) + cfg.tree_levels + cfg.collect_levels + TREE_TO_RETIRE


def timing(image: Image, cfg: CoreConfig) -> Timing:
    """Return the clocks of one inference of ``image`` on a core of configuration ``cfg``."""
    return _timed(_layers(image, cfg), image.layers[0]["in_features"], cfg)


def planned_timing(
    layers: Sequence[IntegerLayer], choices: Sequence[Choice], cfg: CoreConfig
) -> Timing:
    """Return the same for layers stored as ``choices`` say, without an image; depths do not matter.

    The layers are those that the core gets (``fantastic4.pack.fit_masks``).
    """
    found = []
    for layer, choice in zip(layers, choices, strict=True):
        fixed = is_fixed(choice.format, choice.params)
        beats = None if fixed else to_beats(layer.codes, cfg)
        pace = partial(make_pace, choice.format, choice.params, cfg, beats)
        found.append(_layer(cfg, layer.in_features, layer.planes, layer.out_features, pace))
    return _timed(found, layers[0].in_features, cfg)


def ideal_timing(layers: Sequence[IntegerLayer], cfg: CoreConfig) -> Timing:
    """Return the same with weights that never are late: no core of this geometry is faster."""
    pace = partial(SteadyPace, 1)
    found = [_layer(cfg, x.in_features, x.planes, x.out_features, pace) for x in layers]
    return _timed(found, layers[0].in_features, cfg)


def _timed(layers: "list[_Layer]", in_features: int, cfg: CoreConfig) -> Timing:
    first = _Walk(cfg, layers, LONG_AGO, LONG_AGO)
    transfers = -(-in_features // cfg.input_width)
    held = sum(layer.rows for layer in layers[:-1]) if cfg.shared_activations else 0
    next_fed = first.next_beat + FED_TO_BEGIN
    begin = max(first.done + 1, next_fed, transfers + held)
    following = _Walk(
        cfg, layers, first.taken + BEAT_TO_COMMAND - begin, first.left[-1] + LEFT_TO_STEP - begin
    )
    return Timing(
        cycles=first.done,
        following=following.done,
        beats=sum(layer.beats for layer in layers),
        stalls=first.stalls,
        interval=max(following.done + 1, following.next_beat + FED_TO_BEGIN, transfers + held),
        latency=transfers + START + first.left[-1] + (SERIAL if cfg.cores > 1 else 0),
        layer_beats=tuple(layer.beats for layer in layers),
    )


@dataclass(frozen=True)
class _Layer:
    """A layer as the sequencer sees it; ``tiles`` are the chunks of each, plane after plane.

    ``rows`` are those of one core, padding included.
    """

    chunks: int
    outputs: int
    rows: int
    groups: int
    tiles: tuple[int, ...]
    make_pace: Callable[[], Pace]

    @property
    def beats(self) -> int:
        """Beats of the layer."""
        return self.groups * sum(self.tiles)

    def active(self, group: int, engines: int) -> int:
        """Return the rows of a row group, of each core."""
        return min(engines, self.rows - group * engines)


def _layers(image: Image, cfg: CoreConfig) -> list[_Layer]:
    network = None
    layers = []
    for index, record in enumerate(image.layers):
        kind, params = Format(record["format"]), params_of(record)
        beats = None
        if not is_fixed(kind, params):
            network = network or unpack(image)
            beats = to_beats(network.layers[index].codes, cfg)
        pace = partial(make_pace, kind, params, cfg, beats)
        columns, planes, outputs = (
            record[key] for key in ("in_features", "planes", "out_features")
        )
        layers.append(_layer(cfg, columns, planes, outputs, pace))
    return layers


def _layer(
    cfg: CoreConfig, columns: int, planes: int, outputs: int, make_pace: Callable[[], Pace]
) -> _Layer:
    chunks, tile = cfg.chunks(columns), cfg.tile_chunks
    rows = cfg.core_rows(outputs)
    return _Layer(
        chunks=chunks,
        outputs=outputs,
        rows=rows,
        groups=-(-rows // cfg.engines),
        tiles=tuple(planes * [min(tile, chunks - at) for at in range(0, chunks, tile)]),
        make_pace=make_pace,
    )


class _Walk:
    """One inference, beat after beat; afterwards ``taken`` and ``done`` are when it ended, and
    ``left`` when the results of each clock had left the queue.

    Parameters
    ----------
    cfg : CoreConfig
    layers : list of _Layer
    command : int
        Clock of the first layer's command.
    emptied : int
        Clock of the first step that an empty result queue allows.
    """

    def __init__(self, cfg: CoreConfig, layers: list[_Layer], command: int, emptied: int):
        self.cfg = cfg
        self.retire = _take_to_retire(cfg)
        self.stalls = 0
        self.taken = STEP_TO_TAKE
        self.tile_end = -cfg.engines
        self.leaving = 0
        self.emptied = emptied
        self.queue = result_depth(cfg)
        self.left: list[int] = []
        self.computed = np.zeros(0, np.int64)  # when each chunk of the inputs can be asked for
        for layer in layers:
            closes = self._layer(layer, command, gives_results=layer is layers[-1])
            command = self.taken + BEAT_TO_COMMAND
            ends = (np.arange(cfg.chunks(layer.outputs)) + 1) * cfg.lanes
            row = (np.minimum(ends, layer.outputs) - 1) // cfg.cores
            last = row % cfg.engines
            self.computed = closes[row // cfg.engines] + self.retire + last + CHUNK_TO_STEP
        self.done = self.taken + self.retire + self.leaving - 1
        self.next_beat = layers[0].make_pace().offered(0, command, self.taken)

    def _layer(self, layer: _Layer, command: int, *, gives_results: bool) -> np.ndarray:
        """Return when each row group has taken its last beat."""
        closes = np.empty(layer.groups, np.int64)
        pace = layer.make_pace()
        places = layer.groups * self.cfg.engines
        crowded = gives_results and self.cfg.cores > 1 and places > self.queue
        at_once = 1 if pace.steady and not crowded else layer.groups
        for group in range(at_once):
            room = self._room(group) if gives_results else LONG_AGO
            closes[group] = self._group(layer, pace, group, command, room)
            if gives_results:
                self._leave(layer, group, int(closes[group]))
        if at_once < layer.groups:
            # Nothing but the rows' way out can hold up the other groups.
            engines, last = self.cfg.engines, layer.active(layer.groups - 1, self.cfg.engines)
            closes[:] = closes[0] + np.arange(layer.groups) * sum(
                max(size, engines) for size in layer.tiles
            )
            closes[-1] -= sum(max(s, engines) - max(s, last) for s in layer.tiles[1:])
            self.taken = self.tile_end = int(closes[-1])
            self.leaving = last
            if gives_results:
                for group in range(at_once, layer.groups):
                    self._leave(layer, group, int(closes[group]))
        return closes

    def _room(self, group: int) -> int:
        """Return from when the result queue has room for a row group of the last layer."""
        if self.cfg.cores == 1:
            return LONG_AGO
        if group == 0:
            return self.emptied
        gone = (group + 1) * self.cfg.engines - self.queue
        return self.left[gone - 1] + LEFT_TO_STEP if gone > 0 else LONG_AGO

    def _leave(self, layer: _Layer, group: int, close: int) -> None:
        """Let the results of a row group, which took its last beat at ``close``, leave."""
        cores = self.cfg.cores
        to_queue = RETIRE_TO_RESULT - (ARG_MAX if cores > 1 else 0)
        for place in range(layer.active(group, self.cfg.engines)):
            queued = close + self.retire + place + to_queue - 1
            count = min(cores, layer.outputs - cores * len(self.left))
            self.left.append(max(self.left[-1] if self.left else 0, queued) + count)

    def _group(self, layer: _Layer, pace: Pace, group: int, command: int, room: int) -> int:
        """Take the beats of a row group, not before there is ``room``; return when the last was."""
        beat = group * sum(layer.tiles)
        chunk = 0
        for size in layer.tiles:
            for at in range(size):
                wanted = max(self.taken + 1, room + STEP_TO_TAKE)
                if group == 0 and len(self.computed):
                    wanted = max(wanted, int(self.computed[chunk]) + STEP_TO_TAKE)
                if at == size - 1:
                    wanted = max(wanted, self.tile_end + self.leaving)
                offered = pace.offered(beat, command, self.taken)
                self.stalls += max(0, offered - wanted)
                self.taken = max(wanted, offered)
                beat += 1
                chunk = (chunk + 1) % layer.chunks
            self.tile_end = self.taken
            self.leaving = layer.active(group, self.cfg.engines)
        return self.taken
