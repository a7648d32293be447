# SPDX-License-Identifier: Apache-2.0
"""From real data to RTL: trained networks on the compiled cores, in every output."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fantastic4 import cost, data, golden, modelfile
from fantastic4.config import BASE, FULL, CoreConfig
from fantastic4.layout import Format
from fantastic4.pack import pack, read_image
from fantastic4.timing import timing
from fantastic4.train import TrainConfig, train
from fantastic4_sim.device import open_device
from fantastic4_sim.toolchain import missing_tools

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason="no compiled simulation here"),
]

SIXTEEN = CoreConfig("lanes16", 16, 3, 16384, 2048, 4096, 72, 72, 4)

MODELS = Path(__file__).parents[1] / "models"

MIXED = ("dense", "ternary", "ternary5", "bitmask2", "csr")

CORES = [
    (CoreConfig("four_banks", 32, 2, 8192, 2048, 2048, 32, 32, 4, formats=MIXED), 500),
    (SIXTEEN, 20),
    (CoreConfig("narrow", 8, 4, 16384, 2048, 2048, 128, 128, 4, bank_lanes=4), 10),
]
"""Geometries that trained networks run on, and on how many inputs."""


def trained(name, data_dir, **settings):
    task = data.load(name, data_dir)
    return task, train(task, TrainConfig.for_dataset(name, **settings))


def runs_exactly(network, x, cfg, stall=0.0, forced=None):
    """Pack, run on the compiled core; everything equal to golden and to what was predicted."""
    raw = pack(network, cfg, forced)
    image = read_image(raw, cfg)
    expected = golden.predict(network, x)
    found = open_device(cfg, stall=stall, seed=1).predict(raw, x)
    assert np.array_equal(found.outputs, expected.outputs)
    assert np.array_equal(found.best, expected.best)
    predicted = timing(image, cfg)
    assert (found.beats == predicted.beats).all()
    if not stall:
        assert set(found.cycles.tolist()) <= {predicted.cycles, predicted.following}
        assert found.cycles[0] == predicted.cycles
        assert found.stalls[0] == predicted.stalls
    return image, predicted


@torch.no_grad()
def agreement(result, network, x):
    """How often golden gives the class of the fake-quantised model."""
    model = result.model.eval()
    theirs = model(model.real(torch.from_numpy(x))).argmax(1).numpy()
    return float((golden.predict(network, x).best == theirs).mean())


def test_mnist(data_dir, tmp_path):
    task, result = trained("mnist", data_dir)
    network = result.network()
    x = network.quant(task.x_test)
    accuracy = float((golden.predict(network, x).best == task.y_test).mean())
    assert accuracy >= 0.98
    assert result.accuracy_quantised >= 0.98
    assert agreement(result, network, x) >= 0.999
    assert result.history[-1]["entropy"] < 1.3
    modelfile.save(network, tmp_path / "model")
    code_bits = modelfile.code_bits((tmp_path / "model").read_bytes())
    assert code_bits / network.weights <= cost.network_entropy(network)

    image, predicted = runs_exactly(network, x[:100], BASE, forced=Format.DENSE)
    assert cost.bits_per_weight(cost.storage(image)) > 4
    assert predicted.utilisation >= 0.9
    image, predicted = runs_exactly(network, x[:1000], BASE)
    assert predicted.utilisation >= 0.9
    assert cost.bits_per_weight(cost.storage(image)) < 2
    runs_exactly(network, x[:20], BASE, stall=0.3)


@pytest.mark.parametrize("name", ["mnist", "gsc12"])
@pytest.mark.parametrize(("cfg", "inputs"), CORES, ids=lambda x: getattr(x, "name", None))
def test_sparse_networks_in_several_formats(data_dir, name, cfg, inputs):
    """A format a layer, on real inputs: RTL equals golden in every output."""
    network = modelfile.load(MODELS / f"{name}.safetensors")
    x = network.quant(data.load(name, data_dir).x_test[:inputs])
    image, _ = runs_exactly(network, x, cfg)
    assert len({record["format"] for record in image.layers}) > 1


@pytest.mark.parametrize(("name", "accuracy"), [("mnist", 0.978), ("gsc12", 0.70)])
def test_sparse_networks_take_little_more_than_their_entropy(data_dir, name, accuracy):
    """On the core of 64 x 4 with every format; and the array hardly waits."""
    network = modelfile.load(MODELS / f"{name}.safetensors")
    weights = np.concatenate([layer.codes.ravel() for layer in network.layers])
    assert np.count_nonzero(weights) <= 0.3 * weights.size
    image = read_image(pack(network, FULL), FULL)
    bits = cost.bits_per_weight(cost.storage(image))
    assert bits <= 1.25 * cost.network_entropy(network)
    assert timing(image, FULL).utilisation >= 0.9
    task = data.load(name, data_dir)
    best = golden.predict(network, network.quant(task.x_test)).best
    assert float((best == task.y_test).mean()) >= accuracy
