# SPDX-License-Identifier: Apache-2.0
"""The geometry of a core: one frozen object from which every width follows."""

from dataclasses import dataclass, replace
from pathlib import Path

from fantastic4.errors import FantasticError

BASIS_COUNT = 4
"""Basis coefficients a layer; also the number of masks and of multipliers."""

MAX_FEATURES = 4096
"""Most inputs or outputs of one layer."""

MAX_LAYERS = 16
"""Most layers of one network."""

MAX_PLANES = 4
"""Most code planes of one layer (an 8-bit layer has two)."""

MAX_TILE = 512
"""Most columns summed before a multiplication: 512 * 255 fits an 18-bit signed operand."""


MAX_COUNT = (1 << 16) - 1
"""Most records of one section of an image."""

MAX_BANKS = 1 << 12
"""Most weight banks of a configuration, those of all cores together."""

MAX_CORES = 1 << 7
"""Most cores of a configuration."""

MAX_BANK_LANES = 8
"""Most lanes of a bank: its dense beat is one word of an image."""

ALL_FORMATS = ("dense", "ternary", "ternary5", "bitmask", "bitmask2", "csr")
"""Names of the formats there are."""

FIXED_RATE = ("dense", "ternary", "ternary5")
"""Formats in which every beat takes as many bits, so that all banks go through words alike."""

NARROW_STEADY = ("bitmask", "bitmask2")
"""Formats of which every beat is there in time with names of at most two bits."""

_BANK_LANES = {"ternary5": (4, 8), "bitmask": (1, 2, 4, 8), "csr": (4, 8), "bitmask2": (4, 8)}
"""Lanes of a bank that formats can do with, unless any."""


def formats_for(bank_lanes: int) -> tuple[str, ...]:
    """Return the names of the formats that banks of so many lanes can have."""
    return tuple(name for name in ALL_FORMATS if bank_lanes in _BANK_LANES.get(name, (bank_lanes,)))


