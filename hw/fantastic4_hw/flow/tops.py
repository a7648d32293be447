# SPDX-License-Identifier: Apache-2.0
"""Parts of a configuration that can be synthesised by themselves."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.lib import wiring

from fantastic4.config import CoreConfig
from fantastic4.errors import FantasticError
from fantastic4_hw.byteport import ByteCore
from fantastic4_hw.engine import Engine
from fantastic4_hw.feed import EngineFeed
from fantastic4_hw.macarray import MacArray
from fantastic4_hw.ports import StreamCore


@dataclass(frozen=True)
class Top:
    """How a part is made, and how many lanes it has."""

    make: Callable[[CoreConfig], wiring.Component]
    lanes: Callable[[CoreConfig], int]


TOPS = {
    "core": Top(StreamCore, lambda cfg: cfg.lanes * cfg.group_rows),
    "bytes": Top(ByteCore, lambda cfg: cfg.lanes * cfg.group_rows),
    "engine": Top(Engine, lambda cfg: cfg.lanes),
    "decoders": Top(EngineFeed, lambda cfg: cfg.lanes),
    "mac": Top(MacArray, lambda cfg: cfg.lanes),
}
"""The whole core; the same behind ports of a byte, for small chips; one engine, trees and
accumulators; the decoders of one engine; what an engine is compared with."""


def find_top(name: str) -> Top:
    """Return the part called ``name``; raise ``FantasticError`` if there is none."""
    try:
        return TOPS[name]
    except KeyError:
        raise FantasticError(f"--top must be one of {', '.join(TOPS)}, not {name!r}") from None
