# SPDX-License-Identifier: Apache-2.0
"""The area model: what is counted, what is fitted, and what its calibration says of itself."""

from dataclasses import replace

import pytest

from fantastic4.area import estimate
from fantastic4.area.fit import Measured, fit, solve
from fantastic4.area.memories import Memory, block_rams
from fantastic4.area.model import calibration, decoder_parts, decoder_size, predict
from fantastic4.area.structure import (
    CARRIES,
    FF_FEATURES,
    GROUPS,
    LUT_FEATURES,
    adders_above,
    features_of,
    group_of,
)
from fantastic4.config import BASE, CONFIGS, FULL, PAPER, SMALL, TINY, CoreConfig
from fantastic4.configfile import parse_config
from fantastic4.errors import FantasticError

ECP5 = calibration()["technologies"]["ecp5"]


def test_block_rams_of_named_cores():
    """``tiny`` and ``small`` as synthesis has them (docs/synthesis.md)."""
    assert block_rams(TINY) == 11
    assert block_rams(SMALL) == 37
    # 32 banks of 4, activations 32, basis 8, biases 4, results 2.
    assert block_rams(BASE) == 128 + 32 + 8 + 4 + 2
    assert block_rams(replace(BASE, external_weights=True)) == 32 + 8 + 4 + 2


@pytest.mark.parametrize(
    ("depth", "width", "granularity", "cells"),
    [
        (32, 64, 8, 0),
        (33, 64, 64, 2),
        (33, 64, 8, 4),
        (512, 32, 32, 1),
        (513, 32, 32, 2),
        (8193, 32, 32, 17),
    ],
)
def test_cells_of_a_memory(depth, width, granularity, cells):
    assert Memory("m", 1, depth, width, granularity).cells() == cells


def test_lut_rams_of_a_shallow_memory():
    assert Memory("m", 1, 17, 64, 8).lut_rams() == 2 * 8 * 2
    assert Memory("m", 1, 33, 64, 8).lut_rams() == 0


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("depth", [1, 16, 17, 33, 600, 2049, 5000, 8193, 20000])
def test_a_memory_is_as_deep_as_its_cells(depth, width):
    def taken(rows: int) -> tuple[int, int]:
        memory = Memory("m", 1, rows, width, width)
        return memory.cells(), memory.lut_rams()

    most = Memory("m", 1, depth, width, width).spacious()
    assert most >= depth
    assert taken(most) == taken(depth)
    assert taken(most + 1) != taken(depth)


def test_adders_of_a_tree():
    assert adders_above(8) == [(2, 10), (1, 11)]
    assert adders_above(2) == []
    assert sum(count for count, _ in adders_above(64)) == 31


def test_features_of_a_tree():
    """8 lanes: 4 pairs of 10 LUTs, 2 x 10 and 12 above them, and an accumulator of 20."""
    cfg = replace(SMALL, lanes=8, engines=3)
    found = features_of(cfg, 0)
    assert cfg.sum_width == 17
    assert found["tree_sites"] == 12 * (40 + 20 + 12 + 20)
    assert found["tree_bits"] == 12 * (36 + 20 + 11 + 17)
    assert found["adders"] == 12 * 4
    assert features_of(replace(cfg, masks=2, name_width=1), 0)["tree_sites"] == 6 * 92


def test_banks_in_lock_step_have_one_reader():
    dense = replace(SMALL, formats=("dense",))
    assert features_of(dense, 5)["readers"] == 1
    assert features_of(SMALL, 5)["readers"] == 4
    assert features_of(dense, 5)["even_decoders"] == 0  # a counter instead
    assert features_of(replace(dense, formats=("ternary5",)), 5)["even_decoders"] == 20
    assert features_of(SMALL, 5)["own_decoders"] == 20


def test_decoders_of_a_bank():
    assert decoder_parts(BASE) == ["dense+bitmask/4"]
    assert decoder_parts(replace(BASE, name_width=1)) == ["dense+bitmask/1"]
    assert set(decoder_parts(FULL)) == {
        "ternary",
        "ternary5",
        "dense+bitmask/4",
        "csr",
        "bitmask2/4",
    }
    decoders = {
        "alone": {"dense+bitmask/4": [300, 1]},
        "half_bank": [0.6, 1],
        "each_further": [9, 9],
    }
    assert decoder_size(BASE, decoders, 0) == 300
    assert decoder_size(replace(BASE, bank_lanes=4), decoders, 0) == pytest.approx(180)


