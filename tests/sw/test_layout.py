# SPDX-License-Identifier: Apache-2.0
import pytest
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from fantastic4.layout import GEOMETRY, LAYER, MAGIC, NEEDS, SECTION, BitLayout
from fantastic4_hw.shapes import struct_of

LAYOUTS = {"geometry": GEOMETRY, "needs": NEEDS, "section": SECTION, "layer": LAYER}


def values_of(layout):
    return st.fixed_dictionaries(
        {name: st.integers(0, (1 << width) - 1) for name, width in layout.fields.items()}
    )


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_round_trip_and_the_same_bits_in_hardware(layout):
    @given(values_of(layout))
    def check(values):
        word = layout.pack(**values)
        assert 0 <= word < 1 << layout.width
        assert layout.unpack(word) == values
        const: data.Const = struct_of(layout).const(values)
        assert const.as_bits() == word

    check()


def test_frozen_bits():
    assert MAGIC.to_bytes(4, "little") == b"F4IC"
    geometry = {"lanes": 64, "engines": 4, "bank_lanes": 8, "external": 1, "spare": 0}
    one_core = 2 << 29 | 1 << 28 | 8 << 24 | 4 << 12 | 64
    assert GEOMETRY.pack(**geometry, codes=2, cores_log2=0) == one_core
    assert GEOMETRY.pack(**geometry, codes=2, cores_log2=5) == 5 << 21 | one_core
    assert NEEDS.pack(input_chunks=13, hidden_chunks=5) == 0x0005000D
    assert SECTION.pack(kind=4, index=300, count=1000) == 1000 << 16 | 300 << 4 | 4
    record = LAYER.pack(
        in_features=784,
        in_chunks=13,
        planes=2,
        out_features=300,
        shift=17,
        low=1,
        high=254,
        per_row=1,
        logits=0,
        format=0,
        basis_base=77,
        beats=975,
        width=3,
        gap=5,
        palette=0xFEDCBA9876543210,
        bias_narrow=1,
        bias_shift=11,
        spare=0,
    )
    assert record == (
        784
        | 13 << 13
        | 2 << 26
        | 300 << 29
        | 17 << 42
        | 1 << 48
        | 254 << 56
        | 1 << 64
        | 77 << 70
        | 975 << 90
        | 3 << 114
        | 5 << 117
        | 0xFEDCBA9876543210 << 121
        | 1 << 185
        | 11 << 186
    )
    assert [x.width for x in LAYOUTS.values()] == [32, 32, 32, 192]


def test_what_does_not_fit_is_refused():
    layout = BitLayout({"a": 3, "b": 5})
    for value in (8, -1):
        with pytest.raises(ValueError, match=f"a must fit 3 bits, not {value}"):
            layout.pack(a=value, b=0)
    with pytest.raises(ValueError, match=r"fields must be \['a', 'b'\], not \['a'\]"):
        layout.pack(a=1)
    with pytest.raises(ValueError, match=r"not \['a', 'b', 'c'\]"):
        layout.pack(a=1, b=2, c=3)
