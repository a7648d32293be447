# SPDX-License-Identifier: Apache-2.0
"""Named configurations cost what ``constraints/budget.toml`` promises; here the cheap ones."""

import pytest

from fantastic4.config import CONFIGS
from fantastic4_hw.flow.budget import Promise, broken, read_budget
from fantastic4_hw.flow.flow import synthesise
from fantastic4_hw.flow.targets import TARGETS
from fantastic4_hw.flow.tools import has_tool
from fantastic4_hw.flow.tops import TOPS

PROMISES = read_budget()
CHEAP = [x for x in PROMISES if x.config == "tiny" or x.top == "engine"]


def test_promises_are_of_what_there_is():
    for promise in PROMISES:
        assert promise.config in CONFIGS
        assert promise.target in TARGETS
        assert promise.top in TOPS
        if promise.top == "core":
            assert promise.multipliers == 4
    assert len({(x.config, x.top, x.target) for x in PROMISES}) == len(PROMISES)
    assert {(x.config, x.top) for x in CHEAP} == {("tiny", "core"), ("base", "engine")}


@pytest.mark.synth
@pytest.mark.slow
@pytest.mark.parametrize("promise", CHEAP, ids=lambda x: f"{x.config}-{x.top}-{x.target}")
def test_cheap_promises_are_kept(promise: Promise, tmp_path):
    for tool in ("yosys", f"nextpnr-{TARGETS[promise.target].nextpnr}"):
        if not has_tool(tool):
            pytest.skip(f"no {tool} here")
    cfg, top = CONFIGS[promise.config], TOPS[promise.top]
    record = synthesise(
        top.make(cfg), promise.target, lanes=top.lanes(cfg), route=False, cache=tmp_path
    )
    assert broken(record, promise) == []
    # And none is so generous that a tenth more would go unseen.
    for name in ("luts", "luts_per_lane", "ffs"):
        most = getattr(promise, name)
        assert most is None or getattr(record, name) >= 0.9 * most
