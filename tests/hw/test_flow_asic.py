# SPDX-License-Identifier: Apache-2.0
"""Standard cells: area and delay from a liberty file, memories apart."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fantastic4.config import TINY
from fantastic4.errors import FantasticError
from fantastic4_hw.engine import Engine
from fantastic4_hw.flow.asic import flip_flops
from fantastic4_hw.flow.flow import synthesise
from fantastic4_hw.flow.tools import has_tool

pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(find_spec("pyosys") is None, reason="no native yosys here"),
]

SLEWS, LOADS = (0.01, 0.1, 1), (0.001, 0.01, 0.1)
AREAS = {"INV": 1.0, "NAND": 2.0, "BUF": 1.5, "DFF": 7.25}


def pin(name: str, rest: str) -> str:
    return f"pin ({name}) {{ {rest} }}"


def timing(related: str, kind: str = "") -> str:
    """Return an arc of 0.05 ns, a tenth of the input's transition, and 2 ns a pF."""
    rows = [[0.05 + 0.1 * slew + 2 * load for load in LOADS] for slew in SLEWS]
    values = ", ".join(f'"{", ".join(f"{x:.4f}" for x in row)}"' for row in rows)
    table = f"(t) {{ values ({values}); }}"
    tables = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    arcs = " ".join(f"{name} {table}" for name in tables)
    return f'timing () {{ related_pin : "{related}"; {kind} {arcs} }}'


def liberty() -> str:
    """Return a library of four cells; the delay of all is the same."""
    inputs = {name: pin(name, "direction : input; capacitance : 0.01;") for name in "ABDC"}
    unate, same = "timing_sense : negative_unate;", "timing_sense : positive_unate;"
    outs = {
        "INV": inputs["A"] + pin("Y", f'direction : output; function : "!A"; {timing("A", unate)}'),
        "BUF": inputs["A"] + pin("Y", f'direction : output; function : "A"; {timing("A", same)}'),
        "NAND": inputs["A"]
        + inputs["B"]
        + pin(
            "Y",
            f'direction : output; function : "!(A & B)"; {timing("A", unate)} {timing("B", unate)}',
        ),
        "DFF": 'ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }'
        + inputs["D"]
        + pin("C", "direction : input; clock : true; capacitance : 0.01;")
        + pin(
            "Q",
            'direction : output; function : "IQ"; ' + timing("C", "timing_type : rising_edge;"),
        ),
    }
    cells = "\n".join(
        f"cell ({name}) {{ area : {AREAS[name]}; {body} }}".replace("ff (", "\nff (")
        for name, body in outs.items()
    )
    return f"""library (four) {{
        delay_model : table_lookup;
        time_unit : "1ns"; capacitive_load_unit (1, pf); voltage_unit : "1V";
        lu_table_template (t) {{
            variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
            index_1 ("0.01, 0.1, 1"); index_2 ("0.001, 0.01, 0.1"); }}
        {cells}
    }}
    """


@pytest.fixture
def four(tmp_path) -> Path:
    path = tmp_path / "four.lib"
    path.write_text(liberty())
    return path


class Kept(wiring.Component):
    """A register of four bits behind an inversion, and a memory of 48 bits."""

    x: Signal
    y: Signal
    z: Signal

    def __init__(self):
        super().__init__({"x": In(4), "y": Out(4), "z": Out(6)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(shape=6, depth=8, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        m.d.comb += [write.addr.eq(self.x), write.data.eq(Cat(self.y, self.x[:2])), write.en.eq(1)]
        m.d.comb += [read.addr.eq(self.x), self.z.eq(read.data)]
        m.d.sync += self.y.eq(~self.x)
        return m


def test_area_is_that_of_the_cells_and_memories_are_apart(four, tmp_path):
    record = synthesise(Kept(), four, config="kept", lanes=4, cache=tmp_path / "cache")
    assert (record.technology, record.target, record.device) == ("asic", "four", "four.lib")
    assert record.cells["DFF"] == record.ffs == 4
    asic = record.asic
    assert asic is not None
    expected = sum(AREAS[name] * n for name, n in record.cells.items() if name in AREAS)
    assert asic.area_um2 == pytest.approx(expected)
    assert asic.area_um2 < 100
    assert asic.memory_bits == 48
    assert asic.period_ns == 10
    assert 0.05 <= asic.delay_ns < 1
    assert record.fmax_mhz is record.fits is None
    assert (record.luts, record.luts_per_lane) == (0, None)
    has_power = asic.power_mw is not None
    assert has_power == has_tool("sta") == ("sta" in record.tools)


def test_what_is_no_liberty_file_is_named(tmp_path):
    with pytest.raises(FantasticError, match=r"none\.lib: No such file"):
        synthesise(Kept(), tmp_path / "none.lib", cache=tmp_path)
    path = tmp_path / "wrong.lib"
    path.write_text("cells\n")
    with pytest.raises(FantasticError, match=r"wrong\.lib: not a liberty file"):
        synthesise(Kept(), path, cache=tmp_path)


def test_flip_flops_are_told_from_the_library():
    assert flip_flops(liberty()) == {"DFF"}


@pytest.fixture
def pdk() -> Path:
    default = Path(__file__).parents[3] / "shared" / "pdk"
    files = sorted(Path(os.environ.get("FANTASTIC4_PDK", default)).glob("*.lib"))
    if not files:
        pytest.skip("no liberty file here (set FANTASTIC4_PDK)")
    return files[0]


def test_an_engine_in_a_real_library(pdk, tmp_path):
    record = synthesise(Engine(TINY), pdk, lanes=4, period_ns=5, cache=tmp_path)
    assert record.ffs == 180
    assert record.asic is not None
    assert record.asic.memory_bits == record.multipliers == 0
    assert 0.5 < record.asic.delay_ns < 5
