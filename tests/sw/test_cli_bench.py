# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 bench``: on the smallest core with the real tools, the rest with records made up."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fantastic4.cli import app, benchcores
from fantastic4.config import BASE, CONFIGS, KWS_UP5K, SMALL, TINY
from fantastic4.configfile import dump_config
from fantastic4.errors import FantasticError
from fantastic4_hw.flow import memo
from fantastic4_hw.flow.memo import part_record
from fantastic4_hw.flow.record import Asic, Fmax, Record
from fantastic4_hw.flow.tools import has_tool
from fantastic4_hw.flow.tops import find_top

DOCS = Path(__file__).parents[2] / "docs"
NANO = replace(TINY, name="nano", engines=1, formats=("dense",), weight_depth=2048)


def call(*args: Any, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@pytest.fixture
def nano(tmp_path) -> Path:
    """Return the file of the smallest core that has room for the jets."""
    path = tmp_path / "nano.json"
    path.write_text(json.dumps(dump_config(NANO)))
    return path


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str, str, str | None, bool]]:
    """Return the list of what is synthesised, with the flow replaced by made-up records.

    A core called ``base`` makes it fail, one called ``small`` does not fit.
    """
    seen = []

    def made_up(cfg, top, target, *, family=None, route=True, **rest: Any) -> Record:
        seen.append((cfg.name, top, getattr(target, "name", target), family, route))
        if (cfg.name, top) == ("base", "core"):
            raise FantasticError("nextpnr failed: no way")
        lanes, standard = find_top(top).lanes(cfg), isinstance(target, Path)
        over = (cfg.name, top) == ("small", "core")
        return Record(
            config=cfg.name,
            top=top,
            parameters=None,
            target="cells" if standard else target,
            technology="any",
            family=family or "ecp5",
            cells={},
            ffs=1,
            multipliers=0,
            lanes=lanes,
            tools={},
            seconds={},
            luts=50 * lanes,
            luts_per_lane=50.0,
            fits=not over,
            utilisation={"luts": {"used": 9, "available": 8 if over else 10}},
            fmax_mhz=Fmax.of({1: 100.0}, 80.0) if route and not over else None,
            asic=Asic(200.0, 0, 10.0, 3.0, None, None) if standard else None,
        )

    monkeypatch.setattr(benchcores, "part_record", made_up)
    return seen


def test_cores_go_on_the_chip_they_are_named_after():
    targets = {cfg.name: target for cfg, target in benchcores.find_cores(None)}
    assert targets.keys() == CONFIGS.keys()
    assert (targets["kws-up5k"], targets["base"]) == ("ice40-up5k", "ecp5-85k")
    assert targets["gsc-ecp5-25"] == "ecp5-25k"
    assert benchcores.target_of(replace(KWS_UP5K, name="gsc-25k")) == "ecp5-25k"
    for name in ("mine-25", "mine25k", "up5k-mine"):
        assert benchcores.target_of(replace(KWS_UP5K, name=name)) == "ecp5-85k"
    chosen = [(TINY, "ecp5-85k"), (BASE, "xc7")]
    assert benchcores.find_cores("tiny,base@xc7,tiny") == chosen
    for text in ("tina", "tiny@ecp6"):
        with pytest.raises(FantasticError, match="there is no"):
            benchcores.find_cores(text)


def test_models_are_names_and_files(asked):
    _, err = call("bench", "--model", "mnist", code=2)
    assert "NAME=FILE" in err
    assert asked == []


def test_each_core_is_beside_a_mac_array_and_a_failure_stops_nothing(asked, tmp_path):
    shutil.copy(DOCS / "benchmark.md", tmp_path)
    options = ("--only", "base,small,tiny", "--networks", "jets")
    out, err = call("bench", *options, "-o", tmp_path, "--json", code=1)
    assert asked[:4] == [
        ("base", "engine", "ecp5-85k", None, True),
        ("base", "mac", "ecp5-85k", None, True),
        ("base", "mac", "ecp5-85k", "generic", False),
        ("base", "core", "ecp5-85k", None, True),
    ]
    found = json.loads(out)
    assert found == json.loads((tmp_path / "benchmark.json").read_text())
    cores = {x["config"]: x for x in found["cores"]}
    assert list(cores) == ["tiny", "small", "base"]
    assert cores["tiny"]["why"] is None
    assert cores["small"]["why"] == "does not fit ecp5-85k: luts 9 of 8"
    failed = "base, core, on ecp5-85k: nextpnr failed: no way"
    assert cores["base"]["why"] == failed
    assert err.rstrip().endswith(f"error: {failed}")
    (run,) = cores["tiny"]["runs"]
    assert run["latency_us"] == run["latency_cycles"] / 100
    assert cores["base"]["runs"][0]["latency_us"] is None
    text = (tmp_path / "benchmark.md").read_text()
    assert "| tiny, ecp5-85k | 8 | 400 |" in text
    assert failed in text
    assert text.count("not measured |") == 2  # standard cells; no latency of jets is published
    assert (tmp_path / "benchmark.png").is_file()

    asked.clear()
    out, _ = call("bench", "--only", "tiny", "--networks", "jets", "--no-route", "-o", tmp_path)
    assert {x[4] for x in asked} == {False}
    assert "not routed: cycles only" in (tmp_path / "benchmark.md").read_text()
    kept = json.loads((tmp_path / "benchmark.json").read_text())["cores"]
    assert kept[1:] == [cores["small"], cores["base"]]


