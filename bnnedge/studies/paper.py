"""The runs of Sakabe et al., "Binarized Neural Networks Converge Toward Algorithmic Simplicity".

arXiv 2505.20646; Front. Comput. Neurosci. 20:1791546, 2026. The network is the preset ``paper-mnist``:
batch-norm after each layer, the output layer too, and real logits. The paper standardises pixels (mean
0.1307, sd 0.3081); here, but in the rows of that name, the first layer takes them as whole numbers 0 to 255.
An affine map of the inputs moves each of that layer's sums by a constant and scales it, which its batch-norm
takes back, in the gradients too: but for the 1e-5 that batch-norm adds to a variance, the steps are the same.
What is not the same is a network's evaluation. The constant changes whenever a weight flips, by twice the
mean of its pixel, and running means lag behind it; so validation losses are higher than with standardised
pixels, and runs stop elsewhere.

A row is one configuration of the paper; its runs have the seeds 0, 1, 2, … and are kept, ten to a file, so
that more of them can be asked for later.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from bnnedge.data.dataset import Dataset, Split
from bnnedge.data.registry import load_dataset
from bnnedge.data.splits import stratified
from bnnedge.files import writing
from bnnedge.runs.config import Config
from bnnedge.runs.toml import change, load_config
from bnnedge.studies.batched import Lesson, train_together
from bnnedge.studies.series import RunSeries, read_series, write_series
from bnnedge.studies.stack import telling_settings

__all__ = [
    "CONTROL_EPOCHS",
    "RUNS_TOGETHER",
    "SETS",
    "Published",
    "Row",
    "chunks",
    "config_of",
    "data_of",
    "is_trained",
    "lesson_of",
    "runs_of",
    "train_chunk",
    "whole",
]

RUNS_TOGETHER = 10
"""Runs in one program and one file: the tensors of ten fit a core's cache."""

CONTROL_EPOCHS = 14
"""Of what is trained for a fixed number of epochs."""

STANDARD = (255 * 0.1307, 255 * 0.3081)
"""Mean and deviation that the paper standardises pixels by, here of 0 to 255."""

Interval = tuple[float, float]
Control = Literal["none", "permuted labels", "random data"]


@dataclass(frozen=True)
class Published:
    """What the paper's table has for a row, read second-hand.

    Attributes:
        block_entropy: 95 % interval of Pearson's coefficient with the training loss.
        bdm: likewise.
        accuracy: on the test split, mean and standard deviation over runs, in percent.
    """

    block_entropy: Interval
    bdm: Interval
    accuracy: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        name: of its folder.
        data: name of the set; its images are resized to 10x10.
        hidden: widths of the hidden layers.
        control: which of the paper's controls, if any: labels permuted among a run's samples, or pixels and
            labels all drawn at random; both are trained for 14 epochs.
        whole: trained for all 50 epochs, with no early stop, to see what another stop would have done.
        standardised: whether pixels are standardised as the paper's are, in evaluation too.
        published: the paper's figures, where they are known here.
    """

    name: str
    data: str = "mnist"
    hidden: tuple[int, ...] = (32, 16)
    control: Control = "none"
    whole: bool = False
    standardised: bool = False
    published: Published | None = None


_MNIST = Row("mnist", published=Published((0.74, 0.79), (0.92, 0.94), (79.5, 1.0)))
_FASHION = Row("fashion", "fashion-mnist", published=Published((0.03, 0.17), (0.30, 0.46), (73.1, 0.9)))

SETS: Mapping[str, tuple[Row, ...]] = {
    "mnist": (_MNIST,),
    "fashion": (_FASHION,),
    "widths": (
        Row("width-8-4", hidden=(8, 4)),
        Row("width-16-8", hidden=(16, 8)),
        _MNIST,
        Row("width-64-32", hidden=(64, 32)),
        Row("width-128-64", hidden=(128, 64)),
    ),
    "depths": (
        Row("depth-1", hidden=(32,)),
        _MNIST,
        Row("depth-3", hidden=(32, 16, 16)),
        Row("depth-4", hidden=(32, 16, 16, 16)),
    ),
    "permuted": (Row("permuted", control="permuted labels"),),
    "random": (Row("random", control="random data"),),
    "standardised": tuple(
        dataclasses.replace(row, name=f"{row.name}-standardised", standardised=True)
        for row in (_MNIST, _FASHION)
    ),
    "digits": (Row("digits", "digits"),),
}
"""Rows by the name that scripts/reproduce_paper has for them. The paper's widths at other depths than two
are not known here: ours go on with layers of 16. Digits are embedded, and no row of the paper's."""


