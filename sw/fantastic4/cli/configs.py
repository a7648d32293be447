# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 configs``: the named cores and what each holds."""

from typing import Any

from fantastic4.cli.common import Json, Output, listing
from fantastic4.config import CONFIGS, CoreConfig

EXAMPLES = ("fantastic4 configs", "fantastic4 configs --json")


def command(as_json: Json = False) -> None:
    """List the named cores: geometry, formats, and the largest network each holds."""
    rows = [describe(cfg) for cfg in CONFIGS.values()]
    shown = [{**row, "formats": ", ".join(row["formats"])} for row in rows]
    Output(as_json).emit({"configs": rows}, listing("Cores", shown))


def describe(cfg: CoreConfig) -> dict[str, Any]:
    """Return what a core is and holds."""
    return {
        "name": cfg.name,
        "lanes": cfg.lanes,
        "engines": cfg.engines,
        "cores": cfg.cores,
        "bank_lanes": cfg.bank_lanes,
        "weights": cfg.dense_weights,
        "bias_words": cfg.row_depth,
        "basis_sets": cfg.basis_depth,
        "inputs": cfg.max_inputs,
        "hidden": cfg.max_hidden,
        "layers": cfg.max_layers,
        "formats": list(cfg.formats),
    }
