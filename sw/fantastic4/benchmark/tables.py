# SPDX-License-Identifier: Apache-2.0
"""The tables of ``benchmark.md``: lists of rows that have the same keys."""

from collections.abc import Mapping
from typing import Any

from fantastic4.benchmark.report import clock

TITLES = {
    "cores": "Cores",
    "networks": "Networks",
    "runs": "Networks on cores",
    "best": "Latency, beside what others published",
    "lanes": "One engine beside a plain int4 × int8 MAC array",
    "asic": "The same in standard cells",
    "peers": "What others published, and what was measured of their work",
}
"""Every table, and what it is called where it is shown."""

NONE = "–"
NOT_ROUTED = "not routed"

LANE = ("engine", "mac", "mac_plain")
"""Records that are compared by the lane."""

FIGURES = {
    "latency_us": "{} µs",
    "cycles": "{} cycles",
    "luts": "{:,} LUTs",
    "dsps": "{} DSPs",
    "accuracy": "{}",
    "weights_kib": "{} KiB of weights",
    "bits_per_weight": "{} bits a weight",
    "entropy": "entropy {}",
    "gops": "{:,} GOPS",
    "watts": "{} W",
    "gops_per_watt": "{:,} GOPS/W",
}
"""What a peer may have, and how it is shown."""

Row = dict[str, Any]


