# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 formats``: what it measures, and what it writes into the documents."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fantastic4.cli import app, formats
from fantastic4.config import ALL_FORMATS, TINY
from fantastic4.curves import far_ranges
from fantastic4.errors import FantasticError
from fantastic4.formats.beats import to_beats
from fantastic4.layout import Format
from fantastic4.rates import clocks_a_beat
from fantastic4_hw.measure import Cells

DOCS = Path(__file__).parents[2] / "docs"


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@pytest.fixture
def synthesised(monkeypatch) -> list[tuple[str, int, str]]:
    """Return the list of what is synthesised, with yosys replaced by a table."""
    asked = []

    def decoder_cells(name: str, lanes: int, target: str) -> Cells:
        asked.append((name, lanes, target))
        return Cells(10 * lanes, lanes // 4, 5, 3, 0, 0)

    monkeypatch.setattr("fantastic4_hw.measure.decoder_cells", decoder_cells)
    return asked


def test_measures_bits_and_rates():
    out, _ = call("formats", "--config", "tiny", "--names", "1,3", "--json")
    record = json.loads(out)
    assert record.keys() == {"config", "curves", "far_from_entropy", "rates"}
    assert record["curves"].keys() == {"1", "3"}
    for point in record["curves"]["3"]:
        bits = point["bits_per_weight"]
        assert bits.keys() == {"dense", "ternary", "bitmask", "bitmask2", "csr"}
        assert bits["dense"] == 4
        assert bits["ternary"] == 2
        assert bits["bitmask"] == pytest.approx(1 + 2 * point["density"], abs=0.01)
        assert bits[point["packed"]] >= point["entropy"]
    first, *_, last = record["rates"]
    assert first["csr, 2 values"] == 1
    assert last["csr, 2 values"] == pytest.approx(TINY.bank_lanes, rel=0.02)

    out, _ = call("formats", "--config", "tiny", "--names", "1")
    assert "Bits a weight, 1 non-zero values" in out
    assert "Clocks a beat" in out


def test_writes_files_and_renews_tables(synthesised, tmp_path):
    document = tmp_path / "formats.md"
    document.write_text(
        "a\n<!-- table: bits-2 -->\nold\n<!-- end -->\nb\n<!-- table: decoders -->\n"
    )
    args = ("formats", "--config", "tiny", "--names", "2", "-o", tmp_path)
    _, err = call(*args, "--synth", "--lanes", "8", code=1)
    assert "the table decoders has no <!-- end -->" in err

    with document.open("a") as file:
        file.write("<!-- end -->\nc\n")
    synthesised.clear()
    call(*args, "--synth", "--lanes", "8")
    targets = ("ecp5", "xc7")
    assert synthesised == [(name, 8, target) for name in ALL_FORMATS for target in targets]
    record = json.loads((tmp_path / "formats.json").read_text())
    ecp5, xc7, *_ = record["decoders"]
    assert (ecp5["luts"], ecp5["luts_per_lane"], ecp5["with_carries"]) == (80, 10, 10.5)
    assert xc7["with_carries"] == 10
    assert (tmp_path / "formats.png").read_bytes().startswith(b"\x89PNG")
    text = document.read_text()
    assert "old" not in text
    assert (
        "| density | entropy | bitmask | bitmask2 | csr | dense | ternary | ternary5 | packed as |"
        in text
    )
    assert "| dense | 8 | ecp5 | 80 | 2 | 5 | 3 | 0 | 10.000 | 10.500 |" in text
    assert [x for x in text.splitlines() if len(x) == 1] == ["a", "b", "c"]

    synthesised.clear()
    call(*args)
    assert synthesised == []
    assert json.loads((tmp_path / "formats.json").read_text()) == record
    assert document.read_text() == text


def test_a_table_without_end_is_refused():
    with pytest.raises(FantasticError, match="the table x has no <!-- end -->"):
        formats.renewed("<!-- table: x -->\n", {"x": [{"a": 1}]})


def test_columns_are_the_same_in_every_row():
    points = [
        {"density": 0.1, "entropy": 0.5, "packed": "csr", "bits_per_weight": {"csr": 0.75}},
        {"density": 1.0, "entropy": 0.0, "packed": "dense", "bits_per_weight": {"dense": 4.0}},
    ]
    low, high = formats.rows_of(points)
    assert low == {
        **{"density": 0.1, "entropy": 0.5, "csr": 0.75, "dense": "–"},
        **{"packed as": "csr", "over entropy": 1.5},
    }
    assert high.keys() == low.keys()
    assert (high["csr"], high["over entropy"]) == ("–", "–")


def test_ranges_far_from_the_entropy():
    over = (1.0, 1.3, 1.26, 1.25, 2.0)
    points = [{"entropy": 2.0, "packed": "x", "bits_per_weight": {"x": 2 * x}} for x in over]
    assert far_ranges(points, (0.1, 0.2, 0.3, 0.4, 0.5)) == [[0.2, 0.3], [0.5, 0.5]]


def test_clocks_a_beat():
    codes = np.zeros((1, 64, 64), np.uint8)
    assert clocks_a_beat(to_beats(codes, TINY), Format.CSR, TINY) == 1
    codes[:] = 5
    found = clocks_a_beat(to_beats(codes, TINY), Format.CSR, TINY)
    assert found == pytest.approx(4, rel=0.05)


def test_documents_hold_what_was_measured(tmp_path):
    """The tables of formats.md are those of formats.json."""
    record = json.loads((DOCS / "formats.json").read_text())
    shutil.copy(DOCS / "formats.md", tmp_path)
    text = (tmp_path / "formats.md").read_text()
    tables = {f"bits-{n}": formats.rows_of(points) for n, points in record["curves"].items()}
    tables |= {name: record[name] for name in ("rates", "decoders")}
    tables["far"] = formats.far_rows(record["far_from_entropy"])
    assert all(f"<!-- table: {name} -->" in text for name in tables)
    assert formats.renewed(text, tables) == text
