"""``bnnedge train``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bnnedge.cli.options import data_option, load_data, runs_option
from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError
from bnnedge.hardware.boards import DEFAULT_BOARD, board
from bnnedge.hardware.budget import warnings_for
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory, newest_run, next_run
from bnnedge.runs.tensorboard import check_tensorboard, tensorboard_log
from bnnedge.runs.toml import load_config, override

DEFAULT = "digits-tfc"


@click.command("train")
@click.argument("config", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run directory; default: a new number in --runs."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Same as --set training.epochs=N.")
@click.option("--seed", type=click.IntRange(min=0), help="Same as --set training.seed=N.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one setting; may be repeated."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "auto"]),
    help="Same as --set training.device=…; auto: a GPU where there is one.",
)
@click.option(
    "--log",
    type=click.Choice(["tensorboard"]),
    help="Also write event files, into the run directory; needs pip install 'bnnedge[tensorboard]'.",
)
@click.option("--resume", is_flag=True, help="Go on with --out, or with the newest run.")
@data_option
@runs_option
def command(
    config: str | None,
    out: Path | None,
    epochs: int | None,
    seed: int | None,
    settings: tuple[str, ...],
    device: str | None,
    log: str | None,
    resume: bool,
    data: Path | None,
    runs: Path,
) -> None:
    """Train a network whose weights and activations are all 1 bit.

    CONFIG is a preset or a TOML file; without one, the embedded default (8x8 digits) is trained.
    The run directory gets config.toml, metrics.jsonl, a packed checkpoint for each epoch, and run.json.
    A run that was interrupted goes on with --resume, to the same bits as if it had not been.
    """
    changes = [*settings]
    changes += [f"training.epochs={epochs}"] if epochs is not None else []
    changes += [f"training.seed={seed}"] if seed is not None else []
    changes += [f"training.device={device}"] if device is not None else []
    if resume:
        if config is not None or changes:
            raise ConfigError(
                "a resumed run keeps its configuration",
                "leave out CONFIG, --set, --epochs, --seed and --device",
            )
        run = RunDirectory.open(out) if out is not None else newest_run(runs)
        resolved = run.config()
    else:
        resolved = override(load_config(config or DEFAULT), changes)
        if data is not None:
            resolved = dataclasses.replace(resolved, data=dataclasses.replace(resolved.data, path=str(data)))
    if log is not None:
        check_tensorboard()
    from bnnedge.training.checks import check
    from bnnedge.training.device import prepare_device

    prepare_device(resolved.training)  # what cannot be is said before there is a run directory
    dataset = load_data(resolved.data, data)
    check(resolved, dataset)
    for warning in _hardware_warnings(resolved, dataset):
        click.echo(f"Warning: {warning}", err=True)
    if not resume:
        run = RunDirectory(out) if out is not None else next_run(runs, resolved.name)
    with run.held():
        if not resume:
            RunDirectory.create(run.path, resolved)
        click.echo(
            f"{resolved.name}: {dataset.name}, {len(dataset.train.labels):,} training, "
            f"{len(dataset.validation.labels):,} validation, {len(dataset.test.labels):,} test samples"
            f"{'' if dataset.verified else ' (unverified files)'}"
        )
        summary = _train(resolved, dataset, run, log)
    best, test = summary["best"], summary["test"]
    click.echo(
        f"best epoch {best['epoch']}: validation {best['validation_accuracy']:.2%}, "
        f"test {test['accuracy']:.2%} of {test['samples']:,} (packed model)"
    )
    click.echo(f"run directory: {run.path}")


def _train(config: Config, dataset: Dataset, run: RunDirectory, log: str | None) -> dict[str, Any]:
    """Train, and show each epoch wherever that is wanted."""
    from bnnedge.training.loop import train

    try:
        with contextlib.ExitStack() as sinks:
            shows = [sinks.enter_context(_progress(config))]
            if log is not None:
                shows.append(sinks.enter_context(tensorboard_log(run)))

            def show(record: dict[str, Any]) -> None:
                for each in shows:
                    each(record)

            return train(config, dataset, run, show)
    except KeyboardInterrupt:
        click.echo(f"Go on with: bnnedge train --resume --out {run.path}", err=True)
        raise


def _hardware_warnings(config: Config, dataset: Dataset) -> list[str]:
    """Why the network could not be exported, or not be built for the default board."""
    geometry = geometry_of_config(config.net, dataset.shape, dataset.maximum, dataset.classes)
    return warnings_for(geometry, board(DEFAULT_BOARD))


@contextlib.contextmanager
def _progress(config: Config) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar with the newest figures on a terminal; one plain line an epoch elsewhere."""
    console = Console()
    epochs = config.training.epochs
    if not console.is_terminal:
        yield lambda record: click.echo(f"epoch {record['epoch']}/{epochs}  {_figures(record)}")
        return
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=epochs)

        def show(record: dict[str, Any]) -> None:
            progress.update(task, completed=record["epoch"], description=_figures(record))

        yield show


def _figures(record: dict[str, Any]) -> str:
    bdm = record["bdm"]["all"]
    charged = ""
    if "complexity_loss" in record:
        charged = f"complexity {record['complexity_loss']:.4f} (at {record['complexity_share']:.1%})  "
    return (
        f"loss {record['train_loss']:.4f}  {charged}train {record['train_accuracy']:.2%}  "
        f"validation {record['validation_accuracy']:.2%}  "
        f"BDM {'–' if bdm is None else format(bdm, ',.0f')} bits  {record['seconds']:.2f} s"
    )
