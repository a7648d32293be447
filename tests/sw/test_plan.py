# SPDX-License-Identifier: Apache-2.0
"""The planner: what it proposes holds the network, fits, and is not beaten."""

from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import SMALL, CoreConfig
from fantastic4.errors import FantasticError
from fantastic4.image import parse
from fantastic4.pack import pack
from fantastic4.plan import CHIPS, Goal, candidates, clock, find_chip, plan
from fantastic4.plan.candidates import candidates as all_candidates
from fantastic4.plan.chips import over_use
from fantastic4.plan.model import is_widths, load
from fantastic4.plan.planner import ALIKE
from fantastic4.plan.proposal import work_out
from fantastic4.randomnet import random_network
from fantastic4.timing import timing

CHIP = CHIPS["ecp5-25k"]


@pytest.fixture(autouse=True)
def few_cores(monkeypatch):
    """Fewer geometries: every test in a fraction of a second."""
    monkeypatch.setattr(candidates, "LANES", (8, 16, 32))
    monkeypatch.setattr(candidates, "ENGINES", (1, 2, 4))


@pytest.fixture(scope="module")
def network():
    return load("60-40-40-10", 0.3, 2)


def test_widths_make_a_network(network):
    assert [x.out_features for x in network.layers] == [40, 40, 10]
    assert network.layers[-1].logits
    assert {code for x in network.layers for code in np.unique(x.codes)} == {0, 1, 2}
    share = np.mean(np.concatenate([x.codes.ravel() for x in network.layers]) != 0)
    assert share == pytest.approx(0.3, abs=0.03)
    assert is_widths("1-2-3")
    assert not is_widths("model.safetensors")
    assert not is_widths("12")
    with pytest.raises(FantasticError, match=r"widths must be 1\.\.4096"):
        load("5000-3", 0.5, 2)


@pytest.mark.parametrize("latency_us", [None, 30.0])
def test_a_proposal_packs_with_the_cycles_it_says(network, latency_us):
    best = plan(network, Goal(CHIP, latency_us)).proposal
    image = parse(pack(network, best.cfg), "image")
    assert timing(image, best.cfg) == best.timing
    assert max(map(len, image.weights)) == best.words
    assert not over_use(best.area, CHIP.room(0.85))
    assert best.latency_us == pytest.approx(best.timing.latency / best.mhz)


def test_nothing_that_fits_is_faster(network):
    best = plan(network, Goal(CHIP)).proposal
    for candidate in all_candidates(network, "ecp5", 4, None):
        other = work_out(network, candidate.cfg, "ecp5")
        # What is said of a candidate at once is never too slow.
        assert candidate.ideal.latency <= other.timing.latency
        if not over_use(other.area, CHIP.room(0.85)):
            assert best.latency_us <= other.latency_us * ALIKE


def test_with_a_latency_nothing_that_is_fast_enough_is_smaller(network):
    fastest = plan(network, Goal(CHIP)).proposal
    most = 2 * fastest.latency_us
    best = plan(network, Goal(CHIP, most)).proposal
    assert best.latency_us <= most
    assert best.area.luts < fastest.area.luts
    for candidate in all_candidates(network, "ecp5", 4, None):
        other = work_out(network, candidate.cfg, "ecp5")
        if other.latency_us <= most:
            assert best.area.luts <= other.area.luts * 1.02


def test_a_larger_chip_is_not_slower():
    network = load("400-300-300-10", 0.3, 15)
    found = [plan(network, Goal(chip)).proposal.latency_us for chip in CHIPS.values()]
    assert found[0] >= found[1] / ALIKE
    assert found[1] >= found[2] / ALIKE


def test_two_masks_where_two_values_are_enough(network):
    assert plan(network, Goal(CHIP)).proposal.cfg.masks == 2
    many = load("60-40-10", 0.9, 15)
    assert plan(many, Goal(CHIP)).proposal.cfg.masks == 4


def test_no_decoder_is_idle(network):
    best = plan(network, Goal(CHIP)).proposal
    assert set(best.formats) == set(best.cfg.formats)


def test_networks_of_all_kinds():
    """Several planes, a basis per row, all formats."""
    rng = np.random.default_rng(3)
    network = random_network(rng, [50, 33, 20, 5], density=0.2, names=[2, 15])
    best = plan(network, Goal(CHIP)).proposal
    assert timing(parse(pack(network, best.cfg), "image"), best.cfg) == best.timing


