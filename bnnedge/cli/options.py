"""Options and look-ups that several verbs share."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from bnnedge.data.registry import load_dataset
from bnnedge.errors import DataError
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import parse_data_config
from bnnedge.runs.directory import newest_run

__all__ = ["data_dir_option", "newest_or", "runs_option", "test_inputs"]

runs_option = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where numbered run directories are kept.",
)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with your own copy of the data set; otherwise the cache of scripts/fetch_datasets.",
)


def newest_or(named: str | Path | None, runs: Path) -> Path | str:
    """What the user named, or else the newest run."""
    return named if named is not None else newest_run(runs).path


def test_inputs(model: PackedModel, data_dir: Path | None) -> NDArray[np.uint8]:
    """The test split of the data set that a model says it was trained on.

    Raises:
        DataError: it does not say, or the set is not on this machine.
    """
    table = model.provenance.get("data")
    if not isinstance(table, dict):
        raise DataError(
            "the checkpoint does not say which data it was trained on", "name a checkpoint of bnnedge train"
        )
    return load_dataset(**dataclasses.asdict(parse_data_config(table)), data_dir=data_dir).test.inputs
