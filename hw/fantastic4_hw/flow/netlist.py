# SPDX-License-Identifier: Apache-2.0
"""Netlists that yosys wrote as JSON: what nextpnr needs changed in them, and what they count."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fantastic4_hw.flow.targets import Kinds

DEPTH = 2
"""Levels of the hierarchy that components are told apart by, the top not counted."""


def cells_in(netlist: Mapping[str, Any], module: str) -> dict[str, int]:
    """Return the number of cells of each type in a flat ``module``."""
    types = Counter(cell["type"] for _, cell in _cells(netlist, module))
    return dict(sorted(types.items()))


def instances_in(netlist: Mapping[str, Any], module: str) -> list[str]:
    """Return the paths of the instances that were flattened into ``module``."""
    cells = netlist["modules"][module]["cells"]
    return sorted(name for name, cell in cells.items() if cell["type"] == "$scopeinfo")


def component_of(name: str, instances: frozenset[str]) -> str:
    """Return the path of the innermost of ``instances`` that a flat name lies in, or ``""``."""
    while name:
        name = name.rpartition(".")[0]
        if name in instances:
            return name
    return ""


def carries_fed(netlist: Mapping[str, Any], module: str) -> int:
    """Return the carry cells that nextpnr-ecp5 adds to bring carries into chains and out of them.

    A chain that begins with anything but a neighbour's carry takes one, constants included; one
    whose last carry goes anywhere takes another.
    """
    cells = [cell["connections"] for _, cell in _carries(netlist, module)]
    outs = {pins["COUT"][0] for pins in cells} - {"x"}
    ins = Counter(pins["CIN"][0] for pins in cells)
    uses = _uses(netlist, module)
    fed = sum(pins["CIN"][0] not in outs | {"x"} for pins in cells)
    led = sum((uses[bit], ins[bit]) != (1, 1) for bit in outs)
    return fed + led


def cut_carries(netlist: Mapping[str, Any], module: str) -> int:
    """Disconnect carries of ECP5 that do nothing; return how many.

    Nextpnr leads the last carry of a chain out through a carry cell of its own even where nothing
    reads it, and one into the first even where that does not depend on it: two LUT4 each.
    """
    uses = _uses(netlist, module)
    cut = 0
    for _, cell in _carries(netlist, module):
        pins = cell["connections"]
        if pins["COUT"] != ["x"] and not uses[pins["COUT"][0]]:
            pins["COUT"] = ["x"]
            cut += 1
        # With an all-zero table the carry out of the first half is 0 whatever comes in.
        starts = pins["CIN"][0] in ("0", "1") and int(cell["parameters"]["INIT0"], 2) == 0
        if starts and not any(uses[bit] for bit in pins.get("S0", [])):
            pins["CIN"] = ["x"]
            cut += 1
    return cut


def by_component(
    netlist: Mapping[str, Any], module: str, kinds: Kinds, depth: int = DEPTH
) -> dict[str, Any]:
    """Return LUT sites and flip-flops of the components of a flat module.

    A component is an instance ``depth`` levels below the top. A cell belongs to the one that its
    name lies in, which synthesis gives it after a wire; where it merged logic of two, that is one
    of them. Carry cells that place and route adds are not among them.
    """
    instances = instances_in(netlist, module)
    shallow = frozenset(path for path in instances if path.count(".") < depth)
    luts: dict[str, int] = defaultdict(int)
    ffs: dict[str, int] = defaultdict(int)
    for name, cell in _cells(netlist, module):
        component = component_of(name, shallow)
        luts[component] += kinds.sites.get(cell["type"], 0)
        ffs[component] += cell["type"] in kinds.ffs
    names = sorted(name for name in luts if luts[name] or ffs[name])
    return {name: {"luts": luts[name], "ffs": ffs[name]} for name in names}


def _cells(netlist: Mapping[str, Any], module: str) -> Iterator[tuple[str, Any]]:
    for name, cell in netlist["modules"][module]["cells"].items():
        if not cell["type"].startswith("$"):
            yield name, cell


def _carries(netlist: Mapping[str, Any], module: str) -> Iterator[tuple[str, Any]]:
    for name, cell in _cells(netlist, module):
        if cell["type"] == "CCU2C":
            yield name, cell


def _uses(netlist: Mapping[str, Any], module: str) -> Counter[Any]:
    """Return how many inputs and outputs of the module read each bit."""
    found: Counter[Any] = Counter()
    for _, cell in _cells(netlist, module):
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                found.update(bits)
    for port in netlist["modules"][module]["ports"].values():
        if port["direction"] != "input":
            found.update(port["bits"])
    return found
