# SPDX-License-Identifier: Apache-2.0
"""Bit layouts of the image: the one place where an offset is written down.

Each layout lists its fields from bit 0 up. Software packs and unpacks integers with it; the
gateware turns the same table into an Amaranth ``StructLayout``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

MAGIC = int.from_bytes(b"F4IC", "little")
"""First word of an image."""

VERSION = 1
"""Version of the image format."""


class Section(IntEnum):
    """What a section of the image holds."""

    END = 0
    LAYERS = 1
    BASIS = 2
    BIAS = 3
    WEIGHTS = 4
    META = 5


class Format(IntEnum):
    """How the codes of a layer are stored."""

    DENSE = 0
    TERNARY = 1
    TERNARY5 = 2
    BITMASK = 3
    CSR = 4
    BITMASK2 = 5


class ErrorCode(IntEnum):
    """What the error field of a core's status says."""

    NONE = 0
    MAGIC = 1
    VERSION = 2
    GEOMETRY = 3
    CAPACITY = 4
    SECTION = 5
    LENGTH = 6
    CHECKSUM = 7
    INPUT_LENGTH = 8
    WEIGHTS = 9


@dataclass(frozen=True)
class BitLayout:
    """Named unsigned fields in a row of bits, the first one at bit 0."""

    fields: Mapping[str, int]

    @property
    def width(self) -> int:
        """Bits of all fields."""
        return sum(self.fields.values())

    def pack(self, **values: int) -> int:
        """Return the fields as one integer; raise ``ValueError`` if one does not fit."""
        if values.keys() != self.fields.keys():
            raise ValueError(f"fields must be {list(self.fields)}, not {list(values)}")
        word, offset = 0, 0
        for name, width in self.fields.items():
            value = int(values[name])
            if not 0 <= value < 1 << width:
                raise ValueError(f"{name} must fit {width} bits, not {value!r}")
            word |= value << offset
            offset += width
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """Return the fields of ``word``."""
        values, offset = {}, 0
        for name, width in self.fields.items():
            values[name] = word >> offset & (1 << width) - 1
            offset += width
        return values


GEOMETRY = BitLayout(
    {"lanes": 12, "engines": 9, "cores_log2": 3, "bank_lanes": 4, "external": 1, "codes": 2}
    | {"spare": 1}
)
"""Header word 2: what the weights were laid out for."""

CODES = {(4, 4): 0, (4, 1): 1, (4, 2): 2, (2, 1): 3}
"""``codes`` of the geometry: what a core demands of them, for its masks and width of names."""

NEEDS = BitLayout({"input_chunks": 16, "hidden_chunks": 16})
"""Header word 4: activation memory the network needs."""

SECTION = BitLayout({"kind": 4, "index": 12, "count": 16})
"""First word of a section; ``index`` is the bank of a WEIGHTS section, the core of a BASIS or BIAS
section, otherwise 0."""

LAYER = BitLayout(
    {
        "in_features": 13,
        "in_chunks": 13,
        "planes": 3,
        "out_features": 13,
        "shift": 6,
        "low": 8,
        "high": 8,
        "per_row": 1,
        "logits": 1,
        "format": 4,
        "basis_base": 20,
        "beats": 24,
        "width": 3,
        "gap": 4,
        "palette": 64,
        "bias_narrow": 1,
        "bias_shift": 4,
        "spare": 2,
    }
)
"""One record of the LAYERS section."""

HEADER_WORDS = 5
"""Magic, version, geometry, length, needs."""

LAYER_WORDS = LAYER.width // 32
"""32-bit words of a layer record."""

BASIS_WORDS = 2
"""32-bit words of four basis coefficients, the first one in the lowest 16 bits."""
