# SPDX-License-Identifier: Apache-2.0
"""The chips there are: how to synthesise for them, place and route on them, and count on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fantastic4.errors import FantasticError

PERIOD_PS = 8000
"""Clock period that technology mapping aims at; a shorter one trades LUTs for depth."""


@dataclass(frozen=True)
class Kinds:
    """What the cells of a technology are, by their names in yosys.

    Parameters
    ----------
    luts, carries, ffs, lut_rams, block_rams, multipliers, wide_rams : tuple of str
        ``lut_rams`` are RAM cells in LUTs, ``wide_rams`` single-port RAMs larger than a block RAM.
    sites : Mapping
        LUT sites that a cell takes, of those that take any.
    """

    luts: tuple[str, ...]
    carries: tuple[str, ...]
    ffs: tuple[str, ...]
    lut_rams: tuple[str, ...]
    block_rams: tuple[str, ...]
    multipliers: tuple[str, ...]
    wide_rams: tuple[str, ...] = ()
    sites: Mapping[str, int] = field(default_factory=dict)

    def count(self, cells: Mapping[str, int], what: str) -> int:
        """Return how many of ``cells`` are of the kind ``what``."""
        return sum(cells.get(name, 0) for name in getattr(self, what))

    def lut_sites(self, cells: Mapping[str, int]) -> int:
        """Return the LUT sites that ``cells`` take."""
        return sum(count * self.sites.get(name, 0) for name, count in cells.items())


_XILINX_LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV")
_XILINX_LUT_RAMS = {
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM16X1D": 2,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "SRL16E": 1,
    "SRLC32E": 1,
}
_XILINX = {
    "luts": _XILINX_LUTS,
    "ffs": ("FDRE", "FDSE", "FDCE", "FDPE"),
    "sites": dict.fromkeys(_XILINX_LUTS, 1) | _XILINX_LUT_RAMS,
}
_GOWIN_LUTS = ("LUT1", "LUT2", "LUT3", "LUT4")

TECHNOLOGIES = {
    "ecp5": Kinds(
        luts=("LUT4",),
        carries=("CCU2C",),
        ffs=("TRELLIS_FF",),
        lut_rams=("TRELLIS_DPR16X4",),
        block_rams=("DP16KD", "PDPW16KD"),
        multipliers=("MULT18X18D",),
        # The write port of a LUT RAM takes a slice of its own, of two LUT4.
        sites={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    ),
    "ice40": Kinds(
        luts=("SB_LUT4",),
        carries=("SB_CARRY",),
        ffs=tuple(
            f"SB_DFF{edge}{kind}"
            for edge in ("", "N")
            for kind in ("", "E", "R", "S", "SR", "SS", "ER", "ES", "ESR", "ESS")
        ),
        lut_rams=(),
        block_rams=("SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW"),
        multipliers=("SB_MAC16",),
        wide_rams=("SB_SPRAM256KA",),
        sites={"SB_LUT4": 1},
    ),
    "gowin": Kinds(
        luts=_GOWIN_LUTS,
        carries=("ALU",),
        ffs=tuple(
            f"DFF{edge}{kind}"
            for edge in ("", "N")
            for kind in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")
        ),
        lut_rams=("RAM16S1", "RAM16S2", "RAM16S4", "RAM16SDP1", "RAM16SDP2", "RAM16SDP4"),
        block_rams=("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B"),
        multipliers=("MULT9X9", "MULT18X18", "MULT36X36", "MULTALU18X18", "MULTALU36X18"),
        sites=dict.fromkeys(_GOWIN_LUTS, 1)
        | {"ALU": 1, "RAM16S4": 4, "RAM16SDP1": 4, "RAM16SDP2": 4, "RAM16SDP4": 4},
    ),
    "xc7": Kinds(
        carries=("CARRY4",),
        lut_rams=tuple(_XILINX_LUT_RAMS),
        block_rams=("RAMB18E1", "RAMB36E1"),
        multipliers=("DSP48E1",),
        **_XILINX,
    ),
    "xcu": Kinds(
        carries=("CARRY8", "CARRY4"),
        lut_rams=tuple(_XILINX_LUT_RAMS),
        block_rams=("RAMB18E2", "RAMB36E2"),
        multipliers=("DSP48E2",),
        **_XILINX,
    ),
}
"""Cells by technology."""

SYNTHESIS = {
    "ecp5": "synth_ecp5 -top {top}",
    "ice40": "synth_ice40 -device u -dsp -top {top}",
    "gowin": "synth_gowin -noiopads -top {top}",
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
    "xcu": "synth_xilinx -family xcu -flatten -noiopad -noclkbuf -top {top}",
}
"""Synthesis command of each technology; it leaves the ports without buffers."""


CST, LPF = "pins.cst", "pins.lpf"
"""Files of pins: of Gowin, and of ECP5, whose packer needs none."""


@dataclass(frozen=True)
class Target:
    """A chip that a design can be made for.

    Parameters
    ----------
    name : str
        What ``--target`` calls it.
    technology : str
        Its cells: a key of ``TECHNOLOGIES`` and ``SYNTHESIS``.
    family : str
        Family whose cells the gateware may instantiate (`fantastic4_hw.devices`).
    device, speed : str
        Part and speed grade; empty for a technology alone.
    nextpnr : str
        Architecture of nextpnr; empty if there is no open place and route.
    options : tuple of str
        What nextpnr is told about the chip.
    mhz : float
        Clock it is asked for unless the user says otherwise.
    pins : Mapping
        Pins of the harness, where nextpnr does not choose them.
    pin_file : str
        File that nextpnr reads them from, `CST` or `LPF`; empty without any.
    sites : Mapping
        Resources of the record, and the names they have in nextpnr's report.
    """

    name: str
    technology: str
    family: str
    device: str = ""
    speed: str = ""
    nextpnr: str = ""
    options: tuple[str, ...] = ()
    mhz: float = 100.0
    pins: Mapping[str, int | str] = field(default_factory=dict)
    pin_file: str = ""
    sites: Mapping[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> Kinds:
        """Return the cells of the chip."""
        return TECHNOLOGIES[self.technology]


_ECP5_SITES = {
    "luts": "TRELLIS_COMB",
    "ffs": "TRELLIS_FF",
    "block_rams": "DP16KD",
    "multipliers": "MULT18X18D",
}
_ICE40_SITES = {
    "luts": "ICESTORM_LC",
    "block_rams": "ICESTORM_RAM",
    "wide_rams": "ICESTORM_SPRAM",
    "multipliers": "ICESTORM_DSP",
}
_GOWIN_SITES = {"luts": "LUT4", "ffs": "DFF", "block_rams": "BSRAM", "multipliers": "MULT18X18"}


def _ecp5(size: str) -> Target:
    return Target(
        name=f"ecp5-{size}",
        technology="ecp5",
        family="ecp5",
        device=f"LFE5U-{size[:-1]}F-6BG381C",
        speed="6",
        nextpnr="ecp5",
        options=(
            f"--{size}",
            "--speed",
            "6",
            "--package",
            "CABGA381",
            "--lpf-allow-unconstrained",
        ),
        mhz=125.0,
        # The clock of ULX3S boards: not every pin has a way to the clock network.
        pins={"clk": "G2"},
        pin_file=LPF,
        sites=_ECP5_SITES,
    )


def _gowin(name: str, device: str, family: str, pins: Mapping[str, int]) -> Target:
    return Target(
        name=name,
        technology="gowin",
        family="generic",
        device=device,
        speed=device[device.rindex("C") :],
        nextpnr="himbaechel-gowin",
        options=("--device", device, "--vopt", f"family={family}", "--vopt", f"cst={CST}"),
        mhz=50.0,
        pins=pins,
        pin_file=CST,
        sites=_GOWIN_SITES,
    )


TARGETS = {
    target.name: target
    for target in (
        _ecp5("25k"),
        _ecp5("45k"),
        _ecp5("85k"),
        Target(
            name="ice40-up5k",
            technology="ice40",
            family="ice40",
            device="iCE40UP5K-SG48I",
            nextpnr="ice40",
            options=("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
            mhz=24.0,
            sites=_ICE40_SITES,
        ),
        # Pins of a clock, a button and a light on Tang Nano 9K and 20K.
        _gowin("gowin-gw1nr9", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", {"clk": 52, "si": 4, "so": 10}),
        _gowin("gowin-gw2a18", "GW2AR-LV18QN88C8/I7", "GW2A-18C", {"clk": 4, "si": 88, "so": 15}),
        Target(name="xc7", technology="xc7", family="xc7"),
        Target(name="xcu", technology="xcu", family="generic"),
    )
}
"""Every target by name."""


def find_target(name: str) -> Target:
    """Return the target called ``name``; raise ``FantasticError`` if there is none."""
    try:
        return TARGETS[name]
    except KeyError:
        raise FantasticError(
            f"there is no target {name!r}; choose one of {', '.join(TARGETS)}"
        ) from None
