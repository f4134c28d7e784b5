"""Options and look-ups that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from bnnedge.runs.config import presets
from bnnedge.runs.directory import newest_run

__all__ = ["data_dir_option", "newest_or", "runs_option", "shown"]

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


def shown(checkpoint: Path) -> str:
    """What reports call a checkpoint: its path as the user may type it, or the name of a preset."""
    folder = checkpoint.parent
    return folder.name if presets().get(folder.name) == folder / "config.toml" else str(checkpoint)


def newest_or(named: str | Path | None, runs: Path) -> Path | str:
    """What the user named, or else the newest run."""
    return named if named is not None else newest_run(runs).path
