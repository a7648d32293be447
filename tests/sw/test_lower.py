# SPDX-License-Identifier: Apache-2.0
"""Integers compute what the model does, as finely as the widths allow and never beyond them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fantastic4 import golden
from fantastic4.bias import encode, rounded
from fantastic4.bounds import accumulator_bounds, output_bounds
from fantastic4.errors import ModelError
from fantastic4.lower import ACC_BITS, BASIS_MAX, lower, lower_layer, snap
from fantastic4.methods import Ec4t
from fantastic4.model import BASIS_MODES, Mlp
from fantastic4.network import InputQuant

QUANT = InputQuant(np.ones(1), np.zeros(1))


def quantised(basis="layer", sizes=(20, 16, 8, 5), zero_point=128, seed=0, gamma=0.1, wide=()):
    """A model with random weights, unequal norms and settled scales; inputs for it (uint8)."""
    generator = torch.Generator().manual_seed(seed)
    model = Mlp(sizes, basis, 0.02, zero_point, generator)
    x = torch.randint(0, 256, (400, sizes[0]), generator=generator, dtype=torch.uint8)
    for layer in model.layers:
        layer.norm.gain.data.uniform_(-2, 2, generator=generator)
        layer.norm.bias.data.uniform_(-1, 1, generator=generator)
    model(model.real(x))
    model.quantise(Ec4t(gamma), wide)
    for _ in range(20):
        model(model.real(x))
    return model.eval(), x


@pytest.mark.parametrize("basis", BASIS_MODES)
@pytest.mark.parametrize(("zero_point", "wide"), [(0, ()), (128, ()), (128, (1, 3)), (0, (2,))])
@torch.no_grad()
def test_every_activation_and_logit_is_the_models(basis, zero_point, wide):
    model, x = quantised(basis, zero_point=zero_point, wide=wide)
    snap(model)
    network = lower(model, QUANT)
    real, acts = model.real(x), x.numpy()
    for layer, integers in zip(model.layers, network.layers, strict=True):
        real, acts = layer(real), golden.run_layer(integers, acts)
        if layer.last:
            break
        steps = torch.round(real / layer.act_scale).numpy()
        differ = np.abs(steps - acts)
        assert differ.max() <= 1  # a half that falls to the other side
        assert (differ > 0).mean() < (0.01 if basis == "layer" else 0.02)  # of rounding
        real = torch.from_numpy(acts) * layer.act_scale
    np.testing.assert_allclose(
        acts * network.metadata["logit_scale"], real.numpy(), rtol=0, atol=2e-3
    )


def test_a_wide_layer_has_the_planes_of_its_bytes():
    model, _ = quantised(wide=(2,))
    integers, _ = lower_layer(model.layers[1], "a", 0.02, 0)
    assert [layer.planes for layer in lower(model, QUANT).layers] == [1, 2, 1]
    steps = model.layers[1].codes.numpy().view(np.int8).astype(int)
    step = integers.basis[0, 0, 0]
    assert integers.values().sum(axis=0) == pytest.approx(steps * step, abs=abs(step) * 0.02 * 128)
    assert np.array_equal(integers.codes[0] + 16 * integers.codes[1], model.layers[1].codes)


@pytest.mark.parametrize("basis", BASIS_MODES)
def test_shape_of_the_result(basis):
    model, _ = quantised(basis)
    network = lower(model, QUANT, ("a", "b", "c", "d", "e"), {"seed": 1})
    assert [layer.name for layer in network.layers] == ["fc1", "fc2", "fc3"]
    assert [layer.per_row for layer in network.layers] == [basis == "row"] * 3
    assert [layer.logits for layer in network.layers] == [False, False, True]
    assert [(layer.low, layer.high) for layer in network.layers] == [(0, 255)] * 3
    assert network.layers[-1].shift == 0
    assert network.metadata["seed"] == 1
    assert network.classes == ("a", "b", "c", "d", "e")


def test_zero_point_is_corrected_exactly(monkeypatch):
    monkeypatch.setattr("fantastic4.lower.rounded", lambda bias, _: bias)
    model, _ = quantised()
    layer = model.layers[0]
    shifted, digits = lower_layer(layer, "a", 0.02, 100)
    plain, same = lower_layer(layer, "a", 0.02, 0)
    assert digits == same
    assert np.array_equal(shifted.basis, plain.basis)
    assert np.array_equal(plain.bias - shifted.bias, 100 * plain.values()[0].sum(axis=1))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("reach", [1.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 2000.0])
def test_biases_are_narrow_where_activations_hardly_move(monkeypatch, last, reach):
    """Half a step is at most 2**-7 of an activation; logits have no such bound."""
    model, _ = quantised()
    layer = model.layers[1]
    layer.last = last
    layer.norm.bias.data[0] = reach
    found, digits = lower_layer(layer, "a", 0.02, 0)
    monkeypatch.setattr("fantastic4.lower.rounded", lambda bias, _: bias)
    exact, same = lower_layer(layer, "a", 0.02, 0)
    assert digits == same
    stored = encode(found.bias)
    assert stored.narrow or not last
    assert stored.narrow or reach > 4
    error = np.abs(found.bias - exact.bias).max()
    assert 0 < error <= 1 << stored.shift >> 1 if stored.narrow else error == 0
    if not last:
        assert error <= 2.0 ** (found.shift - 7)
        coarser = encode(rounded(exact.bias))
        assert stored.narrow == (coarser.shift <= found.shift - 6)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    basis=st.sampled_from(BASIS_MODES),
    columns=st.sampled_from([1, 3, 40, 600]),
    gain=st.floats(1e-4, 1e3),
    bias=st.floats(-1e6, 1e6),
    zero_point=st.sampled_from([0, 128, 255]),
    acc_bits=st.sampled_from([24, 30, 36]),
    last=st.booleans(),
)
def test_bounds_hold_and_are_used(seed, basis, columns, gain, bias, zero_point, acc_bits, last):
    model, _ = quantised(basis, (columns, 6, 4), zero_point, seed, gamma=0)
    layer = model.layers[0]
    layer.norm.gain.data.mul_(gain)
    layer.norm.bias.data.add_(bias)
    layer.last = last
    bits = min(acc_bits, 32) if last else acc_bits
    try:
        integers, digits = lower_layer(layer, "a", 0.02, zero_point, acc_bits)
    except ModelError:
        assert not last  # logits may always be coarser
        return

    def allowed(candidate):
        return (
            np.abs(candidate.basis).max() <= BASIS_MAX
            and accumulator_bounds(candidate).outside(bits).size == 0
            and output_bounds(candidate).outside(bits).size == 0
        )

    assert allowed(integers)
    assert integers.shift == (0 if last else digits)
    if digits < (40 if last else 35):  # one binary digit more would break a bound
        twice = 2 * np.abs(integers.basis.astype(np.int64)).max() + 1
        bounds = accumulator_bounds(integers)
        slack = 255 * columns * 4 * 2 + 256 * columns * 4
        reach = 2 * max(-bounds.least.min(), bounds.greatest.max()) + slack
        rows_bias = 2 * np.abs(integers.bias).max() + 256 * columns * 4
        assert twice > BASIS_MAX or reach >= 1 << bits - 1 or rows_bias >= 1 << 31


def test_unused_coefficient_is_zero_and_costs_no_precision():
    model, _ = quantised("row")
    layer = model.layers[0]
    before, digits = lower_layer(layer, "a", 0.02, 0)
    layer.codes[3] = 0
    layer.norm.mean[3] = layer.norm.variance[3] = 0  # a dead row, whose norm has a huge scale
    after, same = lower_layer(layer, "a", 0.02, 0)
    assert same >= digits
    assert not after.basis[3].any()
    assert np.array_equal(np.delete(after.codes, 3, 1), np.delete(before.codes, 3, 1))


def test_snapping_changes_no_integer():
    model, _ = quantised()
    before = lower(model, QUANT)
    snap(model)
    after = lower(model, QUANT)
    for one, two in zip(before.layers, after.layers, strict=True):
        assert np.array_equal(one.basis, two.basis)
        assert np.array_equal(one.bias, two.bias)
        assert one.shift == two.shift


def test_default_width_is_that_of_the_cores():
    assert ACC_BITS == 36
    assert BASIS_MAX == 32767


def test_float_model_is_refused():
    model = Mlp((4, 3), "layer", 1.0, 0, torch.Generator())
    with pytest.raises(ModelError, match="'fc1' must be quantised"):
        lower(model, QUANT)


def test_what_is_not_finite_is_refused():
    model, _ = quantised()
    model.layers[1].norm.bias.data[2] = float("nan")
    with pytest.raises(ModelError, match="'fc2' has weights or biases that are not finite"):
        lower(model, QUANT)


def test_no_shift_fits():
    model, _ = quantised()
    model.layers[0].norm.bias.data[0] = 1e12
    with pytest.raises(ModelError, match="'fc1': no shift keeps its sums within 36 bits"):
        lower(model, QUANT)
