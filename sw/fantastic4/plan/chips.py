# SPDX-License-Identifier: Apache-2.0
"""What the chips have that cores are planned for."""

from collections.abc import Mapping
from dataclasses import dataclass

from fantastic4.area import Area
from fantastic4.errors import FantasticError

NAMES = {
    "luts": "LUTs",
    "ffs": "flip-flops",
    "block_rams": "block RAMs",
    "multipliers": "multipliers",
}
"""Resources, and what messages call them."""


@dataclass(frozen=True)
class Chip:
    """A target of ``fantastic4 synth``, and what it has.

    Parameters
    ----------
    name, technology : str
    luts, ffs, block_rams, multipliers : int
    """

    name: str
    technology: str
    luts: int
    ffs: int
    block_rams: int
    multipliers: int

    def room(self, fill: float) -> dict[str, int]:
        """Return what a core may take; of LUTs and flip-flops the share ``fill``."""
        return {
            "luts": int(self.luts * fill),
            "ffs": int(self.ffs * fill),
            "block_rams": self.block_rams,
            "multipliers": self.multipliers,
        }


CHIPS: Mapping[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip("ecp5-25k", "ecp5", 24288, 24288, 56, 28),
        Chip("ecp5-45k", "ecp5", 43848, 43848, 108, 72),
        Chip("ecp5-85k", "ecp5", 83640, 83640, 208, 156),
    )
}
"""Chips by name, smaller ones of a technology first; a test holds them to nextpnr's."""


def find_chip(name: str) -> Chip:
    """Return the chip called ``name``; raise ``FantasticError`` if there is none."""
    try:
        return CHIPS[name]
    except KeyError:
        raise FantasticError(
            f"cores are not planned for {name!r}; choose one of {', '.join(CHIPS)}"
        ) from None


def larger(chip: Chip) -> list[Chip]:
    """Return the chips of the same technology that have more of everything, the smallest first."""
    return [x for x in CHIPS.values() if x.technology == chip.technology and x.luts > chip.luts]


def over_use(area: Area, room: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the resources of which a core takes more than there are: taken, and there."""
    return {
        name: (getattr(area, name), have)
        for name, have in room.items()
        if getattr(area, name) > have
    }


def described(over: Mapping[str, tuple[int, int]]) -> str:
    """Return what ``over_use`` found as text."""
    return ", ".join(f"{NAMES[name]} {need:,} of {have:,}" for name, (need, have) in over.items())
