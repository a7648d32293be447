# SPDX-License-Identifier: Apache-2.0
"""Calibrates the area model by synthesis: writes ``sw/fantastic4/area/area.json``.

    python benchmarks/calibrate_area.py                        # all, some minutes of yosys
    python benchmarks/calibrate_area.py --clock records/*.json # clocks of routed records, too
    python benchmarks/calibrate_area.py --large                # checked with larger cores, too
    python benchmarks/calibrate_area.py --no-check             # without the cores that check it

Small cores and the decoders of a bank are synthesised for ECP5, without place and route; the
coefficients follow from them. Then cores that none of them were fitted to are synthesised, and what
was predicted for them is written beside what came out. What has been synthesised once is not
synthesised again while neither gateware nor tools change.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fantastic4.area.fit import Measured, fit
from fantastic4.area.model import CALIBRATION, SCHEMA, predict
from fantastic4.config import ALL_FORMATS, BASIS_COUNT, CONFIGS, CoreConfig
from fantastic4.configfile import dump_config, parse_config
from fantastic4_hw.flow.cache import Cache, default_folder, key_of
from fantastic4_hw.flow.netlist import by_component, carries_fed, cells_in
from fantastic4_hw.flow.record import Record
from fantastic4_hw.flow.targets import TECHNOLOGIES
from fantastic4_hw.flow.tools import version_of
from fantastic4_hw.flow.tops import find_top
from fantastic4_hw.flow.yosys import MODULE, run_synthesis, synthesis_script
from fantastic4_hw.verilog import convert

TECHNOLOGY = "ecp5"

DOCS = Path(__file__).parents[1] / "docs" / "planning.md"
"""Where the table of measured cores stands."""

REVISION = "1"
"""Part of the key of what is kept: changed when netlists are read differently."""

DEPTH = 3
"""Levels of the hierarchy that parts of a core are told apart by."""

ALIKE = 0.15
"""Greatest relative error of LUTs that the checks may show."""

BASE = CoreConfig(
    name="base",
    lanes=8,
    engines=1,
    weight_depth=1024,
    row_depth=512,
    basis_depth=256,
    input_chunks=32,
    hidden_chunks=16,
    formats=("dense",),
)


def _core(name: str, **changes: Any) -> CoreConfig:
    return replace(BASE, name=name, **changes)


CORES = (
    _core("8x1", weight_depth=512, input_width=1, byte_checksum=True),
    _core("16x2", lanes=16, engines=2),
    _core("8x2 bitmask", engines=2, formats=("dense", "bitmask"), weight_depth=2048),
    _core("32x1", lanes=32, weight_depth=512, input_width=8, input_chunks=16, hidden_chunks=8),
    _core(
        "8x5",
        engines=5,
        weight_depth=4096,
        row_depth=2048,
        basis_depth=1024,
        input_chunks=128,
        hidden_chunks=64,
        shared_activations=True,
    ),
    _core("16x2 even", lanes=16, engines=2, masks=2, name_width=1, formats=("ternary5",)),
)
"""Cores that the coefficients are fitted to."""

CHECKS = (
    CONFIGS["small"],
    _core("32x2", lanes=32, engines=2, weight_depth=2048, hidden_chunks=8, input_chunks=16),
    _core("8x12", engines=12),
    _core("16x3 names", lanes=16, engines=3, formats=("dense", "bitmask"), name_width=2),
)
"""Cores that they are not fitted to."""

LARGE = (
    _core("64x2", lanes=64, engines=2, weight_depth=2048, hidden_chunks=8, input_chunks=16),
    _core("32x4 bitmask", lanes=32, engines=4, formats=("dense", "bitmask"), name_width=1),
    _core("64x4", lanes=64, engines=4, formats=("dense", "bitmask"), hidden_chunks=8),
)
"""Larger ones, which take a minute or more each."""

DECODERS = {
    "dense": (("dense",), 4),
    "ternary": (("ternary",), 4),
    "ternary5": (("ternary5",), 4),
    "csr": (("csr",), 4),
    "bitmask/4": (("bitmask",), 4),
    "bitmask/2": (("bitmask",), 2),
    "bitmask/1": (("bitmask",), 1),
    "dense+bitmask/4": (("dense", "bitmask"), 4),
    "dense+bitmask/2": (("dense", "bitmask"), 2),
    "dense+bitmask/1": (("dense", "bitmask"), 1),
    "bitmask2/4": (("bitmask2",), 4),
    "bitmask2/2": (("bitmask2",), 2),
    "bitmask2/1": (("bitmask2",), 1),
    "dense+bitmask2/4": (("dense", "bitmask2"), 4),
    "dense+bitmask2/2": (("dense", "bitmask2"), 2),
    "dense+bitmask2/1": (("dense", "bitmask2"), 1),
}
"""Decoders of a bank that are measured by themselves: formats, and width of names."""

TOGETHER = ("ternary", "csr", "dense+bitmask/4")
"""Decoders that are measured together: what each further one adds."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=CALIBRATION)
    parser.add_argument("--docs", type=Path, default=DOCS, help="document whose table is renewed")
    parser.add_argument("--cache", type=Path, help="folder of earlier syntheses")
    parser.add_argument("--large", action="store_true", help="check with larger cores, too")
    parser.add_argument("--no-check", action="store_true", help="fit only; keep no checks")
    parser.add_argument("--clock", type=Path, nargs="*", help="routed records to take clocks of")
    args = parser.parse_args()
    old = json.loads(args.output.read_text()) if args.output.exists() else {}

    decoders = _decoders(args.cache)
    cores = [_measure(cfg, args.cache) for cfg in CORES]
    found = fit(cores, decoders)
    others = () if args.no_check else CHECKS + (LARGE if args.large else ())
    checks = [_measure(cfg, args.cache) for cfg in others]
    record = {
        "schema": SCHEMA,
        "technologies": {
            TECHNOLOGY: {
                "tools": {"yosys": version_of("yosys")},
                **found,
                "fitted": [_compared(x, found) for x in cores],
                "checked": [_compared(x, found) for x in checks],
            }
        },
        "clocks": old.get("clocks", []) if args.clock is None else _clocks(args.clock),
    }
    args.output.write_text(json.dumps(record, indent=1) + "\n")
    if args.docs.exists() and checks:
        _renew(args.docs, record["technologies"][TECHNOLOGY])
    ecp5 = record["technologies"][TECHNOLOGY]
    for row in ecp5["fitted"] + ecp5["checked"]:
        print(f"{row['config']['name']:16} LUTs {row['luts']:6} {100 * row['error']:+6.1f} %")
    wrong = max((abs(row["error"]) for row in ecp5["checked"]), default=0)
    if wrong > ALIKE:
        sys.exit(
            f"error: LUTs are predicted {100 * wrong:.1f} % wrong, more than {100 * ALIKE:.0f} %"
        )


