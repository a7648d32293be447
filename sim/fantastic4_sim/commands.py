# SPDX-License-Identifier: Apache-2.0
"""What a simulated core can be told to do, and what it answers, whatever simulates it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.errors import ImageError, SimulationError
from fantastic4.image import parse
from fantastic4.layout import ErrorCode

SETTLE = 256
"""Clocks behind the last image word: the status tells of it, and decoders have made themselves
ready for the first layer."""

DRAIN = 32
"""Clocks after the last result in which no other may come."""

GRACE = 256
"""Clocks without a transfer that end a command after the core reported an error."""

MAX_RESULTS = 4096
"""Most results of one inference."""


class Fault(IntEnum):
    """How a core broke its contract; the same numbers as in ``harness.cpp``."""

    NONE = 0
    HANG = 1
    BROKEN_PROMISE = 2
    SURPLUS = 3
    ENDLESS = 4


FAULTS = {
    Fault.HANG: "nothing moved on any stream for {patience} cycles",
    Fault.BROKEN_PROMISE: "the core changed or withdrew a result before it was taken",
    Fault.SURPLUS: "the core offered a result when none was due",
    Fault.ENDLESS: f"the core gave {MAX_RESULTS} results of one inference and no last one",
}


@dataclass(frozen=True)
class Load:
    """Load an image, whole 32-bit words of it, damaged or not."""

    image: bytes

    def transfers(self, cfg: CoreConfig) -> np.ndarray:
        """Return uint8 ``(1, words, 4)``."""
        del cfg
        if not self.image or len(self.image) % 4:
            raise ValueError(f"an image must be whole 32-bit words, not {len(self.image)} bytes")
        return np.frombuffer(self.image, np.uint8).reshape(1, -1, 4)


@dataclass(frozen=True)
class Infer:
    """Run inputs, uint8 ``(n, in_features)``, back to back."""

    inputs: np.ndarray

    def transfers(self, cfg: CoreConfig) -> np.ndarray:
        """Return uint8 ``(n, transfers, input_width)``; what pads the last one is not zero."""
        count, features = self.inputs.shape
        width = cfg.input_width
        padded = np.full((count, -(-features // width) * width), 255, np.uint8)
        padded[:, :features] = self.inputs
        return padded.reshape(count, -1, width)


Command = Load | Infer


@dataclass(frozen=True)
class LoadReply:
    """What the status says after an image."""

    loaded: bool
    error: ErrorCode


@dataclass(frozen=True)
class InferReply:
    """Results of a batch.

    Parameters
    ----------
    outputs : numpy.ndarray
        int64 ``(n, out_features)``; fewer than n if the core stopped with an error.
    best, cycles, beats, stalls : numpy.ndarray
        int64 ``(n,)``: arg-max, and clocks, beats and clocks without weights of each inference.
    total_cycles : int
        Clocks from the first input transfer to the last result.
    error : ErrorCode
    """

    outputs: np.ndarray
    best: np.ndarray
    cycles: np.ndarray
    beats: np.ndarray
    stalls: np.ndarray
    total_cycles: int
    error: ErrorCode


Reply = LoadReply | InferReply


@dataclass(frozen=True)
class DeviceResult:
    """What a core answered for a batch, and how long it took.

    Parameters
    ----------
    outputs : numpy.ndarray
        int64 ``(n, out_features)``.
    best : numpy.ndarray
        int64 ``(n,)``: index of the largest output as the core found it.
    cycles, beats, stalls : numpy.ndarray
        int64 ``(n,)``: of each inference, from the core's counters.
    total_cycles : int
        Clocks from the first input transfer to the last result; if the batch was shared by
        several simulations, their sum.
    engine : str
        ``"verilator"`` or ``"amaranth"``.
    """

    outputs: np.ndarray
    best: np.ndarray
    cycles: np.ndarray
    beats: np.ndarray
    stalls: np.ndarray
    total_cycles: int
    engine: str


@dataclass(frozen=True)
class RawReply:
    """A reply as the driver of either engine records it.

    Parameters
    ----------
    fault : int
    loaded, error : int
        The status at the end.
    sent : int
        Transfers the core took.
    cycles : int
        Clocks from the first transfer to the last result.
    values : numpy.ndarray
        int32, all results in order.
    frames : numpy.ndarray
        uint32 ``(inferences, 5)``: length, best, cycles, beats, stalls.
    """

    fault: int
    loaded: int
    error: int
    sent: int
    cycles: int
    values: np.ndarray
    frames: np.ndarray


def interpret(command: Command, raw: RawReply, patience: int) -> Reply:
    """Return the reply; raise ``SimulationError`` if the core broke its contract."""
    try:
        error = ErrorCode(raw.error)
    except ValueError:
        raise SimulationError(
            f"the core reports an error {raw.error} that does not exist"
        ) from None
    if raw.fault:
        doing = (
            "loading an image"
            if isinstance(command, Load)
            else f"running {len(command.inputs)} inputs ({len(raw.frames)} done)"
        )
        raise SimulationError(
            f"{FAULTS[Fault(raw.fault)].format(patience=patience)} while {doing}; it took "
            f"{raw.sent} transfers, status: loaded {raw.loaded}, error {error.name}"
        )
    if isinstance(command, Load):
        return LoadReply(bool(raw.loaded), error)
    frames = raw.frames.astype(np.int64)
    lengths = np.unique(frames[:, 0])
    if len(lengths) > 1:
        raise SimulationError(f"inferences gave different numbers of results: {lengths.tolist()}")
    width = int(lengths[0]) if len(lengths) else 0
    outputs = raw.values[: len(frames) * width].reshape(len(frames), width).astype(np.int64)
    return InferReply(outputs, *frames.T[1:], total_cycles=raw.cycles, error=error)


def patience(cfg: CoreConfig, commands: Sequence[Command], stall: float) -> int:
    """Return the clocks in which a core that works moves something on some stream."""
    beats = 0
    for command in commands:
        if isinstance(command, Load):
            beats = max(beats, _beats(command.image, cfg))
    return int((2000 + 4 * beats) / (1 - stall))


def _beats(image: bytes, cfg: CoreConfig) -> int:
    """Return the beats of an inference, or the most there may be if the image is damaged."""
    try:
        layers = parse(image).layers
    except ImageError:
        return cfg.weight_depth
    return sum(
        x["planes"] * -(-x["out_features"] // cfg.group_rows) * x["in_chunks"] for x in layers
    )
