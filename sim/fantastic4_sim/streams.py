# SPDX-License-Identifier: Apache-2.0
"""Driving, draining and checking ``amaranth.lib.stream`` ports in a test bench.

Every helper waits one clock at a time in a plain loop: a testbench destroyed inside ``until`` or
``async for`` can bury the failure that ended the simulation.
"""

import random
from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import data

from fantastic4_sim.bench import Testbench


def plain(value: Any) -> Any:
    """Return a payload as integers, lists and dicts, which compare with ``==``."""
    if isinstance(value, data.Const):
        layout = value.shape()
        if isinstance(layout, data.ArrayLayout):
            return [plain(value[index]) for index in range(layout.length)]
        return {name: plain(value[name]) for name, _ in layout}
    return value


async def put(ctx: Any, port: Any, payload: Any) -> None:
    """Offer ``payload`` until the component takes it."""
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    taken = False
    while not taken:
        *_, taken = await ctx.tick().sample(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx: Any, port: Any, *, late: bool = False) -> Any:
    """Return, as ``plain`` gives it, the next payload the component offers.

    ``late`` asks for it only once it is offered: a component that waits for ready before it says
    valid never gets past this.
    """
    held = port.signature.always_ready
    offered = not late
    while not offered:
        *_, offered = await ctx.tick().sample(port.valid)
    if not held:
        ctx.set(port.ready, 1)
    valid, payload = 0, None
    while not valid:
        *_, valid, payload = await ctx.tick().sample(port.valid, port.payload)
    if not held:
        ctx.set(port.ready, 0)
    return plain(payload)


def source(port: Any, payloads: Iterable[Any], *, gap: float = 0.0, seed: int = 0) -> Testbench:
    """Return a testbench that sends ``payloads``, each clock pausing with probability ``gap``."""
    dice = random.Random(f"source {seed}")

    async def source_testbench(ctx: Any) -> None:
        for payload in payloads:
            while dice.random() < gap:
                await ctx.tick()
            await put(ctx, port, payload)

    return source_testbench


def sink(
    port: Any, count: int, seen: list[Any], *, gap: float = 0.0, late: bool = False, seed: int = 0
) -> Testbench:
    """Return a testbench that appends ``count`` payloads, as ``plain`` gives them, to ``seen``.

    Each clock it refuses with probability ``gap``; ``late`` is that of ``get``.
    """
    dice = random.Random(f"sink {seed}")
    if port.signature.always_ready and (gap or late):
        raise ValueError("a port that is always ready cannot be stalled")

    async def sink_testbench(ctx: Any) -> None:
        for _ in range(count):
            while dice.random() < gap:
                await ctx.tick()
            seen.append(await get(ctx, port, late=late))

    return sink_testbench


def stays_silent(port: Any, cycles: int) -> Testbench:
    """Return a testbench that fails if anything is offered on ``port`` for ``cycles`` clocks."""

    async def stays_silent_testbench(ctx: Any) -> None:
        for _ in range(cycles):
            *_, valid, payload = await ctx.tick().sample(port.valid, port.payload)
            assert not valid, f"unexpected payload {plain(payload)!r}"

    return stays_silent_testbench


def keeps_promise(port: Any, name: str = "stream") -> Testbench:
    """Return a checker that what is offered on ``port`` stays until it is taken."""

    async def keeps_promise_checker(ctx: Any) -> None:
        waiting, held = False, None
        while True:
            *_, valid, ready, payload = await ctx.tick().sample(
                port.valid, port.ready, Value.cast(port.payload)
            )
            if waiting:
                assert valid, f"{name}: valid fell before the payload was taken"
                assert payload == held, (
                    f"{name}: payload changed from {held:#x} to {payload:#x} before it was taken"
                )
            waiting, held = bool(valid and not ready), payload

    return keeps_promise_checker