def _renew(path: Path, found: dict[str, Any]) -> None:
    """Write the table of measured cores between the marks in a document."""
    lines = [
        "| | lanes × engines | formats | LUTs | error | flip-flops | error | block RAMs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in ("fitted", "checked"):
        for row in found[kind]:
            cfg = row["config"]
            formats = ["all"] if len(cfg["formats"]) == len(ALL_FORMATS) else cfg["formats"]
            notes = [*formats, f"{cfg['masks']} masks", f"names of {cfg['name_width']}"]
            flops = row["predicted_ffs"] / row["ffs"] - 1
            lines.append(
                f"| {kind} | {cfg['lanes']} × {cfg['engines']} | {', '.join(notes)} | "
                f"{row['luts']:,} | {100 * row['error']:+.1f} % | {row['ffs']:,} | "
                f"{100 * flops:+.1f} % | {row['block_rams']} |"
            )
    lines += ["", f"ECP5, yosys {found['tools']['yosys']}"]
    before, mark, rest = path.read_text().partition("<!-- area -->\n")
    _, end, after = rest.partition("<!-- /area -->\n")
    if not (mark and end):
        sys.exit(f"error: {path} has no marks for the table")
    path.write_text(before + mark + "\n".join(lines) + "\n" + end + after)


def _synthesised(cfg: CoreConfig, top: str, folder: Path | None) -> dict[str, Any]:
    """Return what a part of a core takes, as records of ``synth`` count it, but for constants."""
    print(f"{top} {cfg.name}", file=sys.stderr, flush=True)
    verilog = convert(find_top(top).make(cfg), MODULE, TECHNOLOGY)
    cache = Cache(folder or default_folder())
    key = key_of(REVISION, verilog, synthesis_script(TECHNOLOGY), version_of("yosys"))
    known = cache.load(key, "area")
    if known is not None:
        return known
    with TemporaryDirectory(prefix="fantastic4-") as name:
        netlist = run_synthesis(verilog, TECHNOLOGY, Path(name))
    kinds = TECHNOLOGIES[TECHNOLOGY]
    cells = cells_in(netlist, MODULE)
    found = {
        "luts": kinds.lut_sites(cells) + 2 * carries_fed(netlist, MODULE),
        "ffs": kinds.count(cells, "ffs"),
        "block_rams": kinds.count(cells, "block_rams"),
        "multipliers": kinds.count(cells, "multipliers"),
        "components": by_component(netlist, MODULE, kinds, DEPTH),
    }
    cache.store(key, "area", found)
    return found


def _measure(cfg: CoreConfig, folder: Path | None) -> Measured:
    found = _synthesised(cfg, "core", folder)
    if found["multipliers"] != BASIS_COUNT:
        sys.exit(f"error: {cfg.name} has {found['multipliers']} multipliers")
    return Measured(cfg, found["luts"], found["ffs"], found["block_rams"], found["components"])


def _decoders(folder: Path | None) -> dict[str, Any]:
    """Return what the decoders of a bank take, LUTs and flip-flops."""

    def taken(cfg: CoreConfig) -> list[int]:
        found = _synthesised(cfg, "decoders", folder)
        return [found["luts"], found["ffs"]]

    alone = {
        name: taken(replace(BASE, name=name, formats=formats, name_width=name_width))
        for name, (formats, name_width) in DECODERS.items()
    }
    all_of = replace(BASE, name="together", formats=("dense", "ternary", "bitmask", "csr"))
    whole = taken(all_of)
    half = taken(replace(all_of, name="half", lanes=4, bank_lanes=4))
    parts = [sum(alone[name][which] for name in TOGETHER) for which in range(2)]
    return {
        "alone": alone,
        "each_further": [
            round((whole[which] - parts[which]) / (len(TOGETHER) - 1), 1) for which in range(2)
        ],
        "half_bank": [round(half[which] / whole[which], 3) for which in range(2)],
    }


def _compared(core: Measured, found: dict[str, Any]) -> dict[str, Any]:
    area = predict(core.cfg, found)
    if area.block_rams != core.block_rams:
        sys.exit(f"error: {core.cfg.name} has {core.block_rams} block RAMs, not {area.block_rams}")
    return {
        "config": dump_config(core.cfg),
        "luts": core.luts,
        "predicted_luts": area.luts,
        "error": round(area.luts / core.luts - 1, 4),
        "ffs": core.ffs,
        "predicted_ffs": area.ffs,
        "block_rams": core.block_rams,
    }


def _clocks(paths: list[Path]) -> list[dict[str, Any]]:
    """Return the clocks of routed records of whole cores."""
    rows = []
    for path in paths:
        record = Record.from_json(json.loads(path.read_text()))
        if record.top != "core" or record.fmax_mhz is None or record.parameters is None:
            sys.exit(f"error: {path} must be the record of a whole core, placed and routed")
        cfg = parse_config(dict(record.parameters), str(path))
        rows.append(
            {
                "technology": record.technology,
                "device": record.device,
                "lanes": cfg.lanes * cfg.engines,
                "formats": list(cfg.formats),
                "mhz": record.fmax_mhz.median,
                "seeds": len(record.fmax_mhz.seeds),
                "source": f"routed {record.config} on {record.target}",
            }
        )
    return rows


if __name__ == "__main__":
    main()
