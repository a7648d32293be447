# SPDX-License-Identifier: Apache-2.0
"""Configurations as files, and changed by settings."""

import json

import pytest
from typer.testing import CliRunner

from fantastic4.cli import app
from fantastic4.config import BASE, CONFIGS, TINY, find_config
from fantastic4.configfile import dump_config, parse_config, with_settings
from fantastic4.errors import FantasticError


def call(*args: object, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, [str(x) for x in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result.stdout, result.stderr


@pytest.mark.parametrize("cfg", CONFIGS.values(), ids=lambda cfg: cfg.name)
def test_what_is_written_is_read_again(cfg, tmp_path):
    path = tmp_path / "core.json"
    path.write_text(json.dumps(dump_config(cfg)))
    assert find_config(str(path)) == cfg
    assert "acc_width" not in dump_config(cfg)


def test_defaults_may_be_missing():
    plain = dump_config(BASE)
    for name in ("bank_lanes", "external_weights", "max_layers"):
        del plain[name]
    assert parse_config(plain, "here") == BASE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lane": 4}, "there is no field 'lane'; choose of name, lanes, engines,"),
        ({"acc_width": 12}, "there is no field 'acc_width'"),
        ({"lanes": "4"}, "lanes must be an integer, not '4'"),
        ({"lanes": True}, "lanes must be an integer, not True"),
        ({"lanes": 4.0}, "lanes must be an integer, not 4.0"),
        ({"external_weights": 1}, "external_weights must be true or false, not 1"),
        ({"formats": "dense"}, "formats must be a list of texts, not 'dense'"),
        ({"formats": [1]}, r"formats must be a list of texts, not \[1\]"),
        ({"formats": ["zip"]}, "formats must be some of dense, .*, not zip"),
        ({"lanes": 513}, r"lanes must be 1\.\.512, not 513"),
        ({"name": 3}, "name must be a text, not 3"),
    ],
)
def test_wrong_fields_are_named_with_their_file(change, message, tmp_path):
    path = tmp_path / "core.json"
    path.write_text(json.dumps(dump_config(TINY) | change))
    with pytest.raises(FantasticError, match=rf"^{path}: {message}"):
        find_config(str(path))


def test_wrong_files_are_named(tmp_path):
    path = tmp_path / "core.json"
    with pytest.raises(FantasticError, match=rf"{path}: there is no such file"):
        find_config(str(path))
    path.write_text("{")
    with pytest.raises(FantasticError, match=rf"{path}: not JSON"):
        find_config(str(path))
    path.write_text("[1]")
    with pytest.raises(FantasticError, match=rf"{path}: must be a JSON object"):
        find_config(str(path))
    path.write_text("{}")
    with pytest.raises(FantasticError, match=rf"{path}: name is missing"):
        find_config(str(path))


def test_settings_change_fields_and_the_name():
    cfg = with_settings(BASE, ["lanes=512", "formats=dense,csr", "external_weights=true"])
    assert (cfg.lanes, cfg.formats, cfg.external_weights) == (512, ("dense", "csr"), True)
    assert cfg.name == "base,lanes=512,formats=dense+csr,external_weights=True"
    assert with_settings(BASE, []) == BASE
    assert with_settings(BASE, ["name=mine"]).name == "mine"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lanes", "a setting must be field=value, not 'lanes'"),
        ("lanes=many", "setting lanes=many: lanes must be an integer, not 'many'"),
        ("external_weights=yes", "external_weights must be true or false, not 'yes'"),
        ("width=3", "setting width=3: there is no field 'width'"),
        ("lanes=65", "config base with lanes=65: lanes must be a multiple of input_width"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(FantasticError, match=message):
        with_settings(BASE, [setting])


def test_commands_take_a_written_configuration(tmp_path):
    path = tmp_path / "mine.json"
    out, err = call(
        "configs", "tiny", "--set", "engines=1", "--set", "name=mine", "-o", path, "--json"
    )
    assert json.loads(out) == json.loads(path.read_text())
    assert json.loads(out)["engines"] == 1
    assert f"wrote {path}" in err
    out, _ = call("verilog", "--config", path, "-o", tmp_path, "--json")
    assert json.loads(out)["core"]["geometry"]["engines"] == 1
    assert (tmp_path / "fantastic4_mine.v").exists()
    out, _ = call("configs", path)
    assert "Core mine" in out
    call("configs", "--set", "lanes=4", code=2)
