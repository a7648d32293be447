# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from fantastic4 import golden
from fantastic4.config import TINY
from fantastic4.pack import pack
from fantastic4.randomnet import random_network
from fantastic4_hw.ports import StreamCore
from fantastic4_sim.cocotb_run import core_job, run_cocotb

pytestmark = pytest.mark.cocotb


def test_core_under_cocotb_and_a_wrong_golden(rng, tmp_path):
    network = random_network(rng, [21, 14, 5])
    image, x = pack(network, TINY), rng.integers(0, 256, (6, 21), "uint8")
    expected = golden.predict(network, x)
    build = tmp_path / "build"
    env = core_job(tmp_path / "job", image, x, expected, pause=0.4)
    run_cocotb(StreamCore(TINY), "fantastic4_core", "fantastic4_sim.benches.core", build, env=env)

    verilog = build / "fantastic4_core.v"
    for wrong, message in (("outputs", "outputs of input 5"), ("best", "arg-max of input 5")):
        getattr(expected, wrong)[5] += 1
        env = core_job(tmp_path / "job", image, x, expected)
        found = re.compile(rf"equals_golden: .*{message}", re.DOTALL)
        with pytest.raises(AssertionError, match=found):
            run_cocotb(verilog, "fantastic4_core", "fantastic4_sim.benches.core", build, env=env)
        getattr(expected, wrong)[5] -= 1
