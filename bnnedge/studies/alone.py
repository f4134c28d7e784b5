"""Networks trained one by one, as ``bnnedge train`` does it, for what the paper left open.

Convolutions cannot be trained many at a time, and the discrete local learning coefficient wants the
thresholds of every epoch. So these runs are run directories, with a checkpoint an epoch; each has the
protocol of the paper's MNIST row, its own seed and half of the samples, and a fixed number of epochs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import Dataset, Split
from bnnedge.errors import FileError
from bnnedge.llc.discrete import DiscreteEstimate, FlipSampling, dllc
from bnnedge.packed.file import load_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import change
from bnnedge.studies.correlation import Correlation, correlate
from bnnedge.studies.paper import CONTROL_EPOCHS, Row, config_of, data_of, lesson_of
from bnnedge.training.loop import train

__all__ = ["NETWORKS", "Coefficient", "alone_config", "coefficients", "layer_correlations", "train_alone"]

NETWORKS: Mapping[str, Mapping[str, object]] = {
    "dense": {},
    "convolutional": {
        "net.conv": [{"channels": 8, "pool": 2}, {"channels": 16}],
        "net.hidden": [32],
    },
}
"""Changes of the paper's settings, by name: its own network, and 3x3 convolutions before one hidden layer."""


@dataclass(frozen=True)
class Coefficient:
    """A discrete local learning coefficient beside the other measures of its epoch.

    Attributes:
        seed: of the run.
        epoch: after which the network was measured.
        train_loss: mean of the epoch's steps, in nats.
        bdm: of all blocks, in bits, mean of the epoch's steps.
        estimate: of the packed network.
    """

    seed: int
    epoch: int
    train_loss: float
    bdm: float
    estimate: DiscreteEstimate


def alone_config(name: str, seed: int, *, data: str = "mnist", epochs: int = CONTROL_EPOCHS) -> Config:
    """How a network of :data:`NETWORKS` is trained."""
    fixed = {
        "training.epochs": epochs,
        "training.patience": 0,
        "training.seed": seed,
        "training.threads": 1,
        "training.track": "steps",
        "training.checkpoint_every": 1,
    }
    return change(config_of(Row(name, data)), {**fixed, **NETWORKS[name]})


def train_alone(config: Config, folder: Path, say: Callable[[str], None]) -> RunDirectory:
    """Train a network into a folder, or go on where it was interrupted; one that is finished stays as it is.

    Raises:
        DataError: the set is not on this machine.
        FileError: the folder holds a run of other settings.
        OutputError: it cannot be written.
    """
    run = RunDirectory(folder)
    with run.held():
        if not run.config_file.exists():
            RunDirectory.create(folder, config)
        if run.config() != config:
            raise FileError(f"{folder} holds a run of other settings", "remove it, or say another folder")
        if not run.finished():
            train(config, _half(config), run, lambda record: say(f"{folder.name}: epoch {record['epoch']}"))
    return run


def layer_correlations(runs: Sequence[RunDirectory]) -> dict[str, Correlation]:
    """How BDM follows the training loss in each layer, and last of all blocks pooled: epoch means."""
    losses = [_losses(run) for run in runs]
    names, _ = _complexities(runs[0])
    measures = [_complexities(run)[1] for run in runs]
    return {name: correlate(losses, [of_run[part] for of_run in measures]) for part, name in enumerate(names)}


def coefficients(
    run: RunDirectory, epochs: Sequence[int], samples: int, sampling: FlipSampling
) -> list[Coefficient]:
    """The discrete local learning coefficient of a run's networks after some epochs.

    Args:
        run: finished, with a checkpoint an epoch.
        epochs: from 1.
        samples: the first so many of those that the run was trained on.
        sampling: of flips.

    Raises:
        ConfigError: a sampling that cannot be.
        FileError: no checkpoint of an epoch.
    """
    config = run.config()
    split = _half(config).train
    paths = list(run.checkpoints().values())
    losses, (_, bdm) = _losses(run), _complexities(run)
    found = []
    for epoch in epochs:
        if epoch >= len(paths):
            raise FileError(f"{run.path} has no checkpoint of epoch {epoch}")
        model = load_packed(paths[epoch])
        estimate = dllc(model, split.inputs[:samples], split.labels[:samples], sampling)
        found.append(
            Coefficient(config.training.seed, epoch, losses[epoch - 1], bdm[-1, epoch - 1], estimate)
        )
    return found


def _half(config: Config) -> Dataset:
    """The set with what a run of this seed learns from as its training split."""
    row = Row(config.name, config.data.name)
    data = data_of(row)
    lesson = lesson_of(row, data, config.training.seed)
    return dataclasses.replace(data, train=Split(data.train.inputs[lesson.samples], lesson.labels))


def _losses(run: RunDirectory) -> NDArray[np.float64]:
    return np.array([record["train_loss"] for record in run.records()], dtype=np.float64)


def _complexities(run: RunDirectory) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the layers and ``all``; (parts, epochs) BDM, mean over the epoch's steps."""
    steps = run.trajectory()
    if steps is None:
        raise FileError(f"{run.path} has no trajectory", "remove it; it is trained again")
    epochs = len(run.records())
    return steps.names, steps.bdm.reshape(len(steps.names), epochs, -1).mean(axis=2)