def whole(row: Row) -> Row:
    """The same row without its early stop."""
    return dataclasses.replace(row, name=f"{row.name}-whole", whole=True, published=None)


def config_of(row: Row) -> Config:
    """How the row's networks are trained; the seed is each run's own."""
    settings: dict[str, object] = {"data.name": row.data, "net.hidden": list(row.hidden)}
    if row.control != "none":
        settings |= {"training.epochs": CONTROL_EPOCHS}
    if row.control != "none" or row.whole:
        settings |= {"training.patience": 0}
    return change(load_config("paper-mnist"), settings)


def chunks(runs: int) -> Iterator[range]:
    """The seeds of a row's first runs, as they go into files.

    >>> list(chunks(20))
    [range(0, 10), range(10, 20)]
    """
    return (range(start, start + RUNS_TOGETHER) for start in range(0, runs, RUNS_TOGETHER))


def is_trained(row: Row, seeds: range, folder: Path) -> bool:
    """Whether the runs of these seeds have their file."""
    return _file(row, seeds, folder).exists()


def train_chunk(row: Row, seeds: range, folder: Path) -> None:
    """Train runs of a row into their file. PyTorch's thread count is the caller's to set.

    Raises:
        DataError: the set is not on this machine.
        OutputError: the folder cannot be written.
    """
    path = _file(row, seeds, folder)
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    data = data_of(row)
    lessons = [lesson_of(row, data, seed) for seed in seeds]
    write_series(path, train_together(config_of(row), data, lessons, STANDARD if row.standardised else None))


def runs_of(row: Row, runs: int, folder: Path) -> list[RunSeries]:
    """The first runs of a row, all trained before.

    Raises:
        FileError: a file of theirs is missing or damaged.
    """
    series = [run for seeds in chunks(runs) for run in read_series(_file(row, seeds, folder))]
    return series[:runs]


def lesson_of(row: Row, data: Dataset, seed: int) -> Lesson:
    """What a run learns from: a stratified half of the training split, drawn by its seed."""
    _, half = stratified(data.train.labels, 0.5, seed)
    labels = data.train.labels[half]
    if row.control == "permuted labels":
        labels = np.random.default_rng((seed, 3)).permutation(labels)
    return Lesson(seed, half, labels)


@cache
def data_of(row: Row) -> Dataset:
    """The set of a row's runs, whole: its training split is what they take their halves of.

    Raises:
        DataError: it is not on this machine.
    """
    settings = config_of(row).data
    data = load_dataset(
        settings.name,
        resize=settings.resize,
        validation=settings.validation,
        split_seed=settings.split_seed,
    )
    if row.control != "random data":
        return data
    rng = np.random.default_rng(0)

    def noise(split: Split) -> Split:
        inputs = rng.integers(0, data.maximum, split.inputs.shape, dtype=np.uint8, endpoint=True)
        return Split(inputs, rng.integers(0, data.classes, len(split.labels)))

    train, validation, test = map(noise, (data.train, data.validation, data.test))
    return dataclasses.replace(
        data, train=train, validation=validation, test=test, source="random numbers", verified=False
    )


def _file(row: Row, seeds: range, folder: Path) -> Path:
    """Named after the settings too, so that runs of others are never taken for these."""
    settings = telling_settings(config_of(row)) | {"control": row.control}
    settings |= {"standard": STANDARD} if row.standardised else {}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return folder / row.name / f"{digest[:8]}-{seeds.start:04d}.npz"
