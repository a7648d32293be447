# SPDX-License-Identifier: Apache-2.0
"""What a core consists of, as counts that logic grows with: the features of the area model."""

from collections.abc import Mapping

from fantastic4.area.blocks import LUT_RAM_DEPTH
from fantastic4.area.memories import (
    LUT_RAM_ROWS,
    LUT_RAM_WIDTH,
    RESULT_BITS,
    activation_rows,
    memories_of,
)
from fantastic4.config import CoreConfig
from fantastic4.timing import ACTIVATION_LATENCY, WRITTEN_AT_ONCE, result_depth

GROUPS: Mapping[str, tuple[str, ...]] = {
    "array": ("array",),
    "decoders": ("feed_",),
    "banks": ("banks_", "weights"),
    "activations": ("activations",),
    "loader": ("loader",),
    "retire": ("retire",),
    "multiply": ("multiply",),
    "rest": (),
}
"""Parts of a core that are estimated each by itself, and how names of components begin; *rest* is
all others."""

CARRIES = "carries"
"""A further part: LUT sites of carry cells that place and route adds, of no component."""

LUT_FEATURES: Mapping[str, tuple[str, ...]] = {
    "array": ("tree_sites", "sums", "engines", "one"),
    "decoders": ("own_decoders", "even_decoders", "one"),
    "banks": ("readers", "reader_bits", "row_choice", "one"),
    "activations": ("lanes", "apart", "act_lut_rams", "act_choice", "one"),
    "loader": ("banks", "word_checksum", "one"),
    "retire": ("lanes", "queue_lut_rams", "one"),
    "multiply": ("partial_lut_rams", "address_bits", "one"),
    "rest": ("parts", "address_bits", "palette", "one"),
    CARRIES: ("adders", "one"),
}
"""Features that the LUTs of a part grow with."""

FF_FEATURES: Mapping[str, tuple[str, ...]] = {
    "array": ("tree_bits", "sums", "code_bits", "passed", "one"),
    "decoders": ("own_decoders", "even_decoders", "one"),
    "banks": ("readers", "reader_bits", "copied_bits", "wide_words", "one"),
    "activations": ("acts", "wide_acts", "one"),
    "loader": ("one",),
    "retire": ("lanes", "one"),
    "multiply": ("several", "one"),
    "rest": ("written_bits", "address_bits", "palette", "one"),
}
"""Features that the flip-flops of a part grow with."""


def group_of(component: str) -> str:
    """Return the part that a component of a record, such as ``core.slice_0.feed_0``, belongs to."""
    path = [name for name in component.split(".") if name != "core"]
    if path and path[0].startswith("slice_"):
        path = path[1:]
    name = path[0] if path else ""
    for group, begins in GROUPS.items():
        if any(name.startswith(begin) for begin in begins):
            return group
    return "rest"


def adders_above(lanes: int) -> list[tuple[int, int]]:
    """Return how many adders a tree has above its first level, and their width, level by level."""
    found = []
    count, width = (lanes + 1) // 2, 10
    while count > 1:
        found.append((count // 2, width))
        count, width = (count + 1) // 2, width + 1
    return found


def features_of(cfg: CoreConfig, decoder: float) -> dict[str, float]:
    """Return the features of a core by name.

    Parameters
    ----------
    cfg : CoreConfig
    decoder : float
        What the decoder of one bank takes by itself, LUTs or flip-flops.
    """
    trees = cfg.engines * cfg.masks
    pairs = (cfg.lanes + 1) // 2
    above = adders_above(cfg.lanes)
    banks = cfg.engines * cfg.banks
    address = (cfg.weight_depth - 1).bit_length()
    decoders = 0 if cfg.dense_only else banks * decoder
    readers = 0 if cfg.external_weights else 1 if cfg.lock_step else banks
    memories = {memory.name: memory for memory in memories_of(cfg)}
    weights = memories.get("weights")
    acts = [memories[name] for name in activation_rows(cfg)]
    queue = partial = 0
    if result_depth(cfg) <= LUT_RAM_DEPTH:
        queue = -(-result_depth(cfg) // LUT_RAM_ROWS) * -(-RESULT_BITS // LUT_RAM_WIDTH)
    if cfg.engines > 1:
        partial = -(-cfg.acc_width // LUT_RAM_WIDTH) * -(-cfg.engines // LUT_RAM_ROWS)
    # Two bits of a sum take a carry cell, two LUTs; a first level's has a half cell for its carry.
    first = 2 * ((8 + 3) // 2)
    accumulator = 2 * ((cfg.sum_width + 3) // 2)
    sites = pairs * first + sum(n * 2 * -(-width // 2) for n, width in above) + accumulator
    bits = pairs * 9 + sum(n * width for n, width in above) + cfg.sum_width
    return {
        "one": 1,
        "tree_sites": trees * sites,
        "tree_bits": trees * bits,
        "adders": trees * (sum(n for n, _ in above) + 1),
        "sums": trees * cfg.sum_width,
        "code_bits": trees * cfg.lanes * _code_registers(cfg),
        "passed": 8 * cfg.lanes * (cfg.engines - 1),
        "engines": cfg.engines,
        "several": int(cfg.engines > 1),
        "lanes": cfg.lanes,
        "acts": 8 * cfg.lanes,
        "apart": 0 if cfg.shared_activations else 8 * cfg.lanes,
        "parts": cfg.lanes // cfg.input_width,
        "banks": banks,
        "own_decoders": 0 if cfg.lock_step else decoders,
        "even_decoders": decoders if cfg.lock_step else 0,
        "readers": readers,
        "reader_bits": readers * address,
        "copied_bits": 2 * cfg.engines * address if cfg.dense_only else 0,
        "written_bits": _written_bits(cfg, banks, address) if weights else 0,
        "row_choice": _choice(weights.width, weights.blocks(), banks) if weights else 0,
        "wide_words": banks * weights.width if weights and weights.shape().row == 36 else 0,
        "act_lut_rams": sum(m.lut_rams() for m in acts),
        "act_choice": sum(
            m.width if not m.blocks() else _choice(m.width, m.blocks(), 1) for m in acts
        ),
        "wide_acts": sum(m.width for m in acts if not m.blocks()),
        "queue_lut_rams": queue,
        "partial_lut_rams": partial,
        "word_checksum": int(not cfg.byte_checksum),
        "address_bits": sum(
            (depth - 1).bit_length()
            for depth in (cfg.row_depth, cfg.basis_depth, *activation_rows(cfg).values())
        ),
        "palette": int(cfg.name_width == 4 and bool(set(cfg.formats) & _PALETTES))
        or int(bool(set(cfg.formats) & {"ternary", "csr"})),
    }


def _code_registers(cfg: CoreConfig) -> float:
    """Return the registers that a code waits in, the mean over engines."""
    if cfg.dense_only:
        return 1
    return ACTIVATION_LATENCY + (cfg.engines - 1) / 2


def _written_bits(cfg: CoreConfig, banks: int, address: int) -> int:
    """Return the registers on the way of weights from the loader to the banks."""
    stages = range(0, banks, WRITTEN_AT_ONCE)
    return sum(address + cfg.word_width + banks - first for first in stages)


_PALETTES = {"bitmask", "bitmask2"}


def _choice(width: int, blocks: int, count: int) -> int:
    """Return the bits times choices between rows of cells that stand behind each other."""
    return count * width * max(0, blocks - 1)
