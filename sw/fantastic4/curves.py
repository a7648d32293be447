# SPDX-License-Identifier: Apache-2.0
"""Bits a weight of each format over density, measured by encoding."""

from pathlib import Path
from typing import Any

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.cost import code_entropy
from fantastic4.figure import new_figure
from fantastic4.formats.beats import to_beats
from fantastic4.selection import candidates, formats_of, select

DENSITIES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Shares of non-zero codes at which curves are measured."""


FINE = tuple(percent / 100 for percent in range(1, 101))
"""Densities at which ranges are looked for."""

FAR = 1.25
"""Bits over the entropy that count as far from it."""


def draw_codes(
    rng: np.random.Generator, shape: tuple[int, int, int], density: float, names: int
) -> np.ndarray:
    """Return random codes with ``names`` non-zero values, larger ones rarer as in trained layers.

    Each further value is 0.6 times as frequent as the one before.
    """
    shares = 0.6 ** np.arange(names)
    codes = rng.choice(np.arange(1, names + 1), shape, p=shares / shares.sum()).astype(np.uint8)
    codes[rng.random(shape) >= density] = 0
    return codes


def curve(
    cfg: CoreConfig, names: int, densities: tuple[float, ...] = DENSITIES, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the weight bits of a 512 x 512 layer in each format, and its entropy, per weight.

    ``packed`` is the format that the packer takes.

    Parameters
    ----------
    cfg : CoreConfig
        Geometry; its formats.
    names : int
        Non-zero values in use, 1..15.
    densities : tuple of float
    seed : int
    """
    rng = np.random.default_rng(seed)
    rows = []
    for density in densities:
        codes = draw_codes(rng, (1, 512, 512), density, names)
        beats = to_beats(codes, cfg)
        found = candidates(beats, formats_of(cfg))
        rows.append(
            {
                "density": float(np.count_nonzero(codes) / codes.size),
                "entropy": code_entropy(codes),
                "packed": select(beats, cfg, "curve").format.name.lower(),
                "bits_per_weight": {
                    choice.format.name.lower(): choice.words * cfg.word_width / codes.size
                    for choice in found
                },
            }
        )
    return rows


def far_ranges(points: list[dict[str, Any]], densities: tuple[float, ...]) -> list[list[float]]:
    """Return the ranges of ``densities`` in which what the packer takes is far over the entropy."""
    ranges: list[list[float]] = []
    inside = False
    for density, point in zip(densities, points, strict=True):
        far = point["bits_per_weight"][point["packed"]] > FAR * point["entropy"]
        if far and not inside:
            ranges.append([density, density])
        elif far:
            ranges[-1][1] = density
        inside = far
    return ranges


def plot(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw the curves, one panel for each number of non-zero values, into ``path``.

    Raises
    ------
    FantasticError
        If matplotlib is not installed.
    """
    figure = new_figure(4 * len(curves), 4)
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (names, points) in zip(panels, curves.items(), strict=True):
        density = [point["density"] for point in points]
        for name in sorted({name for point in points for name in point["bits_per_weight"]}):
            bits = [point["bits_per_weight"].get(name) for point in points]
            panel.plot(density, bits, label=name)
        panel.plot(density, [p["entropy"] for p in points], "k--", label="first-order entropy")
        panel.set(title=f"{names} non-zero values", xlabel="density", xlim=(0, 1), ylim=(0, 4.2))
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("bits a weight, words alone")
    lines = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=len(lines))
    figure.savefig(path, dpi=110)
