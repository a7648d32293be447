# SPDX-License-Identifier: Apache-2.0
"""Shapes of what travels between the blocks, all derived from the configuration."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from fantastic4.config import BASIS_COUNT, MAX_FEATURES, CoreConfig
from fantastic4.layout import LAYER, BitLayout

FEATURE_WIDTH = MAX_FEATURES.bit_length()
"""Bits that count up to the features of a layer."""

INDEX_WIDTH = (MAX_FEATURES - 1).bit_length()
"""Bits that name an output."""


def struct_of(layout: BitLayout) -> data.StructLayout:
    """Return the Amaranth layout with the very same bits as ``layout``."""
    return data.StructLayout({name: unsigned(width) for name, width in layout.fields.items()})


LAYER_LAYOUT = struct_of(LAYER)
"""A record of the layer table."""

LOAD_LAYOUT = data.StructLayout({"data": 32, "last": 1})
"""A transfer of the load stream: one image word."""

STATUS_LAYOUT = data.StructLayout({"loaded": 1, "busy": 1, "idle": 1, "error": 4})
"""Status of a core; ``error`` is an ``ErrorCode``."""

PERF_LAYOUT = data.StructLayout({"cycles": 32, "beats": 32, "stalls": 32})
"""Of the inference that finished last: clocks, beats, and clocks spent waiting for weights."""

RESULT_LAYOUT = data.StructLayout(
    {"value": signed(32), "best": unsigned(INDEX_WIDTH), "last": unsigned(1)}
)
"""A transfer of the result stream: one output; ``best`` is the arg-max where ``last`` is set."""


def activations(count: int) -> data.ArrayLayout:
    """Return the layout of ``count`` activations."""
    return data.ArrayLayout(unsigned(8), count)


def input_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of a transfer of the input stream."""
    return data.StructLayout({"data": activations(cfg.input_width), "last": unsigned(1)})


def beat_layout(cfg: CoreConfig) -> data.ArrayLayout:
    """Return the layout of what a decoder hands an engine in one clock."""
    return data.ArrayLayout(unsigned(4), cfg.lanes)


def sums_layout(cfg: CoreConfig) -> data.ArrayLayout:
    """Return the layout of the four sums of a tile."""
    return data.ArrayLayout(unsigned(cfg.sum_width), BASIS_COUNT)


def basis_layout(cfg: CoreConfig) -> data.ArrayLayout:
    """Return the layout of four basis coefficients."""
    return data.ArrayLayout(signed(cfg.basis_width), BASIS_COUNT)


def rows_shape(cfg: CoreConfig) -> int:
    """Return the width that counts the rows of a group in each core less one."""
    return max(1, (cfg.engines - 1).bit_length())


def chunk_address_width(cfg: CoreConfig) -> int:
    """Return the width of a chunk's number, in either activation memory."""
    return max(1, (max(cfg.input_chunks, cfg.hidden_chunks) - 1).bit_length())


def flags_layout(cfg: CoreConfig) -> dict[str, int]:
    """Return the fields that say where a chunk stands in its row group.

    ``first`` and ``last`` chunk of a tile; ``open`` and ``close``: first and last tile of the
    group; ``ends``: last group of the layer; ``rows``: rows of the group in each core less one.
    """
    return {"first": 1, "last": 1, "open": 1, "close": 1, "ends": 1, "rows": rows_shape(cfg)}


def step_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of what the sequencer asks of the activation memory.

    ``release``: with this step the input has been read for the last time.
    """
    return data.StructLayout(
        {
            "chunk": chunk_address_width(cfg),
            "hidden": 1,
            "slot": 1,
            "release": 1,
            **flags_layout(cfg),
        }
    )


def chunk_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of a chunk on its way to the array."""
    return data.StructLayout({"acts": activations(cfg.lanes), **flags_layout(cfg)})


def finished_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of a finished row: ``rounded`` before the clamp, and ``y`` behind it."""
    return data.StructLayout({"rounded": signed(cfg.acc_width), "y": unsigned(8)})


def row_layout(cfg: CoreConfig) -> data.StructLayout:
    """Return the layout of one row's sums over one tile, on their way to the multipliers.

    ``final`` marks the last row of a group, ``ends`` the last group of a layer.
    """
    return data.StructLayout(
        {
            "sums": sums_layout(cfg),
            "engine": rows_shape(cfg),
            "open": 1,
            "close": 1,
            "ends": 1,
            "final": 1,
        }
    )