def tables(report: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Return the tables of a report by name; those without rows are left out."""
    cores, networks = report["cores"], report["networks"]
    found = {
        "cores": [core_row(entry) for entry in cores],
        "networks": [network_row(network) for network in networks],
        "runs": [
            run_row(entry, run)
            for network in networks
            for entry in cores
            for run in entry["runs"]
            if run["network"] == network["name"]
        ],
        "best": best_rows(report),
        "lanes": [lane_row(entry) for entry in cores if all(entry[x] for x in LANE)],
        "asic": [
            asic_row(entry) for entry in cores if entry.get("asic_engine") and entry.get("asic_mac")
        ],
        "peers": [peer_row(peer) for peer in report["peers"]],
    }
    return {name: rows for name, rows in found.items() if rows}


def title(entry: Mapping[str, Any]) -> str:
    """Return the name of a core and its chip."""
    return f"{entry['config']}, {entry['target']}"


def core_row(entry: Mapping[str, Any]) -> Row:
    """Return what a core takes of its chip, and its peak: all lanes busy in every clock."""
    core = entry["core"]
    row = {"core": title(entry), "lanes": entry["lanes"]}
    heads = ("LUTs", "LUTs a lane", "flip-flops", "block RAMs", "multipliers", "MHz", "of seeds")
    row |= dict.fromkeys((*heads, "peak GOPS", "peak GOPS/kLUT"), NONE)
    row["note"] = entry["why"] or NONE
    if core is None:
        return row
    row |= {
        "LUTs": core["luts"],
        "LUTs a lane": core["luts_per_lane"],
        "flip-flops": core["ffs"],
        "block RAMs": core["block_rams"],
        "multipliers": core["multipliers"],
        "MHz": NOT_ROUTED,
    }
    mhz = clock(core)
    if mhz is None:
        return row
    fmax = core["fmax_mhz"]
    spread = f"{fmax['least']:.1f}–{fmax['greatest']:.1f} ({len(fmax['seeds'])})"
    peak = peak_gops(entry["lanes"], mhz)
    per_klut = 1000 * peak / core["luts"]
    return row | {"MHz": mhz, "of seeds": spread, "peak GOPS": peak, "peak GOPS/kLUT": per_klut}


def network_row(network: Mapping[str, Any]) -> Row:
    """Return what a network is."""
    return {
        "network": network["name"],
        "layers": "-".join(map(str, network["widths"])),
        "task": network["what"],
        "weights": network["weights"],
        "density": network["density"],
        "entropy, bits": network["entropy"],
        "from": network["source"],
    }


def run_row(entry: Mapping[str, Any], run: Mapping[str, Any]) -> Row:
    """Return how a core does on a network; a row with a note if it cannot, or has no clock."""
    row: Row = {"network": run["network"], "core": title(entry)}
    counted = ("bits a weight", "cycles", "array busy %", "lanes used %", "cycles in to out")
    timed = ("latency µs", "GOPS", "G additions/s", "GOPS/kLUT")
    row |= dict.fromkeys((*counted, *timed), NONE)
    if not run["fits"]:
        return row | {"note": f"does not fit: {run['why']}"}
    row |= {
        "bits a weight": run["bits_per_weight"],
        "cycles": run["cycles"],
        "array busy %": round(100 * run["busy"]),
        "lanes used %": round(100 * run["lanes_used"]),
        "cycles in to out": run["latency_cycles"],
    }
    if run["latency_us"] is None:
        return row | {"note": entry["why"] or f"{NOT_ROUTED}: cycles only"}
    figures = (run["latency_us"], run["gops"], run["gadds"], run["gops_per_klut"])
    return row | dict(zip(timed, figures, strict=True)) | {"note": NONE}


def best_rows(report: Mapping[str, Any]) -> list[Row]:
    """Return the fastest core of each network that someone published a latency of."""
    rows = []
    for peer in report["peers"]:
        runs = [
            (run["latency_us"], title(entry))
            for entry in report["cores"]
            for run in entry["runs"]
            if run["network"] == peer["network"] and run.get("latency_us") is not None
        ]
        theirs = peer.get("latency_us")
        if theirs is None or peer["network"] not in {x["name"] for x in report["networks"]}:
            continue
        row = {
            "network": peer["network"],
            "published": f"{peer['system']}, {peer['on']}",
            "published µs": theirs,
        }
        row |= dict.fromkeys(("our core", "our µs", "theirs by ours"), NONE)
        if runs:
            ours, core = min(runs)
            row |= {"our core": core, "our µs": ours, "theirs by ours": theirs / ours}
        rows.append(row)
    return rows


def lane_row(entry: Mapping[str, Any]) -> Row:
    """Return one engine beside a MAC array of as many lanes."""
    engine, mac, plain = (entry[name] for name in LANE)
    row = {"core": title(entry), "lanes": entry["engine_lanes"]}
    row |= {
        "engine, LUTs a lane": engine["luts_per_lane"],
        "MAC array, LUTs a lane": mac["luts_per_lane"],
        "MAC array in plain logic": plain["luts_per_lane"],
        "MAC by engine": mac["luts_per_lane"] / engine["luts_per_lane"],
    }
    for name, record in (("engine", engine), ("MAC array", mac)):
        mhz = clock(record)
        gops = peak_gops(record["lanes"], mhz) if mhz else None
        row[f"{name}, MHz"] = mhz or NOT_ROUTED
        row[f"{name}, GOPS/kLUT"] = 1000 * gops / record["luts"] if gops else NONE
    return row


def asic_row(entry: Mapping[str, Any]) -> Row:
    """Return one engine and a MAC array of as many lanes in standard cells."""
    row = {"core": entry["config"], "lanes": entry["engine_lanes"]}
    row["library"] = entry["asic_engine"]["target"]
    for name, key in (("engine", "asic_engine"), ("MAC array", "asic_mac")):
        asic = entry[key]["asic"]
        row[f"{name}, µm² a lane"] = asic["area_um2"] / entry["engine_lanes"]
        row[f"{name}, ns"] = asic["delay_ns"]
        if asic["power_mw"] is not None:
            row[f"{name}, mW"] = asic["power_mw"]
    return row


def peer_row(peer: Mapping[str, Any]) -> Row:
    """Return what is known of someone else's work."""
    figures = [text.format(peer[name]) for name, text in FIGURES.items() if name in peer]
    return {
        "network": peer["network"],
        "system": peer["system"],
        "on": peer.get("on", NONE),
        "figures": ", ".join(figures),
        "kind": peer["kind"],
        "source": peer["source"],
    }


def peak_gops(lanes: int, mhz: float) -> float:
    """Return two operations a lane and clock, in 10^9 a second."""
    return 2 * lanes * mhz / 1000
