# SPDX-License-Identifier: Apache-2.0
"""The memories of a core, and the RAM cells they take: counted, not estimated."""

from dataclasses import dataclass

from fantastic4.area.blocks import LUT_RAM_DEPTH, SHAPES, Shape, blocks_of, choose_shape
from fantastic4.config import CoreConfig
from fantastic4.timing import result_depth

LUT_RAM_WIDTH, LUT_RAM_ROWS = 4, 16
"""Bits and rows of a TRELLIS_DPR16X4, the LUT RAM of ECP5."""

RESULT_BITS = 45
"""A place of the queue of results: value, index of the greatest, last."""


@dataclass(frozen=True)
class Memory:
    """Memories of one shape.

    Parameters
    ----------
    name : str
        What they hold.
    count : int
        So many of them.
    depth, width, granularity : int
        Rows, bits of a row, and bits that share a write enable.
    quick : bool
        Needs its output registers.
    """

    name: str
    count: int
    depth: int
    width: int
    granularity: int
    quick: bool = False

    def shape(self) -> Shape:
        """Return how a DP16KD is used for it."""
        return choose_shape(self.depth, self.width, self.granularity, quick=self.quick)

    def blocks(self) -> int:
        """Return the DP16KD behind each other, 0 in LUTs."""
        return blocks_of(self.depth, self.shape()) if self.depth > LUT_RAM_DEPTH else 0

    def cells(self) -> int:
        """Return the DP16KD of one of them, 0 in LUTs."""
        return self.blocks() * -(-self.width // self.shape().data)

    def lut_rams(self) -> int:
        """Return the LUT RAMs of one of them, 0 in block RAM."""
        if self.depth > LUT_RAM_DEPTH:
            return 0
        parts = self.width // self.granularity
        return parts * -(-self.granularity // LUT_RAM_WIDTH) * -(-self.depth // LUT_RAM_ROWS)

    def spacious(self) -> int:
        """Return the depth up to which one takes no more cells than now, on ECP5."""
        if self.depth <= LUT_RAM_DEPTH:
            return -(-self.depth // LUT_RAM_ROWS) * LUT_RAM_ROWS
        cells = self.cells()
        least = min(
            (
                blocks_of(self.depth, shape) << shape.address
                for shape in SHAPES
                if blocks_of(self.depth, shape) * -(-self.width // shape.data) == cells
                and (shape.data <= 4 or self.granularity in (8, self.width))
            ),
            default=self.depth,
        )
        return max(self.depth, least)


def memories_of(cfg: CoreConfig) -> list[Memory]:
    """Return the memories of a core that are made of block RAM, where they are deep enough."""
    found = [
        Memory("basis", 1, cfg.basis_depth, 64, 64),
        Memory("bias", 1, cfg.row_depth, cfg.bias_width, cfg.bias_width),
        Memory("results", 1, result_depth(cfg), RESULT_BITS, RESULT_BITS, quick=cfg.steady),
    ]
    for name, rows in activation_rows(cfg).items():
        found.append(Memory(name, 1, rows, 8 * cfg.lanes, 8))
    if not cfg.external_weights:
        banks = cfg.engines * cfg.banks
        found.append(Memory("weights", banks, cfg.weight_depth, cfg.word_width, cfg.word_width))
    return found


def activation_rows(cfg: CoreConfig) -> dict[str, int]:
    """Return the rows of the memories of activations: two buffers begin at powers of two."""
    bits = {
        "inputs": max(1, (cfg.input_chunks - 1).bit_length()),
        "hidden": max(1, (cfg.hidden_chunks - 1).bit_length()),
    }
    if cfg.shared_activations:
        return {"activations": 4 << max(bits.values())}
    chunks = {"inputs": cfg.input_chunks, "hidden": cfg.hidden_chunks}
    return {name: (1 << bits[name]) + chunks[name] for name in bits}


def block_rams(cfg: CoreConfig) -> int:
    """Return the DP16KD of a core."""
    return sum(memory.count * memory.cells() for memory in memories_of(cfg))