@dataclass(frozen=True)
class CoreConfig:
    """Geometry of one core, or of several that work on the same layer.

    Parameters
    ----------
    name : str
        What ``--config`` calls it.
    lanes : int
        Weights an engine handles in one clock.
    engines : int
        Rows that a core computes side by side.
    weight_depth : int
        Words of ``word_width`` bits in each weight bank.
    row_depth : int
        32-bit words of biases in each core, of all layers together: each holds one bias, or two
        of 16 bits.
    basis_depth : int
        Sets of four basis coefficients in each core, of all layers together.
    input_chunks : int
        Chunks in one input slot (there are two): inputs of at most ``input_chunks * lanes``.
    hidden_chunks : int
        Chunks in one of the two hidden buffers.
    input_width : int
        Activations taken in one transfer of the input stream.
    bank_lanes : int
        Lanes that share a weight bank and a decoder, at most 8.
    formats : tuple of str
        Formats the core decodes; a decoder that is not listed costs nothing.
    external_weights : bool
        Weight words come from streams outside the core instead of banks.
    masks : int
        Masks an engine adds up under: 4, or 2 for layers of at most two non-zero values, which
        takes half the adders.
    name_width : int
        Bits of the widest names in *bitmask* and *bitmask2*: 4; or 2 or 1, with which names stand
        for masks (``fantastic4.recode``), a core has no palette for them, and layers have at most
        four or two non-zero values in these formats. 1 with two masks.
    max_layers : int
        Layers of a network.
    shared_activations : bool
        Inputs and hidden activations share a memory, for chips with few block RAMs: inputs wait
        for a clock when a hidden activation is written.
    byte_checksum : bool
        The checksum of an image takes a byte a clock, which costs fewer LUTs and loading time.
    cores : int
        Cores of ``engines`` engines and four multipliers each, in lock step on the same
        activations; rows are dealt to them. A power of two that divides ``lanes``: the rows that
        leave in one clock are neighbouring lanes of one chunk.

    Raises
    ------
    FantasticError
        If a parameter is out of its range.
    """

    name: str
    lanes: int
    engines: int
    weight_depth: int
    row_depth: int
    basis_depth: int
    input_chunks: int
    hidden_chunks: int
    input_width: int = 4
    bank_lanes: int = 8
    formats: tuple[str, ...] = ALL_FORMATS
    external_weights: bool = False
    max_layers: int = MAX_LAYERS
    masks: int = BASIS_COUNT
    name_width: int = 4
    shared_activations: bool = False
    byte_checksum: bool = False
    cores: int = 1

    act_width: int = 8
    basis_width: int = 16
    bias_width: int = 32
    acc_width: int = 36
    logit_width: int = 32

    def __post_init__(self) -> None:
        ranges = {
            "lanes": (1, MAX_TILE),
            "engines": (1, 256),
            "weight_depth": (2, MAX_COUNT),
            "row_depth": (1, MAX_COUNT),
            "basis_depth": (1, MAX_COUNT),
            "input_chunks": (1, MAX_FEATURES),
            "hidden_chunks": (1, MAX_FEATURES),
            "input_width": (1, self.lanes),
            "bank_lanes": (1, MAX_BANK_LANES),
            "max_layers": (1, MAX_LAYERS),
            "cores": (1, MAX_CORES),
        }
        for field, (low, high) in ranges.items():
            value = getattr(self, field)
            if not low <= value <= high:
                raise FantasticError(
                    f"config {self.name}: {field} must be {low}..{high}, not {value!r}"
                )
        for field in ("input_width", "bank_lanes", "cores"):
            if self.lanes % getattr(self, field):
                raise FantasticError(
                    f"config {self.name}: lanes must be a multiple of {field} "
                    f"({getattr(self, field)}), not {self.lanes!r}"
                )
        for field, choices in (("masks", (2, BASIS_COUNT)), ("name_width", (1, 2, 4))):
            if getattr(self, field) not in choices:
                raise FantasticError(
                    f"config {self.name}: {field} must be one of {', '.join(map(str, choices))}, "
                    f"not {getattr(self, field)!r}"
                )
        if self.masks < BASIS_COUNT and self.name_width > 1:
            raise FantasticError(
                f"config {self.name}: {self.masks} masks need a name_width of 1, "
                f"not {self.name_width}"
            )
        if self.cores & self.cores - 1:
            raise FantasticError(
                f"config {self.name}: cores must be a power of two, not {self.cores!r}"
            )
        possible = formats_for(self.bank_lanes)
        if not self.formats or set(self.formats) - set(possible):
            raise FantasticError(
                f"config {self.name}: formats must be some of {', '.join(possible)} with "
                f"{self.bank_lanes} lanes a bank, not {', '.join(self.formats) or 'none'}"
            )
        if self.group_rows * self.banks > MAX_BANKS:
            raise FantasticError(
                f"config {self.name}: cores times engines times banks must be 1..{MAX_BANKS}, "
                f"not {self.group_rows * self.banks}"
            )

    @property
    def recodes(self) -> bool:
        """Layers need a mask a value, where there are few values (``fantastic4.recode``)."""
        return self.name_width < 4

    @property
    def tile_chunks(self) -> int:
        """Chunks summed before a multiplication."""
        return MAX_TILE // self.lanes

    @property
    def tile(self) -> int:
        """Columns summed before a multiplication."""
        return self.tile_chunks * self.lanes

    @property
    def sum_width(self) -> int:
        """Width of one mask's sum over a tile, unsigned."""
        return (self.tile * ((1 << self.act_width) - 1)).bit_length()

    @property
    def tree_levels(self) -> int:
        """Registered levels of an adder tree."""
        return max(1, (self.lanes - 1).bit_length())

    @property
    def collect_levels(self) -> int:
        """Registered levels of the multiplexer that collects the sums of all engines."""
        return max(1, ((self.engines - 1).bit_length() + 1) // 2)

    @property
    def word_width(self) -> int:
        """Bits of a weight word: as many as one dense beat of a bank."""
        return 4 * self.bank_lanes

    @property
    def dense_only(self) -> bool:
        """Whether weights are dense words of the core's own memories, which need no decoder."""
        return not self.external_weights and self.formats == ("dense",)

    @property
    def lock_step(self) -> bool:
        """Whether all banks take their words at the same time, whatever the weights."""
        return not self.external_weights and set(self.formats) <= set(FIXED_RATE)

    @property
    def steady(self) -> bool:
        """Whether all banks have their beats at the same time, and one a clock from the first of a
        layer on, whatever the weights.
        """
        masks = NARROW_STEADY if self.name_width <= 2 else ()
        return not self.external_weights and set(self.formats) <= {*FIXED_RATE, *masks}

    @property
    def told(self) -> bool:
        """Whether there are decoders that are told what to do, engine after engine."""
        return self.steady and not self.dense_only

    @property
    def banks(self) -> int:
        """Weight banks of an engine."""
        return self.lanes // self.bank_lanes

    @property
    def group_rows(self) -> int:
        """Rows of a full row group: one for each engine of each core."""
        return self.cores * self.engines

    @property
    def max_inputs(self) -> int:
        """Most inputs of a network."""
        return min(self.input_chunks * self.lanes, MAX_FEATURES)

    @property
    def max_hidden(self) -> int:
        """Most outputs of a layer that is not the last."""
        return min(self.hidden_chunks * self.lanes, MAX_FEATURES)

    @property
    def dense_weights(self) -> int:
        """Weights the banks hold when stored as dense 4-bit codes."""
        return self.weight_depth * self.lanes * self.group_rows

    def chunks(self, features: int) -> int:
        """Return the chunks that hold ``features`` activations."""
        return -(-features // self.lanes)

    def core_rows(self, rows: int) -> int:
        """Return the rows that ``rows`` of a layer take of each core; the last may be padding."""
        return -(-rows // self.cores)

    def tiles(self, features: int) -> int:
        """Return the tiles that hold ``features`` columns."""
        return -(-features // self.tile)


TINY = CoreConfig(
    name="tiny",
    lanes=4,
    engines=2,
    weight_depth=1024,
    row_depth=256,
    basis_depth=256,
    input_chunks=32,
    hidden_chunks=32,
    input_width=1,
    bank_lanes=4,
)

SMALL = CoreConfig(
    name="small",
    lanes=16,
    engines=2,
    weight_depth=2048,
    row_depth=512,
    basis_depth=512,
    input_chunks=64,
    hidden_chunks=32,
    input_width=1,
)

BASE = CoreConfig(
    name="base",
    lanes=64,
    engines=4,
    weight_depth=2048,
    row_depth=2048,
    basis_depth=2048,
    input_chunks=64,
    hidden_chunks=64,
    formats=("dense", "bitmask"),
    shared_activations=True,
)

FULL = replace(BASE, name="full", weight_depth=4096, formats=ALL_FORMATS)

KWS_UP5K = CoreConfig(
    name="kws-up5k",
    lanes=16,
    engines=1,
    weight_depth=16384,
    row_depth=1024,
    basis_depth=256,
    input_chunks=31,
    hidden_chunks=16,
    input_width=1,
    formats=("dense",),
    max_layers=4,
    shared_activations=True,
    byte_checksum=True,
)
"""Keyword spotting 490-256-256-256-12 on an iCE40 UP5K: weights in its four SPRAM."""

DENSE = replace(
    BASE,
    name="dense",
    row_depth=1024,
    basis_depth=1024,
    input_chunks=16,
    hidden_chunks=16,
    formats=("dense",),
    byte_checksum=True,
)
"""Half a million 4-bit weights and no decoders: the fastest clock, on an ECP5-85."""

FEW = replace(BASE, name="few", name_width=2)

TERNARY = replace(BASE, name="ternary", formats=("ternary", "bitmask"), masks=2, name_width=1)

GSC_ECP5_25 = CoreConfig(
    name="gsc-ecp5-25",
    lanes=64,
    engines=1,
    weight_depth=3072,
    row_depth=2048,
    basis_depth=256,
    input_chunks=4,
    hidden_chunks=8,
    input_width=1,
    formats=("dense", "bitmask", "bitmask2", "csr"),
)
"""MLP-GSC 220-512-512-256-256-128-128-12, at up to 1.26 bits a weight, on an ECP5-25."""

PAPER = CoreConfig(
    name="paper",
    lanes=128,
    engines=4,
    cores=16,
    weight_depth=512,
    row_depth=1024,
    basis_depth=1024,
    input_chunks=32,
    hidden_chunks=32,
    input_width=16,
    formats=("dense", "bitmask"),
)

CONFIGS = {
    cfg.name: cfg
    for cfg in (TINY, SMALL, BASE, DENSE, FULL, FEW, TERNARY, KWS_UP5K, GSC_ECP5_25, PAPER)
}


def find_config(name: str) -> CoreConfig:
    """Return the configuration called ``name``, or that of a JSON file; a path ends in ``.json``.

    Raises
    ------
    FantasticError
        If there is none, or the file does not hold one.
    """
    if name.endswith(".json"):
        from fantastic4.configfile import load_config

        return load_config(Path(name))
    try:
        return CONFIGS[name]
    except KeyError:
        raise FantasticError(
            f"there is no configuration {name!r}; choose one of {', '.join(CONFIGS)}, "
            "or give a .json file"
        ) from None
