# SPDX-License-Identifier: Apache-2.0
"""Cores whose names stand for masks, and cores of two masks: RTL equals golden and ``timing``."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import CoreConfig
from fantastic4.errors import ImageError
from fantastic4.image import build, parse
from fantastic4.layout import ErrorCode, Format
from fantastic4.pack import pack, read_image, unpack
from fantastic4.randomnet import random_network
from fantastic4_sim.commands import Load, LoadReply
from fantastic4_sim.device import AmaranthDevice, open_device

PLAIN = CoreConfig("plain", 4, 2, 4096, 512, 512, 80, 80, 1, 4)
NAMED = {width: replace(PLAIN, name=f"named{width}", name_width=width) for width in (1, 2)}
HALF = replace(PLAIN, name="half", masks=2, name_width=1)


def few_values(rng, names, widths=(30, 12, 9, 3)):
    return random_network(rng, list(widths), density=[0.3, 0.6, 0.1], names=names)


@pytest.mark.parametrize("kind", [Format.BITMASK, Format.BITMASK2, None])
@pytest.mark.parametrize("width", [1, 2])
def test_names_that_stand_for_masks(check, rng, width, kind):
    """Also of codes of several masks, and, where any format will do, of many values."""
    cfg = NAMED[width]
    network = few_values(rng, [(2, 1), (3, 4)][width - 1] + ((15,) if kind is None else ()))
    image = pack(network, cfg, kind)
    assert kind is None or {record["format"] for record in parse(image).layers} == {kind}
    check(
        open_device(cfg, engine="amaranth"), network, image, rng.integers(0, 256, (2, 30), np.uint8)
    )


@pytest.mark.parametrize(
    "kind", [*Format, None], ids=lambda kind: "any" if kind is None else kind.name
)
def test_two_masks(check, rng, kind):
    """Every format; codes of the network may be any, as long as a layer has two values."""
    network = few_values(rng, (2, 1))
    layers = [
        replace(layer, codes=table[layer.codes])
        for layer, table in zip(
            network.layers,
            (
                np.array([0, 9, 6], np.uint8),
                np.array([0, 4, 8], np.uint8),
                np.array([0, 1, 2], np.uint8),
            ),
            strict=True,
        )
    ]
    network = replace(network, layers=tuple(layers))
    image = pack(network, HALF, kind)
    assert unpack(parse(image)).layers[0].codes.max() <= 3
    check(
        open_device(HALF, engine="amaranth"),
        network,
        image,
        rng.integers(0, 256, (2, 30), np.uint8),
    )


def test_images_of_other_masks_are_refused(rng):
    """By software and by hardware, whatever their layers hold."""
    network = few_values(rng, (2, 1))
    cores = [PLAIN, *NAMED.values(), HALF]
    for ours in cores:
        commands = [Load(pack(network, other)) for other in cores]
        replies = AmaranthDevice(ours).run(commands)
        for other, reply in zip(cores, replies, strict=True):
            right = other is ours
            wanted = LoadReply(right, ErrorCode.NONE if right else ErrorCode.GEOMETRY)
            assert reply == wanted
            if not right:
                with pytest.raises(ImageError, match=r"codes \d.* Pack it again with --config"):
                    read_image(pack(network, other), ours)


def test_software_checks_that_names_stand_for_masks(rng):
    image = parse(pack(few_values(rng, (4,)), NAMED[2], Format.BITMASK))
    for change in ({"width": 3}, {"palette": image.layers[1]["palette"] ^ 1 << 20}):
        layers = [dict(record) for record in image.layers]
        layers[1] |= change
        bad = build(replace(image, layers=layers))
        with pytest.raises(ImageError, match=r"at layer 1: its bitmask must name masks"):
            unpack(parse(bad))
