"""Configurations as TOML: read into dataclasses, strictly, changed by key, and written.

A key that is unknown, of the wrong type or out of range is a ConfigError that names it; nothing is
converted silently and nothing is ignored.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from bnnedge.errors import ConfigError
from bnnedge.runs.config import Config, DataConfig
from bnnedge.runs.valid import wrong
from bnnedge.share import share

__all__ = [
    "change",
    "load_config",
    "override",
    "parse_config",
    "parse_data_config",
    "parse_toml",
    "presets",
    "to_table",
    "to_toml",
]

T = TypeVar("T")

_LONGEST = 1 << 20  # characters of a configuration or a study
_MOST_DOTS = 4000


def presets() -> dict[str, Path]:
    """The presets by name: folders of ``models/`` with a config.toml."""
    return {path.parent.name: path for path in sorted(share("models").glob("*/config.toml"))}


def load_config(source: str | Path) -> Config:
    """Read a configuration: a preset's name, a TOML file, or a folder with a config.toml.

    Raises:
        ConfigError: no such preset or file, no TOML, or settings that cannot be.
    """
    path = presets().get(str(source), Path(source))
    if path.is_dir():
        path = path / "config.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        near = difflib.get_close_matches(str(source), presets(), n=1)
        raise ConfigError(
            f"no preset and no file {str(source)!r}",
            f"did you mean {near[0]!r}?" if near else f"the presets are: {', '.join(presets())}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return parse_config(text, str(path))


def parse_config(text: str, origin: str) -> Config:
    """A configuration from TOML text; ``origin`` names it in errors.

    Raises:
        ConfigError: no TOML, or settings that cannot be.
    """
    table = parse_toml(text, origin)
    try:
        return _build(Config, table, "")
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", error.hint) from error


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """TOML text that a person may have written; ``origin`` names it in errors.

    Raises:
        ConfigError: no TOML, or with more dots than that: of a key of n parts Python's reader keeps all n²/2
            beginnings, a gigabyte of 40 KB.
    """
    if text.count(".") > _MOST_DOTS or len(text) > _LONGEST:
        raise ConfigError(
            f"{origin} has more than {_LONGEST:,} characters, or {_MOST_DOTS:,} dots among them"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ConfigError(f"{origin} is no TOML: {error}") from error


def parse_data_config(table: dict[str, Any]) -> DataConfig:
    """The ``[data]`` table of a checkpoint's provenance, checked like a configuration's.

    Raises:
        ConfigError: settings that cannot be.
    """
    return _build(DataConfig, table, "data.")


def override(config: Config, settings: Iterable[str]) -> Config:
    """The configuration with ``key=value`` settings applied, values in TOML (bare words count as strings).

    Raises:
        ConfigError: a setting without ``=``, an unknown key, or a value that cannot be.

    >>> override(Config(), ["training.epochs=3", "net.hidden=[16, 8]", "data.name=mnist"]).net.hidden
    (16, 8)
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"cannot read the setting {setting!r}", "write --set key=value")
        values[key.strip()] = _value(text.strip())
    return change(config, values)


def change(config: Config, values: Mapping[str, object]) -> Config:
    """The configuration with other values, as TOML has them, under dotted keys.

    Raises:
        ConfigError: an unknown key, or a value that cannot be.

    >>> change(Config(), {"net.hidden": [16, 8]}).net.hidden
    (16, 8)
    """
    table = to_table(config)
    for key, value in values.items():
        *sections, last = key.split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"no setting {key!r}", f"{section!r} is a value, not a section")
        inner[last] = value
    return _build(Config, table, "")


def to_table(config: Config) -> dict[str, Any]:
    """Plain dictionaries, absent values left out: what TOML and JSON can hold."""
    return _without_none(dataclasses.asdict(config))


def to_toml(config: Config) -> str:
    """TOML text that :func:`parse_config` reads back to an equal configuration."""
    import tomli_w

    return tomli_w.dumps(to_table(config))


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in table.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return _without_none(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: type[T], table: dict[str, Any], path: str) -> T:
    """An instance of the dataclass ``kind`` from a table, every key and type checked."""
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy takes no class for hashable
    for key in table:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            raise ConfigError(
                f"no setting {path}{key}",
                f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(hints)}",
            )
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        if each.name not in table and each.default is each.default_factory is dataclasses.MISSING:
            raise ConfigError(
                f"{path}{each.name} is missing", f"set it, or leave out the whole of {path[:-1]}"
            )
    return kind(**{key: _convert(hints[key], value, path + key) for key, value in table.items()})


def _convert(kind: Any, value: Any, path: str) -> Any:
    """The value as the type hint ``kind`` wants it: int where float is wanted, list where tuple is."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, dict):
            return _build(kind, value, f"{path}.")
        raise wrong(path, value, "a table")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _convert(arguments[0], value, path)  # X | None: TOML has no null, absent is None
    if origin is Literal:
        if value in arguments:
            return value
        raise wrong(path, value, " or ".join(repr(choice) for choice in arguments))
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_convert(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
        raise wrong(path, value, "a list")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise wrong(path, value, {int: "a whole number", float: "a number", str: "text"}.get(kind, str(kind)))
