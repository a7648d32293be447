# SPDX-License-Identifier: Apache-2.0
"""Configurations as JSON, and changed field by field: what ``--config FILE`` and ``--set`` take."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from fantastic4.config import CoreConfig
from fantastic4.errors import FantasticError

_ARITHMETIC = {"act_width", "basis_width", "bias_width", "acc_width", "logit_width"}
"""Fields that are the same in every core."""

_FIELDS = {field.name: field for field in fields(CoreConfig) if field.name not in _ARITHMETIC}
_TYPES = get_type_hints(CoreConfig)
_NAMES = {int: "an integer", bool: "true or false", str: "a text"}


def dump_config(cfg: CoreConfig) -> dict[str, Any]:
    """Return the fields of a configuration as plain JSON, in their order."""
    plain = {name: getattr(cfg, name) for name in _FIELDS}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}


def parse_config(plain: Any, where: str) -> CoreConfig:
    """Return the configuration that ``dump_config`` made; fields with a default may be missing.

    Raises
    ------
    FantasticError
        If a field is unknown, missing, of another type or out of its range; it names the field and
        ``where``.
    """
    if not isinstance(plain, Mapping):
        raise FantasticError(f"{where}: must be a JSON object with the fields of a configuration")
    given = {name: _checked(name, value, where) for name, value in plain.items()}
    for name, field in _FIELDS.items():
        if field.default is MISSING and name not in given:
            raise FantasticError(f"{where}: {name} is missing")
    return _built(lambda: CoreConfig(**given), where)


def load_config(path: Path) -> CoreConfig:
    """Read a configuration from a JSON file.

    Raises
    ------
    FantasticError
        If there is no such file, or it does not hold a configuration.
    """
    try:
        plain = json.loads(path.read_text())
    except FileNotFoundError:
        raise FantasticError(f"{path}: there is no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FantasticError(f"{path}: not JSON ({error})") from None
    return parse_config(plain, str(path))


def with_settings(cfg: CoreConfig, settings: Iterable[str]) -> CoreConfig:
    """Return ``cfg`` with fields changed by texts such as ``lanes=512`` or ``formats=dense,csr``.

    Its name says what was changed, unless that is among the changes.

    Raises
    ------
    FantasticError
        If a text is no setting, or makes a configuration that cannot be.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise FantasticError(f"a setting must be field=value, not {setting!r}")
        changes[name] = _checked(name, _read(name, text), f"setting {setting}")
    changed = "".join(f",{name}={_shown(value)}" for name, value in changes.items())
    named = {"name": f"{cfg.name}{changed}", **changes}
    return _built(lambda: replace(cfg, **named), f"config {cfg.name} with {changed[1:]}")


def _built(make: Any, where: str) -> CoreConfig:
    try:
        return make()
    except FantasticError as error:
        raise FantasticError(f"{where}: {str(error).partition(': ')[2] or error}") from None


def _checked(name: str, value: Any, where: str) -> Any:
    """Return the value of a field, as the field's type; raise if it is of another one."""
    if name not in _FIELDS:
        raise FantasticError(f"{where}: there is no field {name!r}; choose of {', '.join(_FIELDS)}")
    kind = _TYPES[name]
    if kind == tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or not all(isinstance(x, str) for x in value):
            raise FantasticError(f"{where}: {name} must be a list of texts, not {value!r}")
        return tuple(value)
    if type(value) is not kind:
        raise FantasticError(f"{where}: {name} must be {_NAMES[kind]}, not {value!r}")
    return value


def _read(name: str, text: str) -> Any:
    """Return what ``text`` says for a field; the text itself where it is none of its type."""
    kind = _TYPES.get(name)
    if kind == tuple[str, ...]:
        return [part for part in text.split(",") if part]
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind is int:
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _shown(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)
