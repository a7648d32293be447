# SPDX-License-Identifier: Apache-2.0
"""Drives a core in Amaranth's simulator through commands: ``harness.cpp`` in Python."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Value

from fantastic4.config import CoreConfig
from fantastic4_sim.bench import Testbench
from fantastic4_sim.commands import (
    DRAIN,
    GRACE,
    MAX_RESULTS,
    SETTLE,
    Command,
    Fault,
    Infer,
    Load,
    RawReply,
)


class Driver:
    """Plays commands on the streams of a core, one after the other.

    Parameters
    ----------
    core : fantastic4_hw.core.Core
        Or anything with its members.
    cfg : CoreConfig
    patience : int
        Clocks without a transfer after which the core hangs.
    stall : float
        Probability of a pause, each clock and on each stream.
    seed : int
        Of the pauses.
    progress : callable
        Told how many inferences of a command are done.
    """

    def __init__(
        self,
        core: Any,
        cfg: CoreConfig,
        patience: int,
        stall: float,
        seed: int,
        progress: Callable[[int], None],
    ) -> None:
        self.core = core
        self.cfg = cfg
        self.patience = patience
        self.stall = stall
        self.dice = random.Random(seed)
        self.progress = progress

    def testbench(self, commands: Sequence[Command], replies: list[RawReply]) -> Testbench:
        """Return the testbench; it ends early at a fault, which is the last of ``replies``."""

        async def commands_testbench(ctx: Any) -> None:
            for command in commands:
                replies.append(await self._run(ctx, command))
                if replies[-1].fault:
                    return

        return commands_testbench

    async def _run(self, ctx: Any, command: Command) -> RawReply:
        core, result = self.core, self.core.result
        port = core.load if isinstance(command, Load) else core.input
        shape = result.payload.shape()
        due = len(command.inputs) if isinstance(command, Infer) else 0
        transfers = command.transfers(self.cfg)
        total = transfers.shape[0] * transfers.shape[1]
        values: list[int] = []
        frames: list[tuple[int, ...]] = []
        sent = quiet = cycles = now = start = frame_start = 0
        offering = False
        held = None
        fault = Fault.NONE
        while True:
            if not offering and sent < total and not self._pauses():
                offering = True
                ctx.set(port.payload, _payload(command, transfers, sent))
                ctx.set(port.valid, 1)
            accepting = not self._pauses()
            ctx.set(result.ready, accepting)
            *_, ready, valid, payload, status, perf = await ctx.tick().sample(
                port.ready, result.valid, Value.cast(result.payload), core.status, core.perf
            )
            now += 1
            moved = False
            if offering and ready:
                moved, offering = True, False
                ctx.set(port.valid, 0)
                start = now if sent == 0 else start
                sent += 1
            if held is not None and (not valid or payload != held):
                fault = Fault.BROKEN_PROMISE
            held = payload if valid and not accepting else None
            if valid and len(frames) == due:
                fault = Fault.SURPLUS
            elif valid and accepting:
                moved = True
                item = shape.from_bits(payload)
                values.append(item.value)
                length = len(values) - frame_start
                if item.last:
                    frames.append((length, item.best, perf.cycles, perf.beats, perf.stalls))
                    cycles, frame_start = now - start + 1, len(values)
                    self.progress(len(frames))
                elif length == MAX_RESULTS:
                    fault = Fault.ENDLESS
            quiet = 0 if moved else quiet + 1
            if quiet > self.patience and not fault:
                fault = Fault.HANG
            done = sent == total and len(frames) == due
            if isinstance(command, Load):
                done = done and quiet > SETTLE and (status.loaded or status.error)
            else:
                done = done and quiet > DRAIN
            given_up = status.error and quiet > GRACE / (1 - self.stall)
            if fault or done or given_up:
                ctx.set(port.valid, 0)
                return RawReply(
                    fault,
                    status.loaded,
                    status.error,
                    sent,
                    cycles,
                    np.array(values, np.int32),
                    np.array(frames, np.uint32).reshape(-1, 5),
                )

    def _pauses(self) -> bool:
        return self.stall > 0 and self.dice.random() < self.stall


def _payload(command: Command, transfers: np.ndarray, sent: int) -> dict[str, Any]:
    """Return transfer number ``sent`` as the stream of ``command`` takes it."""
    in_frame = transfers.shape[1]
    lanes = transfers[sent // in_frame, sent % in_frame]
    last = (sent + 1) % in_frame == 0
    if isinstance(command, Load):
        return {"data": int.from_bytes(lanes.tobytes(), "little"), "last": last}
    return {"data": lanes.tolist(), "last": last}
