# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest

from fantastic4.errors import ModelError
from fantastic4.network import InputQuant, IntegerLayer, Network

QUANT = InputQuant(np.ones(1), np.zeros(1))


def layer(**changes: Any) -> IntegerLayer:
    """A good layer of 3 inputs and 2 outputs, but for the changes."""
    fields: dict[str, Any] = {
        "name": "fc",
        "codes": np.zeros((1, 2, 3), np.uint8),
        "basis": np.zeros((1, 1, 4), np.int32),
        "bias": np.zeros(2, np.int64),
    }
    return IntegerLayer(**(fields | changes))


def basis(value, rows=1, planes=1):
    return np.full((rows, planes, 4), value, np.int32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": np.zeros((2, 3), np.uint8)}, r"codes must be uint8 .* shape \(2, 3\)"),
        ({"codes": np.zeros((1, 2, 3), np.int64)}, "codes must be uint8 .* not int64"),
        ({"codes": np.zeros((0, 2, 3), np.uint8)}, r"planes must be 1\.\.4, not 0"),
        ({"codes": np.zeros((5, 2, 3), np.uint8)}, r"planes must be 1\.\.4, not 5"),
        (
            {"codes": np.zeros((1, 2, 4097), np.uint8)},
            r"in and out features must be 1\.\.4096, not 4097 and 2",
        ),
        (
            {"codes": np.zeros((1, 4097, 3), np.uint8)},
            r"in and out features must be 1\.\.4096, not 3 and 4097",
        ),
        (
            {"codes": np.zeros((1, 0, 3), np.uint8)},
            r"in and out features must be 1\.\.4096, not 3 and 0",
        ),
        ({"codes": np.full((1, 2, 3), 16, np.uint8)}, r"codes must be 0\.\.15, not 16"),
        ({"basis": basis(0, rows=3)}, r"basis must have shape \(1 or 2, 1, 4\), not \(3, 1, 4\)"),
        ({"basis": basis(0, planes=2)}, r"basis must have shape .* not \(1, 2, 4\)"),
        ({"basis": basis(0).astype(float)}, "basis must be signed integers, not float64"),
        ({"basis": basis(32768)}, r"basis must fit 16 signed bits, not 32768\.\.32768"),
        ({"basis": basis(-32769)}, "basis must fit 16 signed bits, not -32769"),
        ({"bias": np.zeros(3, np.int64)}, r"bias must have shape \(2,\), not \(3,\)"),
        ({"bias": np.zeros(2, np.uint32)}, "bias must be signed integers, not uint32"),
        ({"bias": np.array([0, 1 << 31])}, r"bias must fit 32 signed bits, not 0\.\.2147483648"),
        ({"bias": np.array([-(1 << 31) - 1, 0])}, "bias must fit 32 signed bits"),
        ({"shift": 36}, r"shift must be 0\.\.35, not 36"),
        ({"shift": -1}, r"shift must be 0\.\.35, not -1"),
        ({"low": 9, "high": 8}, r"clamp must be within 0\.\.255, not 9\.\.8"),
        ({"high": 256}, r"clamp must be within 0\.\.255, not 0\.\.256"),
        ({"low": -1}, r"clamp must be within 0\.\.255, not -1\.\.255"),
    ],
)
def test_wrong_layers_are_refused(changes, message):
    with pytest.raises(ModelError, match=f"layer 'fc': {message}"):
        layer(**changes)


def test_ends_of_the_ranges_are_taken():
    layer(basis=basis(-32768, rows=2), bias=np.array([-(1 << 31), (1 << 31) - 1]), shift=35)
    layer(basis=basis(32767), low=255, high=255, shift=0)
    layer(codes=np.full((4, 2, 3), 15, np.uint8), basis=basis(1, planes=4))


def test_properties_and_values():
    codes = np.array([[[0, 1, 15], [2, 4, 8]], [[3, 0, 0], [0, 0, 12]]], np.uint8)
    omega = np.array([[[1, 2, 4, -8], [16, 32, 64, -128]]], np.int32)
    found = layer(codes=codes, basis=omega)
    assert (found.planes, found.in_features, found.out_features, found.weights) == (2, 3, 2, 6)
    assert not found.per_row
    assert found.values().tolist() == [[[0, 1, -1], [2, 4, -8]], [[48, 0, 0], [0, 0, -64]]]
    per_row = layer(codes=codes[:1], basis=np.concatenate([omega[:, :1], 10 * omega[:, :1]]))
    assert per_row.per_row
    assert per_row.values().tolist() == [[[0, 1, -1], [20, 40, -80]]]


def test_wrong_networks_are_refused():
    after = layer(name="after", codes=np.zeros((1, 2, 2), np.uint8))
    network = Network((layer(), after), QUANT)
    assert (network.in_features, network.out_features, network.weights) == (3, 2, 10)
    with pytest.raises(ModelError, match=r"a network must have 1\.\.16 layers, not 0"):
        Network((), QUANT)
    with pytest.raises(ModelError, match=r"1\.\.16 layers, not 17"):
        Network((after,) * 17, QUANT)
    Network((after,) * 16, QUANT)
    with pytest.raises(ModelError, match="'fc' must take the 2 outputs of 'after', not 3 inputs"):
        Network((after, layer()), QUANT)
    with pytest.raises(ModelError, match="layer 'fc' emits logits but is not the last"):
        Network((layer(logits=True), after), QUANT)


def test_inputs_become_activations():
    quant = InputQuant(gain=np.array([1.0, 2.0, 100.0]), offset=np.array([0.0, 0.5, 0.0]))
    raw = np.array([[0.5, 1.0, 3.0], [-3.0, 0.0, -0.1], [1.49, 127.3, 2.549]])
    assert quant(raw).tolist() == [[1, 3, 255], [0, 1, 0], [1, 255, 255]]
    assert quant(raw).dtype == np.uint8