def test_each_component_belongs_to_a_part():
    assert group_of("core.slice_0.feed_3") == "decoders"
    assert group_of("core.slice_0.array") == "array"
    assert group_of("core.slice_0.banks_12") == group_of("core.slice_0.weights") == "banks"
    assert group_of("core.activations.hidden") == "activations"
    assert group_of("core.slice_0") == group_of("core.slice_0.post") == "rest"
    assert group_of("core.steps") == group_of("core") == group_of("") == "rest"
    assert set(GROUPS) | {CARRIES} == set(LUT_FEATURES)
    assert set(GROUPS) == set(FF_FEATURES)


def test_solve_finds_coefficients_and_subtracts_nothing():
    rows = [{"a": n, "b": n * n, "one": 1} for n in range(1, 6)]
    exact = [3 * row["a"] + 2 * row["b"] + 7 for row in rows]
    assert solve(("a", "b", "one"), rows, exact) == pytest.approx({"a": 3, "b": 2, "one": 7})
    falling = [50 - row["a"] for row in rows]
    assert solve(("a", "one"), rows, falling) == {"one": pytest.approx(47)}


def test_fit_gives_back_what_the_model_made():
    """Cores as the calibration predicts them are predicted alike by what is fitted to them."""
    cores = []
    for row in ECP5["fitted"]:
        cfg = parse_config(row["config"], "fitted")
        area = predict(cfg, ECP5)
        parts = dict(area.parts)
        carries = parts.pop(CARRIES)
        names = {"decoders": "core.feed_0", "banks": "core.banks_0", "rest": "core"}
        components = {
            names.get(part, f"core.{part}"): {"luts": luts, "ffs": 0}
            for part, luts in parts.items()
        }
        luts = sum(parts.values()) + carries
        cores.append(Measured(cfg, luts, 0, area.block_rams, components))
    again = fit(cores, ECP5["decoders"])
    for core in cores:
        assert predict(core.cfg, again).luts == pytest.approx(core.luts, rel=0.02)


def test_calibration_is_checked_on_other_cores():
    """LUTs within 15 % for configurations that it was not calibrated on."""
    fitted = [row["config"] for row in ECP5["fitted"]]
    assert len(fitted) >= 5
    assert len(ECP5["checked"]) >= 3
    for row in ECP5["checked"]:
        assert row["config"] not in fitted
        area = estimate(parse_config(row["config"], "checked"))
        assert area.luts == pytest.approx(row["luts"], rel=0.15)
        assert area.luts == row["predicted_luts"]
        assert area.block_rams == row["block_rams"]


@pytest.mark.parametrize("cfg", [x for x in CONFIGS.values() if x.cores == 1])
def test_more_takes_more(cfg):
    base = estimate(cfg)
    assert base.luts == pytest.approx(sum(base.parts.values()), abs=len(base.parts))
    assert base.multipliers == 4
    for field in ("lanes", "engines"):
        more = estimate(replace(cfg, **{field: 2 * getattr(cfg, field)}))
        assert more.luts > base.luts
        assert more.ffs > base.ffs
        assert more.multipliers == 4


def test_half_the_masks_take_less():
    cfg = replace(BASE, formats=("ternary5",), name_width=1)
    assert estimate(replace(cfg, masks=2)).luts < 0.7 * estimate(cfg).luts


def test_unknown_technology():
    with pytest.raises(FantasticError, match="there is no calibration for abacus; choose one of"):
        estimate(TINY, "abacus")


def test_several_cores_are_not_estimated():
    with pytest.raises(FantasticError, match="config paper has 16 cores"):
        estimate(PAPER)


def test_any_formats_are_estimated():
    for formats in (("dense",), ("csr",), ("ternary", "bitmask2")):
        for name_width in (1, 2, 4):
            cfg = CoreConfig("x", 8, 1, 64, 64, 64, 8, 8, 1, 8, formats, name_width=name_width)
            assert estimate(cfg).luts > 1000
