"""Studies: what a sweep trains, as a TOML file.

::

    base = "digits-tfc"                        # a preset, or a configuration beside this file
    seeds = 5                                  # 0 to 4; or a list: [0, 1, 7]

    [set]                                      # settings of every job
    training.epochs = 50

    [grid]                                     # each value with each of the others
    net.hidden = [[32], [64], [64, 64]]
    training.learning_rate = [0.01, 0.02]

    [[job]]                                    # settings that go together, one job each
    net.input = "thermometer"
    net.input_bits = 3

Jobs are every ``[[job]]`` with every point of ``[grid]`` and every seed; what is absent counts as one. Keys
are those of ``--set``.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bnnedge.errors import ConfigError
from bnnedge.runs.config import Config
from bnnedge.runs.toml import change, load_config, parse_toml, presets, to_toml
from bnnedge.runs.valid import require

__all__ = ["Job", "Study", "load_study"]

SEED = "training.seed"
MOST_JOBS = 10_000  # a grid's product is written in a line
_KEYS = ("name", "base", "seeds", "set", "grid", "job")
_NAME = re.compile(r"[A-Za-z0-9_-]+")

Settings = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One training of a study.

    Attributes:
        index: its place in the study, from 0.
        settings: of the varied keys, as TOML has them; absent ones are the base's.
        seed: of the training.
        config: resolved.
        key: 16 hexadecimal digits of the SHA-256 of the configuration, which name the run directory.
    """

    index: int
    settings: Mapping[str, Any]
    seed: int
    config: Config
    key: str


@dataclass(frozen=True)
class Study:
    """A family of trainings.

    Attributes:
        name: names the sweep's directory.
        keys: settings that are varied, in the order of the file.
        jobs: in the order of the file, seeds innermost.
    """

    name: str
    keys: tuple[str, ...]
    jobs: tuple[Job, ...]


def load_study(path: Path) -> Study:
    """Read a study.

    Raises:
        ConfigError: no such file, no TOML, unknown keys, settings that cannot be, or two equal jobs.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", "name a study's TOML file") from error
    table = parse_toml(text, str(path))
    try:
        return _study(table, path)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", error.hint) from error


def _study(table: dict[str, Any], path: Path) -> Study:
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            raise ConfigError(
                f"no setting {key}", f"did you mean {near[0]}?" if near else f"known here: {', '.join(_KEYS)}"
            )
    name = table.get("name", path.stem)
    fits = isinstance(name, str) and _NAME.fullmatch(name) is not None
    require(fits, "name", name, "letters, digits, '-' and '_'")
    config = change(_base(table.get("base", "digits-tfc"), path.parent), _flat(table.get("set", {}), "set"))
    seeds = _seeds(table.get("seeds", [config.training.seed]))
    varied = list(itertools.islice(_varied(table), MOST_JOBS // len(seeds) + 1))
    if len(varied) * len(seeds) > MOST_JOBS:
        raise ConfigError(f"more than {MOST_JOBS:,} jobs", "make several studies of it")
    keys = tuple(dict.fromkeys(itertools.chain.from_iterable(varied)))
    if SEED in keys and "seeds" in table:
        raise ConfigError(f"both seeds and {SEED} are given", "keep one")
    jobs: list[Job] = []
    same: dict[str, int] = {}
    for settings in varied:
        made = change(config, settings)
        for seed in seeds if SEED not in settings else [made.training.seed]:
            resolved = replace(made, training=replace(made.training, seed=seed))
            key = hashlib.sha256(to_toml(resolved).encode()).hexdigest()[:16]
            if key in same:
                raise ConfigError(f"jobs {same[key]} and {len(jobs)} are the same: {settings}, seed {seed}")
            same[key] = len(jobs)
            jobs.append(Job(len(jobs), settings, seed, resolved, key))
    return Study(name, tuple(key for key in keys if key != SEED), tuple(jobs))


def _base(source: object, folder: Path) -> Config:
    if not isinstance(source, str):
        raise ConfigError(f"base = {source!r} is not valid", "expected a preset or a configuration's path")
    return load_config(source if source in presets() else folder / source)


def _varied(table: Mapping[str, Any]) -> Iterator[Settings]:
    """Settings of each job, seeds aside."""
    grid = _flat(table.get("grid", {}), "grid")
    for key, values in grid.items():
        require(isinstance(values, list) and bool(values), f"grid.{key}", values, "a list of values")
    listed = table.get("job", [{}])
    require(isinstance(listed, list) and bool(listed), "job", listed, "[[job]] tables")
    for job in listed:
        fixed = _flat(job, "job")
        if both := fixed.keys() & grid.keys():
            raise ConfigError(f"{min(both)} is in [[job]] and in [grid]", "keep one")
        for point in itertools.product(*grid.values()):
            yield fixed | dict(zip(grid, point, strict=True))


def _seeds(given: object) -> list[int]:
    if type(given) is int and 1 <= given <= MOST_JOBS:
        return list(range(given))
    if isinstance(given, list) and given and all(type(seed) is int for seed in given):
        return given
    raise ConfigError(f"seeds = {given!r} is not valid", "expected how many, or a list of whole numbers")


def _flat(table: object, path: str) -> Settings:
    """A table's values by dotted key; a table within is a part of the key."""
    if not isinstance(table, dict):
        raise ConfigError(f"{path} = {table!r} is not valid", "expected a table of settings")
    flat: Settings = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": each for inner, each in _flat(value, f"{path}.{key}").items()}
        else:
            flat[key] = value
    return flat
