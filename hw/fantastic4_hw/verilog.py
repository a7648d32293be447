# SPDX-License-Identifier: Apache-2.0
"""Verilog-2005 of a core, and a JSON that says what an integrator must know."""

import json
import re
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

from fantastic4.config import CoreConfig
from fantastic4.layout import LAYER, VERSION, ErrorCode
from fantastic4.version import __version__
from fantastic4_hw.activations import ActivationMemory
from fantastic4_hw.array import Array
from fantastic4_hw.core import Core
from fantastic4_hw.devices import Family
from fantastic4_hw.memories import WeightBanks
from fantastic4_hw.multiply import Multiply
from fantastic4_hw.ports import StreamCore, ports_of
from fantastic4_hw.post import Post
from fantastic4_hw.slice import SLICE, NamedSlice, Slice, flat_ports

TOP = "fantastic4_core"
"""Name of the top module."""

_ELEMENT = re.compile(r"\\\S*\[\d+\]\S* ")
"""Name of an array's element, such as ``\\acts[0]``: logic synthesis mistakes it for bit 0."""


def convert(component: wiring.Component, name: str = TOP, family: str = "generic") -> str:
    """Return the Verilog of ``component``: module ``name``, ports ``clk``, ``rst`` and its own.

    With another ``family`` than "generic" it has cells that only that family of FPGAs has.
    """
    platform: Any = Family(family)
    # Amaranth sees the direction: what is driven is an output.
    ports: Any = {port: (value, None) for port, _, value in flat_ports(component)}
    text = verilog.convert(
        component,
        name=name,
        platform=platform,
        ports=ports,
        emit_src=False,
        strip_internal_attrs=True,
    )
    return _ELEMENT.sub(lambda match: re.sub(r"\[(\d+)\]", r"_\1", match[0]), text)


def core_text(cfg: CoreConfig, family: str = "generic") -> str:
    """Return the Verilog of a configuration's core, or of its cores: these are all one module."""
    if cfg.cores == 1:
        return convert(StreamCore(cfg), family=family)
    shared = convert(StreamCore(cfg, NamedSlice), family=family)
    return shared + convert(Slice(cfg), SLICE, family)


def describe(cfg: CoreConfig) -> dict[str, Any]:
    """Return ports, geometry, memories and latencies of a core as plain JSON."""
    ports = [
        {"name": "clk", "direction": "input", "width": 1},
        {"name": "rst", "direction": "input", "width": 1, "note": "synchronous, active high"},
    ]
    for name, member in ports_of(cfg).items():
        direction = "input" if member.flow == wiring.In else "output"
        ports.append({"name": name, "direction": direction, "width": _width(member)})
    return {
        "generator": f"fantastic4 {__version__}",
        "top": TOP,
        "config": cfg.name,
        "image_version": VERSION,
        "geometry": {
            "lanes": cfg.lanes,
            "engines": cfg.engines,
            "cores": cfg.cores,
            "tile": cfg.tile,
            "input_width": cfg.input_width,
            "max_layers": cfg.max_layers,
            "max_inputs": cfg.max_inputs,
            "max_hidden": cfg.max_hidden,
            "dense_weights": cfg.dense_weights,
            "bank_lanes": cfg.bank_lanes,
            "formats": list(cfg.formats),
            "external_weights": cfg.external_weights,
        },
        "memory_bits": memory_bits(cfg),
        "multipliers": 4 * cfg.cores,
        "latency": {
            "weight_bank": WeightBanks.latency,
            "activations": ActivationMemory.latency_of(cfg),
            "array": Array.latency_of(cfg),
            "multiply": Multiply.latency,
            "post": Post.latency,
            "step_to_row": Core.row_latency(cfg),
        },
        "result_queue": Core.result_depth(cfg),
        "errors": {code.name.lower(): int(code) for code in ErrorCode},
        "ports": ports,
    }


def memory_bits(cfg: CoreConfig) -> dict[str, int]:
    """Return the bits of each memory of a core."""
    return {
        "weights": 0
        if cfg.external_weights
        else cfg.group_rows * cfg.banks * cfg.weight_depth * cfg.word_width,
        "basis": cfg.cores * cfg.basis_depth * 4 * cfg.basis_width,
        "bias": cfg.cores * cfg.row_depth * cfg.bias_width,
        "inputs": 2 * cfg.input_chunks * cfg.lanes * cfg.act_width,
        "hidden": 2 * cfg.hidden_chunks * cfg.lanes * cfg.act_width,
        "layers": cfg.max_layers * LAYER.width,
    }


def write_verilog(cfg: CoreConfig, out_dir: Path, family: str = "generic") -> Path:
    """Write ``fantastic4_<config>.v`` and ``.json`` into ``out_dir``; return the Verilog's path."""
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / f"fantastic4_{cfg.name}.v"
    path.write_text(core_text(cfg, family))
    record = describe(cfg) | {"family": family}
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return path


def _width(member: wiring.Member) -> int:
    shape: Any = member.shape
    return shape if isinstance(shape, int) else len(shape)
