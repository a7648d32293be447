# SPDX-License-Identifier: Apache-2.0
"""pack, inspect and run on golden, on random networks kept as model files."""

import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fantastic4 import cost, data, golden, modelfile
from fantastic4.cli import app
from fantastic4.config import CONFIGS, SMALL
from fantastic4.network import InputQuant, Network
from fantastic4.pack import pack, read_image
from fantastic4.randomnet import random_network
from fantastic4.timing import timing


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


def reported(*args: Any, code: int = 0) -> dict[str, Any]:
    """Return the one JSON object that a command prints on stdout."""
    out, _ = call(*args, "--json", code=code)
    return json.loads(out)


@pytest.fixture
def network(rng) -> Network:
    quant = InputQuant(gain=np.array([255 / 16]), offset=np.zeros(1))
    drawn = random_network(rng, [64, 24, 10])
    classes = tuple("0123456789")
    return replace(drawn, quant=quant, classes=classes, metadata={"dataset": "digits"})


@pytest.fixture
def sparse(rng, tmp_path) -> Path:
    """Return a model of few codes, with more than three non-zero values."""
    path = tmp_path / "sparse.safetensors"
    modelfile.save(random_network(rng, [64, 48, 10], density=0.05), path)
    return path


@pytest.fixture
def model(network, tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    modelfile.save(network, path)
    return path


@pytest.fixture
def image(network, tmp_path) -> Path:
    path = tmp_path / "given.f4"
    path.write_bytes(pack(network, SMALL))
    return path


def test_pack_writes_the_image(network, model, tmp_path):
    path = tmp_path / "new" / "x.f4"
    record = reported("pack", model, "--config", "small", "-o", path)
    raw = path.read_bytes()
    assert raw == pack(network, SMALL)
    assert record["image"] == str(path)
    assert record["config"] == "small"
    assert int(record["crc32"], 16) == zlib.crc32(raw[:-4])
    assert record["bits_per_weight"] == cost.bits_per_weight(cost.storage(read_image(raw)))
    assert record["entropy"] == cost.network_entropy(network)


def test_pack_names_the_image_after_the_model(model):
    out, _ = call("pack", model, "--config", "small")
    assert model.with_suffix(".f4").is_file()
    assert "bits per weight" in out


def test_pack_refuses_what_the_core_does_not_hold(rng, tmp_path):
    model, image = tmp_path / "big.safetensors", tmp_path / "big.f4"
    modelfile.save(random_network(rng, [64, 600, 10]), model)
    _, err = call("pack", model, "--config", "tiny", "-o", image, code=1)
    assert "config tiny holds 32 hidden chunks, the network needs 150" in err
    assert not image.exists()


def test_pack_refuses_a_format_that_cannot_express_the_codes(sparse, tmp_path):
    image = tmp_path / "x.f4"
    _, err = call("pack", sparse, "--config", "small", "--format", "ternary", "-o", image, code=1)
    assert "layer 'layer0': ternary cannot express its codes" in err
    assert not image.exists()


def test_pack_refuses_a_format_the_core_does_not_decode(sparse, monkeypatch):
    cfg = replace(SMALL, formats=("dense", "csr"))
    monkeypatch.setitem(CONFIGS, "small", cfg)
    _, err = call("pack", sparse, "--config", "small", "--format", "bitmask", code=1)
    assert "config small does not decode bitmask; it decodes dense, csr" in err


def test_output_below_a_file_is_one_message(model):
    _, err = call("pack", model, "-o", model / "x.f4", code=1)
    assert err.startswith(f"error: {model}")
    assert len(err.splitlines()) == 1


def test_inspect_image(network, image):
    raw = image.read_bytes()
    record = reported("inspect", image)
    assert record["kind"] == "image"
    assert record["config"] == "small"
    shape = {"lanes": 16, "engines": 2, "cores": 1, "bank_lanes": 8, "external": 0, "codes": 0}
    shape |= {"spare": 0}
    assert record["geometry"] == shape
    assert record["crc32"] == f"{zlib.crc32(raw[:-4]):08x}"
    assert record["bytes"] == len(raw)
    stored = cost.storage(read_image(raw))
    for layer, bits, held in zip(record["layers"], stored, network.layers, strict=True):
        assert (layer["in_features"], layer["out_features"]) == (
            bits.in_features,
            bits.out_features,
        )
        assert layer["format"] == bits.format
        assert layer["bits_per_weight"] == bits.bits_per_weight
        assert layer["alternatives"].keys() == bits.alternatives.keys() - {bits.format}
        assert layer["density"] == bits.density
        assert layer["entropy"] == cost.layer_entropy(held)
        assert layer["basis_kind"] == ("per row" if held.per_row else "shared")
    out, _ = call("inspect", image)
    assert all(text in out for text in ("other", "logits", "ω3", record["crc32"], "digits"))


def test_inspect_shows_what_other_formats_would_have_cost(sparse, tmp_path):
    found = {}
    for name in ("bitmask", "bitmask2", "csr", "dense"):
        path = tmp_path / f"{name}.f4"
        record = reported("pack", sparse, "--config", "small", "--format", name, "-o", path)
        assert record["formats"] == [name, name]
        found[name] = reported("inspect", path)["layers"]
    for name, layers in found.items():
        for index, layer in enumerate(layers):
            assert layer["format"] == name
            others = {x: found[x][index]["bits_per_weight"] for x in found if x != name}
            assert layer["alternatives"] == pytest.approx(others)
    path = tmp_path / "smallest.f4"
    reported("pack", sparse, "--config", "small", "-o", path)
    for index, layer in enumerate(reported("inspect", path)["layers"]):
        least = min(layers[index]["bits_per_weight"] for layers in found.values())
        assert layer["bits_per_weight"] == least
    out, _ = call("inspect", path)
    for layer in found["dense"]:
        assert f"dense {layer['bits_per_weight']:.3f}" in out


def test_inspect_model(network, model):
    record = reported("inspect", model)
    assert record["kind"] == "model"
    assert record["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert record["weights"] == network.weights
    assert record["entropy"] == cost.network_entropy(network)
    assert record["metadata"]["dataset"] == "digits"
    first, held = record["layers"][0], network.layers[0]
    bits = 4 * held.codes.size + 16 * held.basis.size + 32 * held.out_features
    assert (first["format"], first["stored_bits"]) == ("dense", bits)
    assert first["bits_per_weight"] == bits / held.weights
    stored = sum(layer["stored_bits"] for layer in record["layers"])
    assert record["bits_per_weight"] == stored / network.weights
    assert record["code_bits_in_file"] == modelfile.code_bits(model.read_bytes()) / network.weights
    out, _ = call("inspect", model)
    assert record["sha256"] in "".join(out.split())
    assert f"code bits in file {record['code_bits_in_file']:.3f}" in " ".join(out.split())


def test_inspect_shows_the_basis(rng, tmp_path):
    network = random_network(rng, [8, 6, 5, 4])
    path = tmp_path / "m.safetensors"
    modelfile.save(network, path)
    for layer, held in zip(reported("inspect", path)["layers"], network.layers, strict=True):
        if held.per_row:
            assert layer["basis"][0][1] == [held.basis[:, 0, 1].min(), held.basis[:, 0, 1].max()]
        else:
            assert layer["basis"] == held.basis[0].tolist()


@pytest.mark.parametrize("content", [b"", b"F4", b"hello world", b"\x08\0\0\0\0\0\0\0{"])
def test_inspect_refuses_other_files(content, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(content)
    _, err = call("inspect", path, code=1)
    assert f"{path}: neither a model (safetensors) nor an image" in err


def test_a_folder_is_no_file(tmp_path):
    for command in ("inspect", "run"):
        _, err = call(command, tmp_path, code=1)
        assert f"error: {tmp_path} is a folder, not a file" in err


def test_run_on_golden(network, image, monkeypatch):
    digits = data.load("digits")
    activations = network.quant(digits.x_test)
    best = golden.predict(network, activations).best
    given, predict = [], golden.predict

    def watched(network, x, **settings):
        given.append(x)
        return predict(network, x, **settings)

    monkeypatch.setattr(golden, "predict", watched)
    record = reported("run", image)
    assert np.array_equal(given[0], activations)
    assert record["dataset"] == "digits"
    assert record["inputs"] == len(digits.x_test)
    assert record["accuracy"] == {"golden": (best == digits.y_test).mean()}
    assert record["cycles"] == timing(read_image(image.read_bytes()), SMALL).cycles
    assert "mismatches" not in record

    record = reported("run", image, "--limit", 20, "--dataset", "digits")
    assert record["inputs"] == 20
    assert record["accuracy"]["golden"] == (best[:20] == digits.y_test[:20]).mean()


def test_run_refuses_a_data_set_of_another_shape(rng, tmp_path):
    for widths, text in (
        ([63, 10], "data set digits has 64 features"),
        ([64, 9], "data set digits has 10 classes"),
    ):
        path = tmp_path / "x.f4"
        path.write_bytes(pack(random_network(rng, widths), SMALL))
        _, err = call("run", path, "--dataset", "digits", code=1)
        assert text in err
        _, err = call("run", path, code=1)
        assert "does not say its data set: name one with --dataset" in err


def test_run_needs_the_files_of_the_data_set(image, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("fantastic4.data.sets.MNIST_MIRRORS", ("http://127.0.0.1:1/",))
    _, err = call("train", "mnist", "--data-dir", tmp_path / "none", code=1)
    assert "cannot find mnist/mnist.npz" in err
    assert "give that folder as --data-dir" in err


def changed(raw: bytes, word: int, value: int) -> bytes:
    """Return ``raw`` with one 32-bit word replaced, and the checksum made good."""
    body = raw[: 4 * word] + value.to_bytes(4, "little") + raw[4 * word + 4 : -4]
    return body + zlib.crc32(body).to_bytes(4, "little")


DAMAGES = {
    "not a FantastIC4 image": lambda raw: b"F5IC" + raw[4:],
    "image format version 99; this release reads": lambda raw: changed(raw, 1, 99),
    "packed for a core of lanes 32": lambda raw: changed(raw, 2, 32 | 1 << 12 | 8 << 24),
    "the header promises": lambda raw: raw[:-8] + raw[-4:],
    "truncated: 17 bytes": lambda raw: raw[:17],
    "checksum is 0x": lambda raw: raw[:200] + bytes([raw[200] ^ 1]) + raw[201:],
}


@pytest.mark.parametrize("message", DAMAGES)
def test_run_refuses_a_damaged_image(message, image):
    image.write_bytes(DAMAGES[message](image.read_bytes()))
    record = reported("run", image, "--on", "rtl", code=1)
    assert record["error"].startswith(f"{image}: ")
    assert message in record["error"]


def test_run_refuses_an_image_for_another_core(image):
    _, err = call("run", image, "--config", "base", code=1)
    assert "packed for a core of lanes 16, engines 2, cores 1, bank_lanes 8" in err
    assert "config base has lanes 64, engines 4, cores 1, bank_lanes 8" in err
    assert "Pack it again with --config base" in err


def test_several_cores_from_pack_to_rtl(network, model, tmp_path, monkeypatch):
    """What takes one core takes several: the image, its report, and the simulated cores."""
    cfg = replace(SMALL, cores=2, formats=("dense",))
    monkeypatch.setitem(CONFIGS, "small", cfg)
    path = tmp_path / "two.f4"
    packed = reported("pack", model, "--config", "small", "-o", path)
    assert path.read_bytes() == pack(network, cfg)
    shown = reported("inspect", path)
    assert shown["geometry"]["cores"] == 2
    assert shown["bits_per_weight"] == packed["bits_per_weight"]
    table, _ = call("inspect", path)
    assert "cores 2" in table
    settings = ("--dataset", "digits", "--limit", 1, "--on", "rtl", "--engine", "amaranth")
    record = reported("run", path, *settings)
    assert record["mismatches"] == 0
    assert record["cycles"] == record["cycles_predicted"]
