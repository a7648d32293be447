# SPDX-License-Identifier: Apache-2.0
"""Model files give back what was saved, and nothing else is accepted."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load, save

from fantastic4 import codec, modelfile
from fantastic4.errors import ModelError
from fantastic4.network import InputQuant, IntegerLayer, Network


@pytest.fixture
def network(rng):
    def layer(name, rows, columns, planes=1, shared=True, **fields):
        return IntegerLayer(
            name=name,
            codes=rng.integers(0, 16, (planes, rows, columns), dtype=np.uint8),
            basis=rng.integers(-(1 << 15), 1 << 15, (1 if shared else rows, planes, 4), np.int32),
            bias=rng.integers(-(1 << 31), 1 << 31, rows),
            **fields,
        )

    return Network(
        (
            layer("one", 5, 7, planes=2, shift=9, low=3, high=250),
            layer("two", 3, 5, shared=False, logits=True),
        ),
        InputQuant(rng.normal(size=7), rng.normal(size=1)),
        ("a", "β", "c"),
        {"dataset": "none", "accuracy": {"float": 0.98}, "seed": 1},
    )


def parts(path):
    """Return the content of the file ``path`` and its tensors, as they are stored."""
    data = path.read_bytes()
    texts = modelfile._header(data)["__metadata__"]
    return json.loads(texts["fantastic4"]), load(data)


def decoded(tensors):
    """Return ``tensors`` with the codes of each layer in place of the stream."""
    layers = codec.decode(tensors["codes"].tobytes())
    named = {f"layers.{number}.codes": codes for number, codes in enumerate(layers)}
    return {name: value for name, value in tensors.items() if name != "codes"} | named


def write(path, content, tensors, digested):
    """Write a model file whose digest is that of ``digested``."""
    content.pop("sha256", None)
    content["sha256"] = modelfile._digest(content, digested)
    path.write_bytes(save(tensors, {"fantastic4": json.dumps(content)}))


def rewrite(path, tensors=None, **changed):
    """Write the file ``path`` again with altered tensors or content, digest included."""
    content, stored = parts(path)
    stored = stored if tensors is None else tensors(stored)
    known = decoded(stored) if "codes" in stored else stored
    write(path, content | changed, stored, known)


def write_plain(path, tensors=None):
    """Write the file ``path`` again as one of version 1, its tensors altered."""
    content, stored = parts(path)
    stored = decoded(stored) if tensors is None else tensors(decoded(stored))
    write(path, content | {"version": 1}, stored, stored)


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "model.safetensors"
    modelfile.save(network, path)
    return path


@pytest.mark.parametrize("version", [1, 2])
def test_round_trip(network, path, version):
    if version == 1:
        write_plain(path)
    again = modelfile.load(path)
    assert again.classes == network.classes
    assert again.metadata == network.metadata
    assert np.array_equal(again.quant.gain, network.quant.gain)
    assert np.array_equal(again.quant.offset, network.quant.offset)
    for one, two in zip(again.layers, network.layers, strict=True):
        for field in ("name", "shift", "low", "high", "logits"):
            assert getattr(one, field) == getattr(two, field)
        for field in ("codes", "basis", "bias"):
            assert np.array_equal(getattr(one, field), getattr(two, field))
            assert getattr(one, field).dtype == getattr(two, field).dtype


def test_same_network_same_bytes_and_no_other_file(network, path, tmp_path):
    before = path.read_bytes()
    modelfile.save(network, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_any_altered_byte_is_refused(path):
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        altered = bytearray(data)
        altered[position] ^= 1
        path.write_bytes(altered)
        with pytest.raises(ModelError, match=r"model\.safetensors"):
            modelfile.load(path)


def test_altered_codes_are_refused_even_with_a_good_checksum(path, network):
    content, stored = parts(path)
    codes = [layer.codes ^ (layer.codes == 3) for layer in network.layers]
    stored["codes"] = np.frombuffer(codec.encode(codes), np.uint8)
    path.write_bytes(save(stored, {"fantastic4": json.dumps(content)}))
    with pytest.raises(ModelError, match=r"model\.safetensors was altered since it was written"):
        modelfile.load(path)


def test_a_shortened_stream_is_refused(path):
    content, stored = parts(path)
    stored["codes"] = stored["codes"][:-4]
    path.write_bytes(save(stored, {"fantastic4": json.dumps(content)}))
    with pytest.raises(ModelError, match=r"model\.safetensors: the codes are damaged"):
        modelfile.load(path)


def test_code_bits_count_stream_and_entry(path):
    data = path.read_bytes()
    size = len(parts(path)[1]["codes"])
    entry = re.search(rb'"codes":\{[^}]*\}', data)
    assert entry is not None
    assert modelfile.code_bits(data) == 8 * (size + len(entry[0]) + len(","))
    write_plain(path)
    assert modelfile.code_bits(path.read_bytes()) > 8 * (2 * 5 * 7 + 3 * 5)


def test_altered_metadata_is_named_as_such(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(b"0.98", b"0.99"))
    with pytest.raises(ModelError, match="was altered since it was written"):
        modelfile.load(path)


@pytest.mark.parametrize("length", [0, 5, 8, 100, -1])
def test_truncated(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match="not a model file or is damaged"):
        modelfile.load(path)


def test_not_a_file(tmp_path):
    with pytest.raises(ModelError, match="nothing cannot be read: No such file"):
        modelfile.load(tmp_path / "nothing")


def test_other_safetensors(path):
    path.write_bytes(save({"weight": np.zeros(3)}))
    with pytest.raises(ModelError, match="not a model file written by fantastic4"):
        modelfile.load(path)


LAYER = {"name": "one", "shift": 1, "low": 0, "high": 255, "logits": False}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": NaN}', "[" * 100_000])
def test_content_that_is_no_object(path, text):
    path.write_bytes(save({}, {"fantastic4": text}))
    with pytest.raises(ModelError, match="not a model file written by fantastic4"):
        modelfile.load(path)


def without(name):
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


def replaced(name, value):
    return lambda tensors: tensors | {name: value}


def coded(layers):
    return np.frombuffer(codec.encode(layers), np.uint8)


@pytest.mark.parametrize(
    ("tensors", "changed", "message"),
    [
        (None, {"version": 3}, "reads versions 1 and 2 of the format, not 3; a newer release"),
        (None, {"format": "other"}, "format must be 'fantastic4-model', not 'other'"),
        (None, {"layers": []}, "must have 1..16 layers"),
        (None, {"layers": [{"name": "one"}]}, "lacks 'shift'"),
        (None, {"layers": 3}, "malformed"),
        (None, {"layers": [LAYER | {"shift": 2.5}]}, "shift of layer 0 must be a JSON int"),
        (None, {"layers": [LAYER | {"shift": 36}]}, "shift must be 0..35, not 36"),
        (None, {"classes": [1]}, "classes must be texts"),
        (None, {"metadata": []}, "metadata an object"),
        (without("layers.1.bias"), {}, "lacks 'layers.1.bias'"),
        (without("quant.gain"), {}, "lacks 'quant.gain'"),
        (without("codes"), {}, "lacks 'codes'"),
        (replaced("codes", coded([np.ones((2, 5, 7), np.uint8)])), {}, "lacks 'layers.1.codes'"),
        (replaced("layers.1.bias", np.zeros(4, np.int32)), {}, r"bias must have shape \(3,\)"),
        (replaced("quant.gain", np.full(7, np.nan)), {}, "quant.gain must be 1 or 7 finite"),
        (replaced("quant.gain", np.ones(6)), {}, "quant.gain must be 1 or 7 finite"),
    ],
)
def test_malformed_content_is_refused(path, tensors, changed, message):
    rewrite(path, tensors, **changed)
    with pytest.raises(ModelError, match=f"model.safetensors.*({message})"):
        modelfile.load(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (replaced("layers.0.codes", np.zeros((2, 5, 7), np.int8)), "codes must be uint8"),
        (without("layers.1.codes"), "lacks 'layers.1.codes'"),
    ],
)
def test_malformed_version_1_is_refused(path, tensors, message):
    write_plain(path, tensors)
    with pytest.raises(ModelError, match=f"model.safetensors.*({message})"):
        modelfile.load(path)


def test_metadata_must_be_json(network, tmp_path):
    for value in (float("nan"), np.float32(1)):
        bad = Network(network.layers, network.quant, (), {"value": value})
        with pytest.raises(ModelError, match="metadata must be plain JSON"):
            modelfile.save(bad, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_nothing_behind(network, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match="folder cannot be written"):
        modelfile.save(network, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_folder_that_is_missing(network, tmp_path):
    with pytest.raises(ModelError, match="cannot be written: No such file"):
        modelfile.save(network, tmp_path / "nowhere" / "m")
