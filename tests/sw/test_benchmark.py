# SPDX-License-Identifier: Apache-2.0
"""The benchmark's networks, counts, rates, merging of reports, and tables."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fantastic4 import cost, modelfile
from fantastic4.benchmark import tables
from fantastic4.benchmark.networks import CASES, Subject, find_cases, random_case, subjects
from fantastic4.benchmark.plot import plot
from fantastic4.benchmark.report import KEPT, core_entry, earlier, peers, report
from fantastic4.benchmark.runs import additions, network_record, rates, run_record
from fantastic4.config import BASE, SMALL, TINY
from fantastic4.configfile import dump_config
from fantastic4.errors import FantasticError
from fantastic4.pack import pack, read_image
from fantastic4.timing import timing

JETS = next(case for case in CASES if case.name == "jets")


def subject(name: str = "jets") -> Subject:
    return Subject(name, "a task", random_case(JETS), "random")


def record(luts: int, lanes: int, mhz: float | None = None, **other: Any) -> dict[str, Any]:
    """Return a record as the flow gives it, of 4 multipliers and 10 flip-flops."""
    plain = dict.fromkeys(KEPT) | {"luts": luts, "lanes": lanes, "luts_per_lane": luts / lanes}
    plain |= {"ffs": 10, "block_rams": 3, "multipliers": 4, "components": {"too": "much"}}
    if mhz is not None:
        seeds = {"1": mhz - 5, "2": mhz, "3": mhz + 5}
        plain["fmax_mhz"] = {"median": mhz, "least": mhz - 5, "greatest": mhz + 5, "seeds": seeds}
    return plain | other


def entry(cfg=SMALL, mhz: float | None = 100.0, why: str | None = None, **more: Any) -> Any:
    lanes = cfg.lanes * cfg.engines
    said = {"config": cfg.name, "target": "ecp5-85k", "parameters": dump_config(cfg)}
    said |= {"lanes": lanes, "engine_lanes": cfg.lanes, "why": why}
    records = {
        "core": record(5000, lanes, mhz),
        "engine": record(40 * cfg.lanes, cfg.lanes, mhz),
        "mac": record(60 * cfg.lanes, cfg.lanes, mhz),
        "mac_plain": record(80 * cfg.lanes, cfg.lanes),
    }
    return core_entry(said, [run_record(subject(), cfg, lanes)], records | more)


def test_networks_are_those_of_the_tasks():
    assert {case.name: case.widths for case in CASES} == {
        "mnist": (784, 300, 100, 10),
        "kws": (490, 256, 256, 256, 12),
        "gsc": (220, 512, 512, 256, 256, 128, 128, 12),
        "unsw": (593, 64, 64, 64, 1),
        "jets": (16, 64, 32, 32, 5),
    }
    made = random_case(JETS)
    assert subject().widths == JETS.widths
    assert [layer.planes for layer in made.layers] == [1] * 4
    assert [layer.logits for layer in made.layers] == [False, False, False, True]
    assert random_case(JETS).layers[1].codes.tobytes() == made.layers[1].codes.tobytes()


@pytest.mark.parametrize("name", ["kws", "unsw"])
def test_random_networks_have_the_entropy_of_published_weights(name):
    (published,) = [x["entropy"] for x in peers() if x["network"] == name and "entropy" in x]
    (case,) = find_cases([name])
    assert cost.network_entropy(random_case(case)) == pytest.approx(published, abs=0.03)


def test_trained_networks_where_there_are_files(tmp_path):
    path = tmp_path / "mine.safetensors"
    modelfile.save(random_case(JETS), path)
    cases = find_cases(["mnist", "jets"])
    found = subjects(cases, {"jets": path, "mine": path})
    assert [x.name for x in found] == ["mnist", "jets", "mine"]
    assert [x.source for x in found] == [
        "trained, tests/models/mnist.safetensors",
        "trained, mine.safetensors",
        "trained, mine.safetensors",
    ]
    (without,) = subjects(cases[:1], {}, tmp_path)
    assert without.source == "random, density 0.17, 2 non-zero values, seed 4"
    with pytest.raises(FantasticError, match="no network 'nets'; choose some of mnist, kws"):
        find_cases(["nets"])


def test_fixtures_have_the_density_that_stands_for_them():
    for made in subjects(find_cases(["mnist", "gsc"]), {}):
        (case,) = find_cases([made.name])
        assert made.widths == case.widths
        assert network_record(made)["density"] == pytest.approx(case.density, abs=0.01)


def test_run_counts_what_the_image_takes():
    network = subject().network
    image = read_image(pack(network, SMALL), SMALL, "")
    clocks = timing(image, SMALL)
    run = run_record(subject(), SMALL, 32)
    assert run["fits"]
    assert (run["cycles"], run["latency_cycles"]) == (clocks.cycles, clocks.latency)
    assert (run["interval"], run["busy"]) == (clocks.interval, clocks.beats / clocks.cycles)
    assert run["operations"] == 2 * (16 * 64 + 64 * 32 + 32 * 32 + 32 * 5)
    assert run["lanes_used"] == network.weights / (32 * clocks.cycles)
    assert run["bits_per_weight"] == cost.bits_per_weight(cost.storage(image))
    bits = sum(bin(code).count("1") for layer in network.layers for code in layer.codes.ravel())
    assert run["additions"] == additions(network) == bits


def test_additions_are_those_of_codes_on_the_chip():
    """A core whose names stand for masks adds each weight once, whatever its code was."""
    codes = np.where(np.arange(64) % 4 == 0, 15, 0).astype(np.uint8).reshape(1, 4, 16)
    layer = replace(random_case(JETS).layers[3], codes=codes, bias=np.zeros(4, np.int64))
    network = replace(random_case(JETS), layers=(layer,))
    few = replace(SMALL, name="few", name_width=2, formats=("dense", "bitmask"))
    made = Subject("one", "", network, "")
    assert run_record(made, SMALL, 32)["additions"] == 4 * 16
    assert run_record(made, few, 32)["additions"] == 16


def test_a_network_that_does_not_fit_says_why():
    run = run_record(subject(), replace(TINY, hidden_chunks=8), 8)
    assert not run["fits"]
    assert run["why"] == "config tiny holds 8 hidden chunks, the network needs 16"
    assert set(rates(run, 100.0, 1000).values()) == {None}


def test_rates_at_a_clock():
    run = {"fits": True, "interval": 500, "latency_cycles": 800}
    run |= {"operations": 20_000, "additions": 3_000}
    assert rates(run, 125.0, 2_500) == {
        "latency_us": pytest.approx(6.4),
        "inferences_per_s": pytest.approx(250_000),
        "gops": pytest.approx(5.0),
        "gadds": pytest.approx(0.75),
        "gops_per_klut": pytest.approx(2.0),
    }
    assert set(rates(run, None, 2_500).values()) == {None}


def test_report_keeps_other_cores_unless_they_changed(tmp_path):
    networks = [network_record(subject())]
    other = replace(BASE, name="mine")
    first = report(earlier(tmp_path / "none"), networks, [entry(other), entry(BASE), entry(TINY)])
    assert [x["config"] for x in first["cores"]] == ["tiny", "base", "mine"]
    assert "components" not in first["cores"][0]["core"]
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(first))
    before = earlier(path)
    assert before["cores"] == first["cores"]
    before["cores"][0]["parameters"]["lanes"] = 2
    again = report(before, networks, [entry(BASE, 200.0)])
    assert [x["config"] for x in again["cores"]] == ["base", "mine"]
    assert again["cores"][0]["core"]["fmax_mhz"]["median"] == 200
    assert again["networks"] == networks
    path.write_text('{"schema": 0}')
    with pytest.raises(FantasticError, match=r"not a benchmark\.json of today"):
        earlier(path)


def test_tables_of_a_routed_core():
    made = report(earlier(Path()), [network_record(subject())], [entry()])
    found = tables.tables(made)
    (core,) = found["cores"]
    assert (core["core"], core["lanes"], core["LUTs"]) == ("small, ecp5-85k", 32, 5000)
    assert (core["MHz"], core["of seeds"]) == (100, "95.0–105.0 (3)")
    assert (core["peak GOPS"], core["peak GOPS/kLUT"]) == (6.4, 1.28)
    (run,) = found["runs"]
    (counted,) = made["cores"][0]["runs"]
    assert run["latency µs"] == counted["latency_cycles"] / 100
    assert run["note"] == "–"
    (lane,) = found["lanes"]
    assert (lane["engine, LUTs a lane"], lane["MAC array, LUTs a lane"]) == (40, 60)
    assert (lane["MAC by engine"], lane["MAC array in plain logic"]) == (1.5, 80)
    assert lane["engine, GOPS/kLUT"] == pytest.approx(2 * 100 / 40)
    assert "asic" not in found
    assert found.keys() <= tables.TITLES.keys()


def test_tables_say_what_is_not_known():
    why = "does not fit ecp5-85k: luts 9 of 8"
    cores = [entry(mhz=None), entry(replace(TINY, hidden_chunks=8)), entry(BASE, None, why)]
    found = tables.tables(report(earlier(Path()), [network_record(subject())], cores[:1]))
    assert found["cores"][0]["MHz"] == "not routed"
    run = found["runs"][0]
    assert (run["latency µs"], run["note"]) == ("–", "not routed: cycles only")
    assert run["cycles"] > 0
    assert "does not fit: config tiny" in tables.run_row(cores[1], cores[1]["runs"][0])["note"]
    assert tables.run_row(cores[2], cores[2]["runs"][0])["note"] == why
    assert tables.core_row({**cores[0], "core": None, "why": "failed"})["note"] == "failed"


def test_fastest_core_beside_published_latencies():
    made = report(
        earlier(Path()), [network_record(subject())], [entry(BASE, 50.0), entry(SMALL, 300.0)]
    )
    mine = {"network": "jets", "system": "theirs", "on": "a chip", "latency_us": 30.0}
    made["peers"] = [mine, {**mine, "latency_us": None}, {**mine, "network": "kws"}]
    (best,) = tables.best_rows(made)
    times = {x["config"]: x["runs"][0]["latency_us"] for x in made["cores"]}
    ours = min(times.values())
    assert best["our core"].partition(",")[0] == min(times, key=lambda name: times[name])
    assert (best["our µs"], best["theirs by ours"]) == (ours, 30.0 / ours)


def test_standard_cells():
    asic = {"area_um2": 1600.0, "delay_ns": 2.5, "power_mw": None}
    made = entry(
        asic_engine=record(0, 16, asic=asic, target="cells"),
        asic_mac=record(0, 16, asic={**asic, "area_um2": 3200.0}, target="cells"),
    )
    row = tables.asic_row(made)
    assert (row["engine, µm² a lane"], row["MAC array, µm² a lane"]) == (100, 200)
    assert (row["library"], row["engine, ns"]) == ("cells", 2.5)


def test_peers_have_a_source_and_figures():
    known = {"network", "system", "on", "kind", "source", "luts_of", *tables.FIGURES}
    for peer in peers():
        assert peer.keys() <= known
        row = tables.peer_row(peer)
        assert row["figures"]
        assert row["source"]
        assert row["kind"] in ("published", "published, secondary", "measured by us")
        parts = peer.get("luts_of")
        assert parts is None or peer["luts"] == parts["LUT4"] + 2 * parts["CCU2C"]


@pytest.mark.parametrize("mhz", [None, 100.0])
def test_plot(mhz, tmp_path):
    made = report(earlier(Path()), [network_record(subject())], [entry(mhz=mhz)])
    plot(made, tmp_path / "benchmark.png")
    assert (tmp_path / "benchmark.png").read_bytes()[:4] == b"\x89PNG"
