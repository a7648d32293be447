# SPDX-License-Identifier: Apache-2.0
"""The core behind byte ports answers what golden does; and the memory that its kind shares."""

from typing import Any

import numpy as np
import pytest

from fantastic4 import golden
from fantastic4.errors import FantasticError
from fantastic4.image import parse
from fantastic4.layout import ErrorCode
from fantastic4.network import InputQuant, Network
from fantastic4.pack import pack
from fantastic4.randomnet import random_layer, random_network
from fantastic4.timing import timing
from fantastic4_hw.byteport import ByteCore
from fantastic4_hw.byteport import check as check_ports
from fantastic4_hw.core import Core
from fantastic4_sim.bench import simulate
from fantastic4_sim.device import AmaranthDevice

SMALL: dict[str, Any] = {
    "weight_depth": 512,
    "formats": ("dense",),
    "max_layers": 4,
    "shared_activations": True,
    "byte_checksum": True,
    "input_chunks": 20,
    "hidden_chunks": 6,
}
"""What makes a core small."""


async def send(ctx, dut, dice, data, *, image, gap):
    """Offer bytes; they stay until they are taken."""
    for place, byte in enumerate(data):
        while dice.random() < gap:
            await ctx.tick()
        ctx.set(dut.i_data, byte)
        ctx.set(dut.i_image, image)
        ctx.set(dut.i_last, place == len(data) - 1)
        ctx.set(dut.i_valid, 1)
        ready = 0
        while not ready:
            *_, ready = await ctx.tick().sample(dut.i_ready)
        ctx.set(dut.i_valid, 0)


async def receive(ctx, dut, dice, *, gap):
    """Return the bytes of a result, and see that what is offered stays."""
    found: list[int] = []
    held = None
    while True:
        taking = dice.random() >= gap
        ctx.set(dut.o_ready, taking)
        *_, valid, byte, last = await ctx.tick().sample(dut.o_valid, dut.o_data, dut.o_last)
        assert held is None or (valid, byte, last) == held
        held = (valid, byte, last) if valid and not taking else None
        if valid and taking:
            found.append(byte)
            if last:
                ctx.set(dut.o_ready, 0)
                return bytes(found)


def answers(network, x):
    """The bytes of each result."""
    found = golden.predict(network, x)
    return [
        row.astype("<i4").tobytes() + int(best).to_bytes(2, "little")
        for row, best in zip(found.outputs, found.best, strict=True)
    ]


@pytest.mark.parametrize("gap", [0.0, 0.4])
@pytest.mark.parametrize(("lanes", "engines"), [(4, 1), (3, 2)])
def test_answers_what_golden_does(rng, geometry, lanes, engines, gap):
    """Image, inputs, results; a broken image between two good ones."""
    cfg = geometry(lanes, engines, **SMALL)
    dut = ByteCore(cfg)
    cases = [
        random_network(rng, [9, 7, 17, 3]),
        random_network(rng, [5, 2], logits=False),
    ]
    x = [rng.integers(0, 256, (3, case.in_features), np.uint8) for case in cases]
    images = [pack(case, cfg) for case in cases]
    seen: list[bytes] = []
    codes: list[int] = []

    async def drive(ctx):
        for image, rows in zip(images, x, strict=True):
            await send(ctx, dut, rng, image[:26], image=1, gap=gap)
            while ctx.get(dut.busy):
                await ctx.tick()
            codes.append(ctx.get(dut.error))
            assert not ctx.get(dut.loaded)
            await send(ctx, dut, rng, image, image=1, gap=gap)
            for row in rows:
                await send(ctx, dut, rng, row.tolist(), image=0, gap=gap)
            while len(seen) % len(rows) or not seen:
                await ctx.tick()

    async def read(ctx):
        for _ in range(6):
            seen.append(await receive(ctx, dut, rng, gap=gap))

    simulate(dut, [drive, read])
    assert codes == [ErrorCode.LENGTH] * 2
    assert seen == answers(cases[0], x[0]) + answers(cases[1], x[1])


def test_needs_one_activation_at_a_time(geometry):
    with pytest.raises(FantasticError, match="byte ports need input_width 1 and weights inside"):
        check_ports(geometry(4, 1, input_width=2))
    with pytest.raises(FantasticError, match="external_weights True"):
        check_ports(geometry(4, 1, external_weights=True))


@pytest.mark.parametrize(("lanes", "engines"), [(4, 1), (3, 2)])
def test_shared_activations(check, rng, geometry, lanes, engines):
    """Inputs come while hidden activations are written."""
    cfg = geometry(lanes, engines, **SMALL)
    for widths in ([19, 18, 17, 3], [1, 17, 1, 1]):
        network = random_network(rng, widths, extreme=widths[0] == 1)
        x = rng.integers(0, 256, (3, widths[0]), np.uint8)
        check(AmaranthDevice(cfg, seed=lanes), network, pack(network, cfg), x)


def test_inputs_wait_for_hidden_activations(rng, geometry):
    """``interval`` when it is the inputs that take longest."""
    cfg = geometry(8, 8, **SMALL | {"formats": ("dense", "ternary")})
    layers = (random_layer(rng, 120, 30), random_layer(rng, 30, 1, logits=True))
    network = Network(layers, InputQuant(gain=np.ones(1), offset=np.zeros(1)))
    predicted = timing(parse(pack(network, cfg)), cfg)
    assert predicted.interval == 120 + 30 > predicted.following + 1
    dut = Core(cfg)
    ends: list[int] = []

    async def drive(ctx):
        image = np.frombuffer(pack(network, cfg), "<u4").tolist()
        for place, word in enumerate(image):
            ctx.set(dut.load.payload, {"data": word, "last": place == len(image) - 1})
            ctx.set(dut.load.valid, 1)
            ready = 0
            while not ready:
                *_, ready = await ctx.tick().sample(dut.load.ready)
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.result.ready, 1)
        clock, sent = 0, 0
        while len(ends) < 5:
            ctx.set(dut.input.payload, {"data": [sent % 251], "last": sent % 120 == 119})
            ctx.set(dut.input.valid, 1)
            *_, ready, ended = await ctx.tick().sample(
                dut.input.ready, dut.result.valid & dut.result.payload.last
            )
            sent += ready
            clock += 1
            ends.extend([clock] if ended else [])

    simulate(dut, [drive])
    assert np.diff(ends[1:]).tolist() == [predicted.interval] * 3
