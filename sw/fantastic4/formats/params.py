# SPDX-License-Identifier: Apache-2.0
"""What a layer's format is told: fields of the layer record."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Params:
    """How a layer is coded, as far as its format has a choice.

    Parameters
    ----------
    width : int
        Bits of a code's name, 0..4.
    gap : int
        Bits of a gap, 0..15.
    palette : tuple of int
        16 codes; name ``n`` stands for entry ``n``. Entries repeat with period ``2**width``; 0
        marks a name that is not in use.
    """

    width: int = 0
    gap: int = 0
    palette: tuple[int, ...] = (0,) * 16

    @property
    def names(self) -> int:
        """Names in use: those before the first 0 of the palette."""
        period = self.palette[: 1 << self.width]
        return period.index(0) if 0 in period else len(period)