def test_large_cores_have_cycles_only(asked, tmp_path):
    path = tmp_path / "large.json"
    large = replace(SMALL, name="large", lanes=128, engines=17, formats=("dense",))
    path.write_text(json.dumps(dump_config(large)))
    out, _ = call("bench", "--only", path, "--networks", "jets", "--json")
    (core,) = json.loads(out)["cores"]
    assert "core" not in [x[1] for x in asked]
    assert core["why"] == "not synthesised: more than 2,048 lanes"
    assert core["runs"][0]["cycles"] > 0


def test_standard_cells_are_those_of_one_engine_and_the_mac_array(asked, tmp_path):
    cells = tmp_path / "cells.lib"
    out, _ = call("bench", "--only", "tiny", "--networks", "jets", "--liberty", cells, "--json")
    (core,) = json.loads(out)["cores"]
    assert [x[1] for x in asked if x[2] == "cells.lib"] == ["engine", "mac"]
    assert core["asic_mac"]["asic"]["area_um2"] == 200


@pytest.mark.slow
@pytest.mark.synth
def test_with_the_real_tools(nano, tmp_path, monkeypatch):
    for tool in ("yosys", "nextpnr-ecp5"):
        if not has_tool(tool):
            pytest.skip(f"no {tool} here")
    options = ("--networks", "jets", "--no-route", "--cache", tmp_path / "cache", "--json")
    name = f"{nano}@ecp5-25k"
    out, _ = call("bench", "--only", name, *options)
    (core,) = json.loads(out)["cores"]
    assert core["core"]["multipliers"] == 4
    assert core["core"]["fits"]
    assert core["engine"]["multipliers"] == core["mac"]["multipliers"] == 0
    # Two trees and a sign beside four trees; masks folded, and not.
    assert core["mac"]["luts"] < 1.1 * core["engine"]["luts"]
    assert core["mac_plain"]["luts"] > 1.5 * core["mac"]["luts"]
    assert core["runs"][0]["fits"]

    def fail(component: Any, *rest: object, **named: object) -> None:
        component._MustUse__used = True
        raise AssertionError("synthesised again")

    monkeypatch.setattr(memo, "synthesise", fail)
    assert call("bench", "--only", name, *options)[0] == out
    with pytest.raises(AssertionError, match="synthesised again"):
        call("bench", "--only", f"{nano}@xc7", *options)


def test_sources_are_those_of_the_gateware(tmp_path, monkeypatch):
    for package in ("fantastic4", "fantastic4_hw"):
        (tmp_path / package).mkdir()
        path = tmp_path / package / "__init__.py"
        monkeypatch.setattr(getattr(memo, package), "__file__", str(path))

    digest = memo.sources.__wrapped__
    found = {digest()}
    for name in ("fantastic4/config.py", "fantastic4/formats/a.py", "fantastic4_hw/flow/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        for text in ("x = 1", "x = 2"):
            (tmp_path / name).write_text(text)
            assert digest() not in found
            found.add(digest())
    last = digest()
    (tmp_path / "fantastic4" / "train").mkdir()
    (tmp_path / "fantastic4" / "train" / "loop.py").write_text("x = 1")
    assert digest() == last


def test_records_are_kept_by_everything_that_makes_them(tmp_path, monkeypatch):
    """Of these, each changed by itself; and a part that does not fit is never routed."""
    ran = []

    def made_up(component: Any, target, *, route, **rest: Any) -> Record:
        component._MustUse__used = True
        ran.append(route)
        said = {key: rest[key] for key in ("config", "top", "parameters", "lanes")}
        plain = {"technology": "ecp5", "cells": {}, "ffs": 0, "multipliers": 0}
        fits = said["config"] != "large"
        names = {"tools": {}, "seconds": {}, "family": "", "target": str(target), "fits": fits}
        return Record(**said, **plain, **names)

    monkeypatch.setattr(memo, "synthesise", made_up)
    monkeypatch.setattr(memo, "version_of", lambda name: "1")
    monkeypatch.setattr(memo, "has_tool", lambda name: True)

    def runs(cfg=NANO, top="engine", target: Any = "ecp5-85k", **more: Any) -> list[bool]:
        ran.clear()
        settings: dict[str, Any] = {"cache": tmp_path, "progress": print, "route": False} | more
        part_record(cfg, top, target, **settings)
        return list(ran)

    assert runs() == [False]
    assert runs() == []
    changes: list[dict[str, Any]] = [
        {"cfg": replace(NANO, lanes=8)},
        {"top": "mac"},
        {"target": "ecp5-25k"},
        {"family": "generic"},
        {"seeds": (1, 2)},
    ]
    for other in changes:
        assert runs(**other) == [False]
        assert runs(**other) == []
    assert runs(reroute=True) == []
    assert runs(route=True) == [False, True]
    assert runs(route=True, reroute=True) == [False, True]
    assert runs(route=True, reroute=True) == []
    assert runs(cfg=replace(NANO, name="large"), route=True) == [False]
    monkeypatch.setattr(memo, "version_of", lambda name: "2")
    assert runs() == [False]
    monkeypatch.setattr(memo, "sources", lambda: b"changed")
    assert runs() == [False]
    cells = tmp_path / "cells.lib"
    cells.write_text("one")
    assert runs(target=cells) == [False]
    assert runs(target=cells) == []
    cells.write_text("two")
    assert runs(target=cells) == [False]
    assert runs(target=cells, period_ns=5.0) == [False]
    with pytest.raises(FantasticError, match=r"none\.lib: No such file"):
        runs(target=tmp_path / "none.lib")
