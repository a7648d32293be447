# SPDX-License-Identifier: Apache-2.0
"""A trained model to integers: norms folded, bases and biases scaled, overflow excluded.

In real numbers a layer computes ``y = scale_r · s_in · Σ_j W_q[r,j] (x_j - zp) + offset_r``, and
its output activation is ``y / s_out``. In units of ``2**-shift`` of that activation,

    ω_int[r,i]  = round(ω_i · scale_r · s_in / s_out · 2**shift)
    bias_int[r] = round(offset_r / s_out · 2**shift) - zp · Σ_j w_int[r,j]

with one row of ω where the norm has one scale for the layer. A coefficient that no weight of its
row uses is 0. Biases are rounded to what a narrow layer holds (``fantastic4.bias``); those of a
hidden layer only if that moves no activation by more than ``2**-(BIAS_DIGITS + 1)``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from fantastic4.bias import MAX_BIAS_SHIFT, rounded
from fantastic4.bounds import accumulator_bounds
from fantastic4.config import BASIS_COUNT
from fantastic4.errors import ModelError
from fantastic4.model import Layer, Mlp
from fantastic4.network import MAX_SHIFT, InputQuant, IntegerLayer, Network
from fantastic4.recode import recode

ACC_BITS = 36
BASIS_MAX = (1 << 15) - 1
BIAS_BITS = 32
BIAS_DIGITS = 6
"""Binary digits behind the point of an activation that rounded biases keep."""
LOGIT_BITS = 32
LOGIT_DIGITS = range(40, -41, -1)
"""Binary digits behind the point that logits may have, finest first."""


def lower(
    model: Mlp,
    quant: InputQuant,
    classes: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
    acc_bits: int = ACC_BITS,
) -> Network:
    """Return the integer network of a quantised ``model``.

    Every shift is the largest with which basis, bias and, for any input whatever, the accumulator
    stay in range, in whatever order a core adds the masks' sums. The last layer emits logits;
    ``metadata["logit_scale"]`` is what one step of them means.

    Parameters
    ----------
    quant : InputQuant
        Raw inputs to activations.
    classes : sequence of str
        Names of the outputs.
    metadata : dict
        Plain JSON to keep with the network.
    acc_bits : int
        Width of the signed accumulator.

    Raises
    ------
    ModelError
        If the model is still in float, or no shift fits a layer.
    """
    layers, digits = [], 0
    for number, (layer, scale, zero_point) in enumerate(_inputs(model), 1):
        integers, digits = lower_layer(layer, f"fc{number}", scale, zero_point, acc_bits)
        layers.append(recode(integers))
    kept = dict(metadata or {}) | {"logit_scale": 2.0**-digits}
    return Network(tuple(layers), quant, tuple(classes), kept)


def snap(model: Mlp, acc_bits: int = ACC_BITS) -> None:
    """Move every basis shared by a layer to what its integers mean, to compute alike from now on.

    Bases of rows cannot be moved so: they share the model's four coefficients.
    """
    for layer, in_scale, zero_point in _inputs(model):
        unit = _unit(layer, in_scale)
        if len(unit) == 1:
            integers, digits = lower_layer(layer, "snapped", in_scale, zero_point, acc_bits)
            layer.basis.data.copy_(
                torch.from_numpy(np.ldexp(integers.basis[0].ravel().astype(float), -digits) / unit)
            )


def lower_layer(
    layer: Layer, name: str, in_scale: float, zero_point: int, acc_bits: int = ACC_BITS
) -> tuple[IntegerLayer, int]:
    """Return the integer layer, and how many binary digits its z has behind the point.

    Parameters
    ----------
    in_scale, zero_point : float, int
        Inputs mean ``in_scale * (x - zero_point)``.

    Raises
    ------
    ModelError
        If the layer is still in float, its numbers are not finite, or no shift fits.
    """
    if not layer.quantised:
        raise ModelError(f"layer {name!r} must be quantised before it is lowered")
    planes = layer.planes()
    used = np.concatenate([[(p >> i & 1).sum(1) for i in range(BASIS_COUNT)] for p in planes]).T
    _, offset = layer.norm.affine()
    bias = offset.detach().numpy() / _out_scale(layer)
    basis = layer.basis.detach().double().numpy() * _unit(layer, in_scale)[:, None]
    in_use = used > 0 if len(basis) > 1 else (used > 0).any(axis=0)
    basis = np.where(in_use, basis, 0.0)  # (1 or out, 4 a plane)
    if not (np.isfinite(basis).all() and np.isfinite(bias).all()):
        raise ModelError(f"layer {name!r} has weights or biases that are not finite")
    bits = min(acc_bits, LOGIT_BITS) if layer.last else acc_bits
    for digits in LOGIT_DIGITS if layer.last else range(MAX_SHIFT, -1, -1):
        omega_int = np.rint(np.ldexp(basis, digits))
        bias_int = np.rint(np.ldexp(bias, digits)) - zero_point * (used * omega_int).sum(axis=1)
        if np.abs(omega_int).max() > BASIS_MAX or not _fits(bias_int, BIAS_BITS):
            continue
        integers = IntegerLayer(
            name=name,
            codes=planes,
            basis=omega_int.astype(np.int32).reshape(-1, len(planes), BASIS_COUNT),
            bias=rounded(
                bias_int.astype(np.int64), MAX_BIAS_SHIFT if layer.last else digits - BIAS_DIGITS
            ),
            shift=0 if layer.last else digits,
            logits=layer.last,
        )
        if accumulator_bounds(integers).outside(bits).size == 0:
            return integers, digits
    raise ModelError(f"layer {name!r}: no shift keeps its sums within {bits} bits")


def _inputs(model: Mlp) -> list[tuple[Layer, float, int]]:
    """Return every layer with the scale and zero point of its inputs."""
    scales = [model.input_scale, *(float(layer.act_scale) for layer in model.layers)]
    zero_points = [model.zero_point] + [0] * len(model.layers)
    return list(zip(model.layers, scales, zero_points, strict=False))


def _out_scale(layer: Layer) -> float:
    """Return what one step of the layer's output means."""
    return 1.0 if layer.last else float(layer.act_scale)


def _unit(layer: Layer, in_scale: float) -> np.ndarray:
    """Return output steps for a weight of 1 and an input step, float64, (1,) or (out,)."""
    scale, _ = layer.norm.affine()
    return scale.detach().numpy() * (in_scale / _out_scale(layer))


def _fits(values: np.ndarray, bits: int) -> bool:
    """Return whether all ``values`` fit signed ``bits``."""
    return bool(values.min() >= -(2.0 ** (bits - 1)) and values.max() < 2.0 ** (bits - 1))
