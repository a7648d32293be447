# SPDX-License-Identifier: Apache-2.0
"""A core for a network, worked out: memories as deep as needed, cycles exact, area estimated."""

from dataclasses import dataclass, replace

import numpy as np

from fantastic4 import bias
from fantastic4.area import Area, estimate
from fantastic4.area.memories import Memory
from fantastic4.config import MAX_COUNT, CoreConfig
from fantastic4.errors import PackError
from fantastic4.formats import FORMATS
from fantastic4.formats.beats import to_beats
from fantastic4.network import Network
from fantastic4.pack import fit_masks
from fantastic4.plan.clock import clock_of
from fantastic4.selection import Choice, select
from fantastic4.timing import Timing, planned_timing


@dataclass(frozen=True)
class Proposal:
    """A core that holds a network.

    Parameters
    ----------
    cfg : CoreConfig
    area : Area
        Estimated, but for block RAMs and multipliers.
    timing : Timing
        Exact.
    formats : tuple of str
        How each layer is stored.
    words : int
        Weight words of the fullest bank.
    mhz : float
        Estimated clock, or the one that was given.
    clock_source : str
        What it was taken from.
    """

    cfg: CoreConfig
    area: Area
    timing: Timing
    formats: tuple[str, ...]
    words: int
    mhz: float
    clock_source: str

    @property
    def latency_us(self) -> float:
        """From the first input transfer to the last result."""
        return self.timing.latency / self.mhz

    @property
    def per_second(self) -> float:
        """Inferences a second, inputs waiting."""
        return 1e6 * self.mhz / self.timing.interval


def work_out(
    network: Network, cfg: CoreConfig, technology: str, mhz: float | None = None
) -> Proposal:
    """Return the core ``cfg`` with memories that hold ``network``; its own depths do not count.

    Memories are as deep as the block RAMs they take anyway.

    Raises
    ------
    PackError
        If the core cannot express the codes, or a memory would be deeper than there can be.
    """
    fitted = fit_masks(network, cfg)
    choices: list[Choice] = []
    banks = np.zeros(cfg.group_rows * cfg.banks, np.int64)
    for layer in fitted.layers:
        beats = to_beats(layer.codes, cfg)
        choice = select(beats, cfg, layer.name)
        module = FORMATS[choice.format]
        banks += [module.word_count(bank, choice.params) for bank in beats]
        choices.append(choice)
    words = int(banks.max())
    sized = sized_for(fitted, bias_words(fitted), cfg, words)
    clock, source = (mhz, "given") if mhz else clock_of(sized, technology)
    return Proposal(
        cfg=sized,
        area=estimate(sized, technology),
        timing=planned_timing(fitted.layers, choices, sized),
        formats=tuple(choice.format.name.lower() for choice in choices),
        words=words,
        mhz=clock,
        clock_source=source,
    )


def bias_words(network: Network) -> int:
    """Return the words that the biases of all layers take."""
    return sum(len(bias.encode(layer.bias).words) for layer in network.layers)


def sized_for(fitted: Network, biases: int, cfg: CoreConfig, words: int) -> CoreConfig:
    """Return ``cfg`` with depths for a network and ``words`` weight words in the fullest bank.

    ``fitted`` is the network as the core gets it, ``biases`` are its ``bias_words``.

    Raises
    ------
    PackError
        If a memory would be deeper than there can be.
    """
    entries = sum(
        x.planes * cfg.tiles(x.in_features) * (x.out_features if x.per_row else 1)
        for x in fitted.layers
    )
    hidden = max((cfg.chunks(x.out_features) for x in fitted.layers[:-1]), default=1)
    needs = {
        "weight_depth": (max(2, words), cfg.word_width),
        "row_depth": (biases, cfg.bias_width),
        "basis_depth": (entries, 64),
    }
    for name, (need, _) in needs.items():
        if need > MAX_COUNT:
            raise PackError(f"{name} would be {need:,}, more than {MAX_COUNT:,}")
    depths = {
        name: min(MAX_COUNT, Memory(name, 1, need, width, width).spacious())
        for name, (need, width) in needs.items()
    }
    return replace(
        cfg,
        **depths,
        input_chunks=cfg.chunks(fitted.in_features),
        hidden_chunks=hidden,
        max_layers=max(cfg.max_layers, len(fitted.layers)),
    )
