# SPDX-License-Identifier: Apache-2.0
"""``docs/formats.md`` says what the code does."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fantastic4.config import ALL_FORMATS
from fantastic4.formats import FORMATS
from fantastic4.formats.csr import WIDTHS
from fantastic4.selection import MAX_STALLS, find_format

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "formats.md").read_text()


def examples() -> dict[str, tuple[np.ndarray, list[int]]]:
    """Return beats and words of the example of each format."""
    found = {}
    for block in re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL):
        name, *lines, words = block.splitlines()
        beats = np.array([[int(code) for code in line.split()] for line in lines], np.uint8)
        found[name] = beats, [int(word, 16) for word in words.removeprefix("= ").split()]
    return found


def test_every_format_has_a_part_and_an_example():
    assert tuple(examples()) == ALL_FORMATS
    assert tuple(re.findall(r"^## (\w+)$", TEXT, re.MULTILINE)[: len(ALL_FORMATS)]) == ALL_FORMATS


@pytest.mark.parametrize("name", ALL_FORMATS)
def test_example_is_what_the_format_makes_of_it(name):
    beats, words = examples()[name]
    module = FORMATS[find_format(name)]
    params = module.choose(beats)
    assert module.encode(beats, params).tolist() == words
    back = module.decode(np.array(words, np.uint32), len(beats), 4, params)
    assert back.tolist() == beats.tolist()


def test_numbers_in_the_text_are_those_measured():
    record = json.loads((DOCS / "formats.json").read_text())
    cells = {x["format"]: x for x in record["decoders"] if x["lanes"] == 64}
    cells |= {
        x["format"]: x for x in record["decoders"] if (x["lanes"], x["target"]) == (64, "ecp5")
    }
    told = re.findall(
        r"^- \*(\w+)\*: ([\d.]+)[,.](?: and ([\d.]+) with carries)?", TEXT, re.MULTILINE
    )
    assert {name for name, *_ in told} == set(ALL_FORMATS)
    for name, alone, carried in told:
        assert alone.rstrip(".") == f"{cells[name]['luts_per_lane']:.1f}"
        assert not carried or carried == f"{cells[name]['with_carries']:.1f}"

    readme = (DOCS.parent / "README.md").read_text()
    for row, key in (("LUT4 a lane", "luts_per_lane"), ("carry cells counted", "with_carries")):
        line = next(x for x in readme.splitlines() if x.startswith(f"| {row}"))
        numbers = [x.strip() for x in line.split("|")[2:-1]]
        assert numbers == [f"{cells[name][key]:.1f}" for name in ALL_FORMATS]


def test_rules_in_the_text_are_those_of_the_code():
    assert f"more than {MAX_STALLS} " in TEXT.replace("\n", " ")
    eight, four = WIDTHS[8], WIDTHS[4]
    assert eight == (5, 6, 8, 10)
    assert "`gap + width` is 5, 6, 8 or 10 for banks of 8 lanes, and 4, 5 or 8" in TEXT
    assert four == (4, 5, 8)
