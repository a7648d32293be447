# SPDX-License-Identifier: Apache-2.0
"""When decoders offer their beats: exact models of their timing.

All banks of a core work in lock step: they begin a layer together, and a beat is taken from all of
them in the same clock. So what one bank cannot offer, none is taken.
"""

from typing import Protocol

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.formats import FORMATS, csr
from fantastic4.formats.params import Params
from fantastic4.layout import Format

BEAT_TO_COMMAND = 2
"""Clocks from the last beat of a layer being taken to the next layer's command."""


WIDE = {Format.BITMASK: 4, Format.BITMASK2: 3}
"""Bits of a name from which on words may outrun the beats."""


class Pace(Protocol):
    """When the beats of one layer are offered."""

    steady: bool
    """From its second beat on, a beat is offered in the clock after the one before was taken."""

    def offered(self, beat: int, command: int, taken: int) -> int:
        """Return the clock in which all banks offer ``beat``.

        ``command`` is the clock of the layer's command, ``taken`` that in which the beat before
        was taken. To be called for beat after beat.
        """
        ...


class SteadyPace:
    """A decoder that offers a beat a clock, ``first`` clocks behind the command."""

    steady = True

    def __init__(self, first: int):
        self.first = first

    def offered(self, beat: int, command: int, taken: int) -> int:
        """See ``Pace``."""
        return command + self.first if beat == 0 else taken + 1


class PausingPace(SteadyPace):
    """The same with pauses of so many clocks in front of each beat."""

    steady = False

    def __init__(self, first: int, pauses: np.ndarray):
        super().__init__(first)
        self.pauses = pauses

    def offered(self, beat: int, command: int, taken: int) -> int:
        """See ``Pace``."""
        return super().offered(beat, command, taken) + int(self.pauses[beat])


class QueuePace:
    """CSR: a token a clock fills a queue of items, each a beat and the empty ones behind it."""

    steady = False

    def __init__(self, banks: list[tuple[np.ndarray, np.ndarray]]):
        self.clocks = [clocks for clocks, _ in banks]
        self.begins = [
            dict(zip((np.cumsum(beats) - beats).tolist(), range(len(beats)), strict=True))
            for _, beats in banks
        ]
        self.leaves: list[list[int]] = [[] for _ in banks]
        self.pushed = [0] * len(banks)

    def offered(self, beat: int, command: int, taken: int) -> int:
        """See ``Pace``."""
        latest = command if beat == 0 else taken + 1
        for bank, begins in enumerate(self.begins):
            item = begins.get(beat)
            if item is None:
                continue
            leaves = self.leaves[bank]
            before = command + csr.FIRST_TOKEN - 1 if item == 0 else self.pushed[bank]
            if item >= csr.QUEUE:
                before = max(before, leaves[item - csr.QUEUE])
            self.pushed[bank] = before + int(self.clocks[bank][item])
            free = taken if beat else command  # clock in which the item before has left
            leaves.append(max(self.pushed[bank] + 1, free))
            latest = max(latest, leaves[-1] + 1)
        return latest


TOLD = 1
"""Clocks from what a steady core's engines are told until the first of them knows."""

SEEN = 1
"""Clocks from the first beat of a steady core's first decoder until the array knows."""


def counts_ahead(kind: Format, cfg: CoreConfig) -> bool:
    """Return whether a format's decoder counts names a beat ahead."""
    return kind == Format.BITMASK and cfg.name_width <= 2 and not cfg.external_weights


def first_beat(kind: Format, cfg: CoreConfig) -> int:
    """Return the clocks from a command to a decoder's first beat, for those that have a fixed one.

    It can be asked for then.
    """
    palette = cfg.name_width > 2
    bitmask = 4 if counts_ahead(Format.BITMASK, cfg) else 2
    return {
        Format.DENSE: 1,
        Format.TERNARY: 5,
        Format.TERNARY5: 2,
        Format.BITMASK: 17 if palette else bitmask,
        Format.BITMASK2: 17 if palette else 3,
    }[kind]


def beat_latency(kind: Format, cfg: CoreConfig) -> int:
    """Return the clocks that a format's decoder takes from being asked for a beat to having it."""
    if kind in WIDE:
        levels = max(1, cfg.bank_lanes.bit_length() - 1)
        return 2 * counts_ahead(kind, cfg) + 1 + levels + (cfg.name_width <= 2)
    return {Format.TERNARY: 1, Format.TERNARY5: 2}.get(kind, 0)


def decode_latency(cfg: CoreConfig) -> int:
    """Return the same for the decoders of a core together: each takes as long as the slowest."""
    return max(beat_latency(Format[name.upper()], cfg) for name in cfg.formats)


def joins(cfg: CoreConfig) -> Format | None:
    """Return the format whose decoder decodes *dense*, too, if there is one."""
    if "dense" in cfg.formats:
        for kind in WIDE:
            if kind.name.lower() in cfg.formats:
                return kind
    return None


def make_pace(kind: Format, params: Params, cfg: CoreConfig, beats: np.ndarray | None) -> Pace:
    """Return the pace of a layer on a core of configuration ``cfg``.

    ``beats``, uint8 ``(banks, count, lanes)``, are needed unless ``is_fixed``.
    """
    if kind == Format.CSR:
        assert beats is not None
        tokens = csr.Params(params.width, params.gap, params.palette)
        return QueuePace([csr.items(bank, tokens) for bank in beats])
    first = first_beat(kind, cfg)
    if cfg.told:
        first += TOLD + SEEN
    if is_fixed(kind, params):
        return SteadyPace(first)
    assert beats is not None
    pauses = np.max([FORMATS[kind].pauses(bank, params) for bank in beats], axis=0)
    return PausingPace(first, pauses) if pauses.any() else SteadyPace(first)


def stalls(pace: Pace, beats: int) -> int:
    """Return the clocks in which an array that takes every beat at once waits for ``beats``.

    The decoders have had all the time to begin.
    """
    taken, waited = 0, 0
    for beat in range(beats):
        offered = max(pace.offered(beat, -(10**9), taken), taken + 1)
        waited += offered - taken - 1
        taken = offered
    return waited


def is_fixed(kind: Format, params: Params) -> bool:
    """Return whether the pace does not depend on the weights."""
    if kind in WIDE:
        return params.width < WIDE[kind]
    return kind != Format.CSR
