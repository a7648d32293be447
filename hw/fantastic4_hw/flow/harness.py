# SPDX-License-Identifier: Apache-2.0
"""A frame of three pins around a design, so that one with a thousand ports fits a chip.

Each input bit comes from a flip-flop of a long shift register, each output bit goes into a
flip-flop of its own; these are folded into a second shift register by exclusive or, so that nothing
is optimised away. All paths of the design are then between flip-flops, its ports registered as they
are in a system around it, and none begins or ends at a pin.
"""

from collections.abc import Mapping
from typing import Any

TOP = "harness"
"""Name of the frame's module."""

INSTANCE = "dut"
"""Name of the design in it."""


def ports_in(netlist: Mapping[str, Any], module: str) -> dict[str, tuple[str, int]]:
    """Return direction and width of the ports of ``module`` in a netlist of yosys."""
    ports = netlist["modules"][module]["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in ports.items()}


def harness(module: str, ports: Mapping[str, tuple[str, int]], clock: str = "clk") -> str:
    """Return the Verilog of the frame and of a black box for ``module``, whose ports are given.

    Raises
    ------
    ValueError
        If the module has no output, or a port in both directions.
    """
    ins = {n: w for n, (d, w) in ports.items() if d == "input" and n != clock}
    outs = {n: w for n, (d, w) in ports.items() if d == "output"}
    if not outs or len(ins) + len(outs) + (clock in ports) != len(ports):
        raise ValueError("a design needs outputs, and ports of one direction each")
    box = ", ".join(f"{d} [{w - 1}:0] {n}" for n, (d, w) in ports.items())
    links = [f".{clock}(clk)"] if clock in ports else []
    at = 0
    for name, width in ins.items():
        links.append(f".{name}(feed[{at + width - 1}:{at}])")
        at += width
    feed = max(1, at)
    at = 0
    for name, width in outs.items():
        links.append(f".{name}(seen[{at + width - 1}:{at}])")
        at += width
    return f"""\
(* blackbox *)
module {module}({box});
endmodule

module {TOP}(input clk, input si, output so);
  reg [{feed}:0] feed;
  wire [{at - 1}:0] seen;
  reg [{at - 1}:0] kept, mixed;
  always @(posedge clk) begin
    feed <= {{feed, si}};
    kept <= seen;
    mixed <= (mixed << 1) ^ kept ^ feed[{feed}];
  end
  assign so = mixed[{at - 1}];
  {module} {INSTANCE}({", ".join(links)});
endmodule
"""
