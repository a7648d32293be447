# SPDX-License-Identifier: Apache-2.0
"""The cores that a plan chooses from, with what can be said of them at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fantastic4.area import Area, estimate
from fantastic4.config import BASIS_COUNT, MAX_TILE, CoreConfig
from fantastic4.errors import FantasticError
from fantastic4.estimate import format_bits
from fantastic4.network import Network
from fantastic4.pack import fit_masks
from fantastic4.plan.clock import clock_of
from fantastic4.plan.proposal import bias_words, sized_for
from fantastic4.timing import Timing, ideal_timing

LANES = tuple(1 << bits for bits in range(3, MAX_TILE.bit_length()))
"""Lanes of an engine."""

ENGINES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
"""Engines of a core."""

FORMATS = (
    ("dense",),
    ("ternary",),
    ("ternary5",),
    ("bitmask",),
    ("bitmask2",),
    ("dense", "ternary5"),
    ("dense", "bitmask"),
    ("dense", "bitmask2"),
    ("bitmask", "bitmask2"),
    ("dense", "bitmask", "bitmask2"),
    ("dense", "bitmask", "csr"),
    ("bitmask", "bitmask2", "csr"),
    ("dense", "bitmask", "bitmask2", "csr"),
)
"""Formats of a core."""

RECODED = {"ternary5", "bitmask", "bitmask2"}
"""Formats that store a layer differently when its codes stand for masks."""

SLACK = 0.97
"""Share of the estimated weight words that a bank has at least: the estimate is an average."""


@dataclass(frozen=True)
class Candidate:
    """A core that may be proposed.

    Parameters
    ----------
    cfg : CoreConfig
        With depths for about as many weight words as the network will take.
    area : Area
        What that takes.
    ideal : Timing
        With weights that are never late: no less than the core will take.
    mhz : float
    """

    cfg: CoreConfig
    area: Area
    ideal: Timing
    mhz: float

    @property
    def latency_us(self) -> float:
        """The least that the core can take."""
        return self.ideal.latency / self.mhz


def candidates(
    network: Network, technology: str, input_width: int, mhz: float | None
) -> Iterator[Candidate]:
    """Yield cores for ``network``: all geometries with all formats that can express it."""
    variants = _variants(network)
    biases = bias_words(network)
    for lanes in LANES:
        for engines in ENGINES:
            ideal = None
            for (masks, name_width, formats), (fitted, bits) in variants.items():
                try:
                    cfg = CoreConfig(
                        name=_name(lanes, engines, masks, name_width, formats),
                        lanes=lanes,
                        engines=engines,
                        weight_depth=2,
                        row_depth=1,
                        basis_depth=1,
                        input_chunks=1,
                        hidden_chunks=1,
                        input_width=min(input_width, lanes),
                        formats=formats,
                        masks=masks,
                        name_width=name_width,
                    )
                    words = _words(fitted, cfg, bits)
                    cfg = sized_for(fitted, biases, cfg, int(words * SLACK))
                except FantasticError:
                    continue
                ideal = ideal or ideal_timing(fitted.layers, cfg)
                clock = mhz or clock_of(cfg, technology)[0]
                yield Candidate(cfg, estimate(cfg, technology), ideal, clock)


def _name(lanes: int, engines: int, masks: int, name_width: int, formats: tuple[str, ...]) -> str:
    parts = [f"{lanes}x{engines}", *formats]
    if masks < BASIS_COUNT:
        parts.append("2masks")
    elif name_width < BASIS_COUNT:
        parts.append(f"names{name_width}")
    return "-".join(parts)


Variants = dict[tuple[int, int, tuple[str, ...]], tuple[Network, list[float]]]


def _variants(network: Network) -> Variants:
    """Return masks, width of names and formats of cores that can express the network.

    With them the network as such a core gets it, and the bits a weight of each of its layers.
    """
    found: Variants = {}
    for masks, name_width in _codings(network):
        for formats in FORMATS:
            plain = not set(formats) & RECODED
            if plain and masks == BASIS_COUNT and name_width < 4:
                continue  # the same core as with wide names
            probe = CoreConfig(
                "probe", 8, 1, 2, 1, 1, 1, 1, formats=formats, masks=masks, name_width=name_width
            )
            fitted = fit_masks(network, probe)
            bits = [_bits(layer.codes, formats, name_width) for layer in fitted.layers]
            if np.isfinite(bits).all():
                found[masks, name_width, formats] = (fitted, bits)
    return found


def _codings(network: Network) -> list[tuple[int, int]]:
    """Return masks and widths of names worth trying: two masks are half the adders, if they do."""
    two = CoreConfig("probe", 8, 1, 2, 1, 1, 1, 1, formats=("dense",), masks=2, name_width=1)
    try:
        fit_masks(network, two)
    except FantasticError:
        return [(BASIS_COUNT, 4), (BASIS_COUNT, 2), (BASIS_COUNT, 1)]
    return [(2, 1)]


def _bits(codes: np.ndarray, formats: tuple[str, ...], name_width: int) -> float:
    """Return about the bits a weight of a layer, codes ``(planes, out, in)``; infinite if none can.

    All planes of a layer have one format.
    """
    counts = np.bincount(codes.ravel(), minlength=16)
    used = np.flatnonzero(counts[1:]) + 1
    bits = format_bits(counts) if len(used) else dict.fromkeys(formats, 4.0)
    masks = not (used & used - 1).any() and codes.max() < 1 << (1 << name_width)
    if name_width < 4 and not masks:
        bits = {name: x for name, x in bits.items() if not name.startswith("bitmask")}
    if codes.max() > 2:
        bits.pop("ternary5", None)
    return min((bits.get(name, np.inf) for name in formats), default=np.inf)


def _words(fitted: Network, cfg: CoreConfig, bits: list[float]) -> int:
    """Return about the weight words of a bank, padding of rows and columns included."""
    total = 0.0
    for layer, each in zip(fitted.layers, bits, strict=True):
        beats = -(-layer.out_features // cfg.engines) * layer.planes * cfg.chunks(layer.in_features)
        rows = (
            beats * cfg.bank_lanes * layer.in_features / (cfg.chunks(layer.in_features) * cfg.lanes)
        )
        total += -(-rows * each // cfg.word_width) if each < 4 else beats
    return int(total)
