"""Options and look-ups that several verbs share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import Dataset
from bnnedge.data.registry import load_dataset
from bnnedge.errors import DataError
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import DataConfig
from bnnedge.runs.directory import newest_run
from bnnedge.runs.toml import parse_data_config

__all__ = ["data_option", "load_data", "newest_or", "runs_option", "spaced", "test_data", "test_inputs"]

runs_option = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where numbered run directories are kept.",
)

data_option = click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="Your own data file, or folder with your own copy of the set, in place of data.path.",
)


def newest_or(named: str | Path | None, runs: Path) -> Path | str:
    """What the user named, or else the newest run."""
    return named if named is not None else newest_run(runs).path


def spaced(names: Sequence[str], step: int) -> list[str]:
    """Every so many of a run's checkpoints, and always the best and the last."""
    last = len(names) - 1
    return [name for place, name in enumerate(names) if not place % step or "best" in name or place == last]


def load_data(config: DataConfig, place: Path | None) -> Dataset:
    """The data set of a configuration, from another place than the configured one where one is given.

    Raises:
        ConfigError: settings that cannot be.
        DataError: the set is not on this machine, or is no set to learn from.
        FileError: files that are broken, or not those of the set.
    """
    settings = dataclasses.asdict(config)
    return load_dataset(**settings | ({"path": place} if place is not None else {}))


def test_inputs(model: PackedModel, data: Path | None) -> NDArray[np.uint8]:
    """The test samples of the data set that a model says it was trained on: see :func:`test_data`."""
    return test_data(model, data).test.inputs


def test_data(model: PackedModel, data: Path | None) -> Dataset:
    """The data set that a model says it was trained on.

    Raises:
        DataError: it does not say, or the set is not on this machine.
    """
    table = model.provenance.get("data")
    if not isinstance(table, dict):
        raise DataError(
            "the checkpoint does not say which data it was trained on", "name a checkpoint of bnnedge train"
        )
    return load_data(parse_data_config(table), data)
