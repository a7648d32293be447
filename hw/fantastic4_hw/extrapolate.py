# SPDX-License-Identifier: Apache-2.0
"""What several cores cost on an FPGA: parts of one of them, and what they share, synthesised.

``python -m fantastic4_hw.extrapolate [CONFIG [TARGET]]`` writes the arithmetic as a table.
"""

import sys
from dataclasses import asdict, replace

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import CoreConfig, find_config
from fantastic4_hw.measure import Cells, synthesise
from fantastic4_hw.ports import StreamCore, ports_of
from fantastic4_hw.slice import Slice, SlicePorts, flat_ports, slice_ports


class SharedPart(wiring.Component):
    """Everything but the slices, whose ports are this component's own."""

    def __init__(self, cfg: CoreConfig):
        self.cfg = cfg
        ports = dict(ports_of(cfg))
        for number in range(cfg.cores):
            for name, member, value in flat_ports(wiring.Signature(slice_ports(cfg)).create()):
                flow = Out if member.flow == In else In
                ports[f"slice_{number}_{name}"] = flow(len(value))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        slices: list[_OpenSlice] = []

        def open_slice(cfg: CoreConfig) -> SlicePorts:
            prefix = f"slice_{len(slices)}_"
            names = (name for name in self.signature.members if name.startswith(prefix))
            slices.append(
                _OpenSlice(cfg, {name.removeprefix(prefix): getattr(self, name) for name in names})
            )
            return slices[-1]

        m.submodules.core = core = StreamCore(self.cfg, open_slice)
        for name, member in ports_of(self.cfg).items():
            outer, inner = getattr(self, name), getattr(core, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


class _OpenSlice(SlicePorts):
    """A slice whose ports lead to signals outside."""

    def __init__(self, cfg: CoreConfig, outside: dict[str, Signal]):
        self.outside = outside
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        for name, member, value in flat_ports(self):
            outer = self.outside[name]
            m.d.comb += outer.eq(value) if member.flow == In else value.eq(outer)
        return m


Part = tuple[int, Cells]
"""How often something is there, and what one of it costs."""


def extrapolate(cfg: CoreConfig, target: str) -> dict[str, Part]:
    """Return the parts of all cores and what they share, and the sum as ``total``.

    A further engine, with its decoders and banks, costs what a core of two engines costs more than
    one of one engine: with these a core grows, and with nothing else.

    Raises
    ------
    FantasticError
        As ``measure.synthesise``.
    """
    one, two = (synthesise(Slice(replace(cfg, engines=n)), target) for n in (1, 2))
    parts = {
        "core of one engine": (cfg.cores, one),
        "further engine": (cfg.cores * (cfg.engines - 1), _sum([(1, two), (-1, one)])),
        "shared": (1, synthesise(SharedPart(cfg), target)),
    }
    return {**parts, "total": (1, _sum(list(parts.values())))}


def _sum(parts: list[Part]) -> Cells:
    kinds = asdict(parts[0][1])
    return Cells(
        **{kind: sum(count * getattr(cells, kind) for count, cells in parts) for kind in kinds}
    )


def table(cfg: CoreConfig, target: str) -> str:
    """Return the arithmetic in Markdown."""
    found = extrapolate(cfg, target)
    kinds = list(asdict(found["total"][1]))
    lanes = cfg.lanes * cfg.group_rows
    lines = ["| part | times | " + " | ".join(x.replace("_", " ") for x in kinds) + " |"]
    lines.append("|---" * (len(kinds) + 2) + "|")
    for name, (count, cells) in found.items():
        numbers = " | ".join(f"{getattr(cells, kind):,}" for kind in kinds)
        lines.append(f"| {name} | {count:,} | {numbers} |")
    per_lane = " | ".join(f"{getattr(found['total'][1], kind) / lanes:.2f}" for kind in kinds)
    lines.append(f"| total / {lanes:,} lanes | | {per_lane} |")
    return "\n".join(lines)


if __name__ == "__main__":
    chosen, wanted = [*sys.argv[1:], *["paper", "xc7"][len(sys.argv) - 1 :]]
    print(table(find_config(chosen), wanted))
