# SPDX-License-Identifier: Apache-2.0
"""``docs/image-format.md`` says what the code does."""

import re
from pathlib import Path

import numpy as np
import pytest

from fantastic4 import golden, layout
from fantastic4.config import CoreConfig
from fantastic4.image import parse
from fantastic4.layout import ErrorCode, Format, Section
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack, params_of, read_image, unpack

TEXT = (Path(__file__).parents[2] / "docs" / "image-format.md").read_text()

EXAMPLE = CoreConfig(
    "example",
    lanes=4,
    engines=2,
    weight_depth=16,
    row_depth=8,
    basis_depth=8,
    input_chunks=2,
    hidden_chunks=1,
    input_width=1,
    bank_lanes=4,
)


def match(pattern: str, text: str = TEXT) -> re.Match[str]:
    found = re.search(pattern, text)
    assert found is not None, f"the document does not say {pattern!r}"
    return found


def example_network():
    """The network the text describes, out of the numbers in the text."""
    part = TEXT[TEXT.index("## Example") :]
    blocks = re.findall(r"\n\n((?:    [\d ]+\n)+)", part)
    codes = [[[int(c) for c in line.split()] for line in x.splitlines()] for x in blocks]
    first = IntegerLayer(
        "first",
        np.array([codes[0]], np.uint8),
        np.array([[[1, 2, 4, -8]]], np.int32),
        np.array([100, -5, 0]),
        shift=3,
    )
    second = IntegerLayer(
        "second",
        np.array([codes[1]], np.uint8),
        np.array([[[300, -300, 0, 0]], [[7, 0, 50, -50]]], np.int32),
        np.array([-1000, 100001]),
        logits=True,
    )
    quant = InputQuant(np.array([1.0]), np.array([0.0]))
    return Network((first, second), quant, classes=("no", "yes"))


def dumped():
    """The bytes of the dump; each line must stand at the offset it states."""
    block = TEXT[TEXT.index("```text\n") :]
    raw = b""
    for line in block.splitlines()[1:]:
        if line == "```":
            return raw
        offset, data = match(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", line).groups()
        assert int(offset, 16) == len(raw)
        raw += bytes.fromhex(data)
    raise AssertionError("the dump has no end")


def test_dump_is_what_pack_writes():
    assert dumped() == pack(example_network(), EXAMPLE)


def test_dump_decodes_to_the_network_described():
    back = unpack(read_image(dumped(), EXAMPLE))
    for told, found in zip(example_network().layers, back.layers, strict=True):
        assert found.name == told.name
        assert found.codes.tolist() == told.codes.tolist()
        assert found.basis.tolist() == told.basis.tolist()
        assert found.bias.tolist() == told.bias.tolist()
        assert (found.shift, found.low, found.high) == (told.shift, told.low, told.high)
        assert found.logits == told.logits
    assert back.classes == ("no", "yes")
    image = parse(dumped())
    shape = {"lanes": 4, "engines": 2, "bank_lanes": 4, "external": 0, "codes": 0, "spare": 0}
    assert image.geometry == {**shape, "cores_log2": 0}
    assert [(x["bias_narrow"], x["bias_shift"]) for x in image.layers] == [(1, 0), (0, 0)]
    assert [Format(x["format"]) for x in image.layers] == [Format.BITMASK, Format.DENSE]
    palette = match(r"palette ([\d, ]+)\n")[1].split(", ")
    assert params_of(image.layers[0]).palette[:8] == tuple(map(int, palette))


def test_result_described():
    numbers = match(
        r"inputs ([\d, ]+) give the hidden activations ([\d, ]+) and the logits (\d+) and (\d+)",
        TEXT.replace("\n", " "),
    )
    x, hidden, *logits = (
        [int(n) for n in group.replace(",", " ").split()] for group in numbers.groups()
    )
    network = unpack(parse(dumped()))
    x = np.array([x], np.uint8)
    assert golden.run_layer(network.layers[0], x).tolist() == [hidden]
    assert golden.predict(network, x).outputs.tolist() == [[n for part in logits for n in part]]


@pytest.mark.parametrize("name", ["GEOMETRY", "NEEDS", "SECTION", "LAYER"])
def test_tables_are_the_layouts(name):
    part = re.split(r"\n##+ ", TEXT[TEXT.index(f"\n### {name}\n") + 1 :])[0]
    rows = re.findall(r"\n\| `(\w+)` \| (\d+)\.\.(\d+) \|", part)
    expected, offset = [], 0
    for field, width in getattr(layout, name).fields.items():
        expected.append((field, str(offset + width - 1), str(offset)))
        offset += width
    assert rows == expected
    assert offset % 32 == 0


def test_numbers_are_those_of_the_code():
    kinds = match(r"\| `kind` \| 3\.\.0 \| (.*) \|", TEXT)[1]
    assert kinds == ", ".join(f"{kind.name} {int(kind)}" for kind in Section)
    codes = re.findall(r"\n\| (\d) \| ([A-Z_]+) \|", TEXT)
    assert codes == [(str(int(code)), code.name) for code in ErrorCode]
    formats = match(r"storage format of the weights: (.*) \|", TEXT)[1]
    assert formats == ", ".join(f"{x.name.lower()} {int(x)}" for x in Format)
    words = match(r"A record of the LAYERS section, (\d+) bits")[1]
    assert int(words) == layout.LAYER.width
    assert f"describes version {layout.VERSION}." in TEXT
    assert f"header        {layout.HEADER_WORDS} words" in TEXT
    assert f"a record of {layout.LAYER_WORDS} words a layer" in TEXT
    assert f"then {layout.BASIS_WORDS} words an entry" in TEXT