def test_what_does_not_fit_is_named():
    network = load("1000-1000-1000", 0.5, 15)
    with pytest.raises(FantasticError) as error:
        plan(network, Goal(CHIP))
    assert "does not fit ecp5-25k: block RAMs" in str(error.value)
    assert " of 56" in str(error.value)
    assert str(error.value).endswith("; no larger chip that is planned for is large enough either")


def test_a_larger_chip_that_is_enough_is_named():
    network = load("700-512-512-10", 0.5, 15)
    with pytest.raises(
        FantasticError, match=r"block RAMs [0-9]+ of 56; ecp5-[48]5k is large enough"
    ):
        plan(network, Goal(CHIP))


def test_a_latency_that_no_core_has(network):
    with pytest.raises(FantasticError, match=r"no core on ecp5-25k is faster than .* µs, 0\.1 µs"):
        plan(network, Goal(CHIP, 0.1))


def test_limits_add_up_and_name_the_input_stream():
    found = plan(load("2000-4-2", 0.5, 2), Goal(CHIP, input_width=1))
    shares = found.limits.cycles
    assert sum(shares.values()) == pytest.approx(1, abs=0.001)
    assert shares["input"] > 0.5
    assert any("input stream" in reason for reason in found.limits.reasons)
    wider = plan(load("2000-4-2", 0.5, 2), Goal(CHIP, input_width=8))
    assert wider.proposal.cfg.input_width == 8
    assert wider.proposal.latency_us < found.proposal.latency_us


def test_limits_name_what_a_faster_core_lacks():
    found = plan(load("490-450-310-12", 0.3, 15), Goal(CHIP))
    reason = found.limits.reasons[0]
    assert reason.startswith("block RAMs ")
    assert " of 56 for " in reason


def test_what_does_not_fit_after_all_is_named():
    """Estimated weight words would do, exact ones do not."""
    network = load("490-450-330-12", 0.3, 15)
    room = CHIP.room(0.85)
    known = all_candidates(network, "ecp5", 4, None)
    assert any(not over_use(x.area, room) for x in known)
    with pytest.raises(
        FantasticError, match=r"block RAMs [56][0-9] of 56; ecp5-45k is large enough"
    ):
        plan(network, Goal(CHIP))


def test_input_width_divides_lanes(network):
    with pytest.raises(FantasticError, match="input width must be a power of two up to 512, not 3"):
        plan(network, Goal(CHIP, input_width=3))
    assert plan(network, Goal(CHIP, input_width=512)).proposal.cfg.input_width <= 32


def test_unknown_chip():
    with pytest.raises(FantasticError, match="cores are not planned for 'abacus'; choose one of"):
        find_chip("abacus")


@pytest.fixture
def routed(monkeypatch):
    rows = [
        {"technology": "t", "lanes": 64, "formats": ["dense"], "mhz": 100.0, "source": "a"},
        {"technology": "t", "lanes": 256, "formats": ["dense"], "mhz": 90.0, "source": "b"},
        {"technology": "t", "lanes": 64, "formats": ["csr", "dense"], "mhz": 50.0, "source": "c"},
    ]
    monkeypatch.setattr(clock, "calibration", lambda: {"clocks": rows})


@pytest.mark.parametrize(
    ("lanes", "engines", "formats", "expected"),
    [
        (32, 2, ("dense",), (100.0, "a")),
        (16, 1, ("dense",), (100.0, "a")),
        (64, 2, ("dense",), (92.0, "a")),
        (64, 4, ("dense",), (90.0, "b")),
        (128, 4, ("dense",), (82.8, "b")),
        (32, 2, ("dense", "csr"), (50.0, "c")),
        (64, 2, ("csr",), (46.0, "c")),
        (32, 2, ("dense", "ternary"), (45.0, "c")),
    ],
)
def test_clock_is_a_cautious_guess(routed, lanes, engines, formats, expected):
    cfg = replace(SMALL, lanes=lanes, engines=engines, formats=formats)
    assert clock.clock_of(cfg, "t") == expected


def test_no_clock_without_a_routed_core(routed):
    with pytest.raises(FantasticError, match="no clock of a routed core on u"):
        clock.clock_of(CoreConfig("x", 8, 1, 9, 9, 9, 9, 9), "u")


def test_a_given_clock_is_used(network):
    best = plan(network, Goal(CHIP, mhz=123.0)).proposal
    assert (best.mhz, best.clock_source) == (123.0, "given")
