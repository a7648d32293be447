# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from fantastic4.config import BASE, CONFIGS, FEW, FULL, MAX_TILE, PAPER, TINY, find_config
from fantastic4.errors import FantasticError


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("lanes", 1, 512),
        ("engines", 1, 256),
        ("weight_depth", 2, (1 << 16) - 1),
        ("row_depth", 1, (1 << 16) - 1),
        ("basis_depth", 1, (1 << 16) - 1),
        ("bank_lanes", 1, 8),
        ("input_chunks", 1, 4096),
        ("hidden_chunks", 1, 4096),
        ("input_width", 1, 4),
        ("max_layers", 1, 16),
        ("cores", 1, 128),
    ],
)
def test_ranges(field, low, high):
    wide = dataclasses.replace(TINY, lanes=8, bank_lanes=1, formats=("dense",), input_width=1)
    if field == "cores":
        wide = dataclasses.replace(wide, lanes=128, bank_lanes=8, engines=1)
    if field == "input_width":
        wide = dataclasses.replace(wide, lanes=4)
    for value in (low, high):
        dataclasses.replace(wide, **{field: value})
    for value in (low - 1, high + 1):
        found = rf"config tiny: {field} must be {low}\.\.{high}, not {value}"
        with pytest.raises(FantasticError, match=found):
            dataclasses.replace(wide, **{field: value})


def test_lanes_are_whole_transfers():
    with pytest.raises(FantasticError, match=r"lanes must be a multiple of input_width \(3\)"):
        dataclasses.replace(TINY, input_width=3)


def test_lanes_are_whole_banks():
    with pytest.raises(FantasticError, match=r"lanes must be a multiple of bank_lanes \(3\)"):
        dataclasses.replace(TINY, bank_lanes=3, formats=("dense",))


def test_banks_are_counted():
    with pytest.raises(
        FantasticError, match=r"cores times engines times banks must be 1\.\.4096, not 4608"
    ):
        dataclasses.replace(BASE, lanes=512, bank_lanes=1, engines=9)


def test_masks_and_names():
    with pytest.raises(FantasticError, match=r"masks must be one of 2, 4, not 3"):
        dataclasses.replace(TINY, masks=3)
    with pytest.raises(FantasticError, match=r"name_width must be one of 1, 2, 4, not 3"):
        dataclasses.replace(TINY, name_width=3)
    with pytest.raises(FantasticError, match=r"2 masks need a name_width of 1, not 4"):
        dataclasses.replace(TINY, masks=2)
    assert dataclasses.replace(TINY, masks=2, name_width=1).recodes
    assert not TINY.recodes


def test_cores_divide_the_lanes():
    for cores in (1, 2, 4):
        cfg = dataclasses.replace(TINY, cores=cores)
        assert cfg.group_rows == 2 * cores
        assert cfg.dense_weights == cores * TINY.dense_weights
        assert [cfg.core_rows(rows) for rows in (1, cores, cores + 1, 8)] == [1, 1, 2, 8 // cores]
    with pytest.raises(FantasticError, match=r"lanes must be a multiple of cores \(8\), not 4"):
        dataclasses.replace(TINY, cores=8)
    with pytest.raises(FantasticError, match="cores must be a power of two, not 3"):
        dataclasses.replace(TINY, lanes=12, cores=3)
    with pytest.raises(FantasticError, match=r"must be 1\.\.4096, not 8192"):
        dataclasses.replace(TINY, lanes=128, bank_lanes=8, engines=4, cores=128)


def test_the_scale_of_the_paper():
    """16,384 operations a cycle; four multipliers a core never limit a tile of 512 columns."""
    assert 2 * PAPER.lanes * PAPER.group_rows == 16384
    assert PAPER.engines <= PAPER.tile_chunks
    assert PAPER.tile == MAX_TILE


def test_formats_suit_the_banks():
    with pytest.raises(
        FantasticError, match=r"formats must be some of dense, ternary with 5 lanes"
    ):
        dataclasses.replace(TINY, lanes=5, bank_lanes=5, formats=("dense", "bitmask"))
    with pytest.raises(FantasticError, match=r"formats must be some of .*, not none"):
        dataclasses.replace(TINY, formats=())


def test_sums_of_a_tile_fit_a_multiplier():
    """A tile is whole chunks, at most 512 columns; its sum fits a signed 18-bit operand."""
    for lanes in range(1, MAX_TILE + 1):
        check_widths(
            dataclasses.replace(TINY, lanes=lanes, bank_lanes=1, formats=("dense",)), lanes
        )


def check_widths(cfg, lanes):
    assert cfg.tile == cfg.tile_chunks * lanes <= MAX_TILE < cfg.tile + lanes
    assert cfg.tile * 255 < 1 << cfg.sum_width <= 1 << 17
    assert 1 << cfg.tree_levels >= lanes > (1 << cfg.tree_levels) // 2 or lanes == 1
    assert cfg.banks * cfg.word_width == 4 * lanes
    assert cfg.word_width <= 32


def test_sizes():
    assert (BASE.tile, BASE.tile_chunks, BASE.max_inputs, BASE.max_hidden) == (512, 8, 4096, 4096)
    assert BASE.dense_weights == 2048 * 64 * 4
    assert (TINY.max_inputs, TINY.chunks(1), TINY.chunks(4), TINY.chunks(5)) == (128, 1, 1, 2)
    assert (TINY.tiles(512), TINY.tiles(513)) == (1, 2)


def test_find():
    assert find_config("base") is BASE
    assert all(cfg.name == name for name, cfg in CONFIGS.items())
    assert {"tiny", "small", "base"} <= CONFIGS.keys()
    with pytest.raises(FantasticError, match=r"no configuration 'huge'; choose one of tiny, small"):
        find_config("huge")


def test_which_cores_have_their_beats_at_the_same_time():
    """Names of up to two bits never outrun the beats; words from outside may be late."""
    assert FEW.steady
    assert FEW.told
    assert CONFIGS["dense"].steady
    assert not CONFIGS["dense"].told
    assert CONFIGS["ternary"].told
    for cfg in (BASE, FULL, dataclasses.replace(FEW, external_weights=True)):
        assert not cfg.steady
        assert not cfg.told
    assert dataclasses.replace(FULL, formats=("ternary", "ternary5")).told
    assert not dataclasses.replace(FEW, formats=("dense", "csr")).steady
