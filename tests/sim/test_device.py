# SPDX-License-Identifier: Apache-2.0
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from fantastic4.config import TINY, CoreConfig
from fantastic4.errors import SimulationError
from fantastic4.layout import MAGIC, ErrorCode
from fantastic4_sim import device as device_module
from fantastic4_sim import models
from fantastic4_sim.commands import Infer, InferReply, Load, LoadReply
from fantastic4_sim.device import AmaranthDevice, open_device
from fantastic4_sim.verilated import VerilatedDevice

GOOD = MAGIC.to_bytes(4, "little") + bytes(60)
BAD = b"F5IC" + bytes(60)


def config(input_width: int = 4) -> CoreConfig:
    return CoreConfig("stand_in", 64, 2, 64, 64, 64, 32, 32, input_width)


@pytest.fixture
def open_stand_in(stand_in, write_stand_in, models_dir):
    """Opens the stand-in in either engine; models are shared by all tests of a run."""

    def open_(engine: str, cfg: CoreConfig, **settings):
        if engine == "amaranth":
            return AmaranthDevice(cfg, core=stand_in, **settings)
        return VerilatedDevice(cfg, build_dir=models_dir, verilog=write_stand_in, **settings)

    return open_


def expected(x: np.ndarray, width: int) -> np.ndarray:
    """What the stand-in answers; the bytes that pad the last transfer are 255."""
    transfers = -(-x.shape[1] // width)
    padding = transfers * width - x.shape[1]
    sums = x.astype(np.int64).sum(axis=1) + 255 * padding
    return np.stack([-sums, np.full(len(x), transfers)], axis=1)


@pytest.mark.parametrize("engine", ["amaranth", "verilator"])
@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("input_width", [1, 4, 8, 64])
def test_every_input_width(rng, open_stand_in, engine, stall, input_width):
    cfg = config(input_width)
    x = rng.integers(0, 256, (7, 70), np.uint8)
    device = open_stand_in(engine, cfg, stall=stall)
    result = device.predict(GOOD, x)
    assert np.array_equal(result.outputs, expected(x, input_width))
    assert result.best.tolist() == list(range(7))
    assert np.array_equal(result.cycles, -result.outputs[:, 0])
    assert result.beats.tolist() == list(range(7))
    fastest = 7 * (-(-70 // input_width) + 2)
    assert result.total_cycles == fastest if stall == 0 else result.total_cycles > fastest
    assert result.engine == device.engine == engine


@pytest.mark.parametrize("engine", ["amaranth", "verilator"])
def test_a_sequence_in_one_core(rng, open_stand_in, engine):
    x = rng.integers(0, 256, (3, 9), np.uint8)
    commands = [Load(GOOD), Infer(x), Load(BAD), Infer(x), Load(GOOD), Infer(x)]
    loaded, first, refused, stuck, again, second = open_stand_in(engine, config()).run(commands)
    assert loaded == again == LoadReply(True, ErrorCode.NONE)
    assert refused == LoadReply(False, ErrorCode.MAGIC)
    assert isinstance(first, InferReply)
    assert isinstance(stuck, InferReply)
    assert isinstance(second, InferReply)
    assert np.array_equal(first.outputs, expected(x, 4))
    assert np.array_equal(second.outputs, first.outputs)
    assert second.best.tolist() == [3, 4, 5]
    assert (len(stuck.best), stuck.error) == (0, ErrorCode.MAGIC)


@pytest.mark.parametrize("engine", ["amaranth", "verilator"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (1, r"nothing moved .* \(2 done\); .* error NONE"),
        (2, "changed or withdrew a result"),
        (3, "when none was due"),
        (4, "4096 results of one inference"),
    ],
)
def test_a_faulty_core_is_caught(rng, open_stand_in, engine, fault, message):
    x = rng.integers(0, 256, (3, 9), np.uint8)
    device = open_stand_in(engine, config(), stall=0.8)
    with pytest.raises(SimulationError, match=message):
        device.predict(GOOD[:4] + bytes([fault]) + bytes(59), x)


@pytest.mark.parametrize("engine", ["amaranth", "verilator"])
def test_a_refused_image_names_the_error(open_stand_in, engine):
    with pytest.raises(SimulationError, match="refused the image: error MAGIC"):
        open_stand_in(engine, config()).predict(BAD, np.zeros((1, 4), np.uint8))


def test_stalls_follow_the_seed(rng, open_stand_in):
    x = rng.integers(0, 256, (20, 40), np.uint8)
    for engine in ("amaranth", "verilator"):
        cycles = [
            open_stand_in(engine, config(), stall=0.3, seed=seed).predict(GOOD, x).total_cycles
            for seed in (1, 1, 2)
        ]
        assert cycles[0] == cycles[1] != cycles[2]


def test_shares_of_a_batch_are_joined_in_order(rng, open_stand_in):
    x = rng.integers(0, 256, (100, 12), np.uint8)
    told: list[int] = []
    result = open_stand_in("verilator", config(), jobs=3).predict(GOOD, x, told.append)
    assert np.array_equal(result.outputs, expected(x, 4))
    assert result.beats.tolist() == [*range(34), *range(33), *range(33)]
    assert told == sorted(told)
    assert told[-1] == 100


def test_a_model_is_compiled_once(monkeypatch, tmp_path):
    calls = []

    def compile_slowly(sources, top, out_dir, **options):
        calls.append(sources[0])
        time.sleep(0.2)
        (out_dir / "model").write_text("compiled")
        return out_dir / "model"

    monkeypatch.setattr(models, "compile_model", compile_slowly)
    verilog = tmp_path / "core.v"
    verilog.write_text("module fantastic4_core; endmodule\n")
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda _: models.build(verilog, "core", tmp_path), range(4)))
    assert len(set(built)) == len(calls) == 1
    verilog.write_text("module fantastic4_core (); endmodule\n")
    assert models.build(verilog, "core", tmp_path) not in built
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", "", ".lock", ".lock", ".v"]


def test_verilog_is_written_once(monkeypatch, tmp_path):
    first = models.core_verilog(TINY, tmp_path)
    monkeypatch.setattr("fantastic4_hw.verilog.write_verilog", None)
    assert models.core_verilog(TINY, tmp_path) == first
    assert "module fantastic4_core" in first.read_text()
    with pytest.raises(TypeError):
        models.core_verilog(replace(TINY, engines=3), tmp_path)


def test_a_killed_model_is_an_error(open_stand_in, tmp_path):
    device = open_stand_in("verilator", config())
    device.model = tmp_path / "model"
    device.model.write_text("#!/bin/sh\necho out of luck >&2\nexit 9\n")
    device.model.chmod(0o755)
    with pytest.raises(SimulationError, match="status 9: out of luck"):
        device.predict(GOOD, np.zeros((1, 4), np.uint8))


def test_engine_is_chosen(monkeypatch):
    with pytest.raises(SimulationError, match="engine must be auto, verilator or amaranth"):
        open_device(config(), "icarus")
    monkeypatch.setattr(device_module, "missing_tools", lambda: ["g++"])
    device = open_device(config())
    assert device.engine == "amaranth"
    assert device.note == "simulating in Python, which is slow: g++ not found"


@pytest.mark.parametrize("x", [np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8), np.ones((1, 4))])
def test_wrong_inputs_are_refused(open_stand_in, x):
    with pytest.raises(ValueError, match="inputs must be uint8"):
        open_stand_in("amaranth", config()).predict(GOOD, x)
