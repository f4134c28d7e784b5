"""What one run leaves: a value an epoch of its losses and complexities, and its weight bits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnnedge.archives import open_npz
from bnnedge.complexity.trajectory import Course
from bnnedge.errors import FileError
from bnnedge.files import write_atomically
from bnnedge.packed.bits import words_per_row
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["RunSeries", "Scores", "SeriesBuilder", "read_series", "write_series"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunSeries:
    """One run, epoch by epoch.

    Attributes:
        seed: of the run.
        train_loss: (epochs,) float64, mean of the losses of the epoch's steps, in nats.
        validation_loss: (epochs,) float64, at the end of the epoch.
        bdm: (parts, epochs) float64, bits, mean over the epoch's steps; the layers, and last all blocks
            pooled.
        block_entropy: (parts, epochs) float64, likewise, bits a block.
        signs: (epochs + 1, bytes) uint8, the packed words of all layers, at the start and after each epoch.
        test_accuracies: (epochs,) float64, 0 to 1, on the test split at the end of the epoch; no decision of
            the training depends on them.
    """

    seed: int
    train_loss: Numbers
    validation_loss: Numbers
    bdm: Numbers
    block_entropy: Numbers
    signs: NDArray[np.uint8]
    test_accuracies: Numbers

    @property
    def epochs(self) -> int:
        """Epochs that it was trained for."""
        return len(self.train_loss)

    @property
    def test_accuracy(self) -> float:
        """At the epoch of the smallest validation loss."""
        return float(self.test_accuracies[self.validation_loss.argmin()])

    @property
    def last_accuracy(self) -> float:
        """On the test split too, after the last epoch."""
        return float(self.test_accuracies[-1])

    def weights(self, epoch: int, shapes: Sequence[tuple[int, int]]) -> list[PackedMatrix]:
        """The layers after an epoch, 0 being the start, given their (outputs, inputs)."""
        matrices, start = [], 0
        for rows, columns in shapes:
            size = 8 * rows * words_per_row(columns)
            words = self.signs[epoch, start : start + size].copy().view(np.uint64)
            matrices.append(PackedMatrix(words.reshape(rows, -1), columns))
            start += size
        return matrices


class Scores(NamedTuple):
    """What an epoch of a run is worth: fields as those of :class:`RunSeries`, of one epoch."""

    train_loss: float
    validation_loss: float
    test_accuracy: float


class SeriesBuilder:
    """A run's series while it is trained.

    Attributes:
        stale_epochs: epochs since the smallest validation loss.
    """

    def __init__(self, seed: int, signs: NDArray[np.uint8]) -> None:
        self._seed, self._signs = seed, [signs]
        self._scores: list[Scores] = []
        self._complexities: list[Numbers] = []
        self.stale_epochs = 0

    def add(self, scores: Scores, courses: Sequence[Course], signs: NDArray[np.uint8]) -> None:
        """Add an epoch."""
        best = all(scores.validation_loss < before.validation_loss for before in self._scores)
        self.stale_epochs = 0 if best else self.stale_epochs + 1
        self._scores.append(scores)
        self._complexities.append(
            np.array([[course.bdm.mean(), course.block_entropy.mean()] for course in courses])
        )
        self._signs.append(signs)

    def finished(self) -> RunSeries:
        """The whole series."""
        train, validation, test = np.array(self._scores).T
        bdm, entropy = np.stack(self._complexities, axis=2).swapaxes(0, 1)
        signs = np.stack(self._signs)
        return RunSeries(self._seed, train, validation, bdm, entropy, signs, test)


_FIELDS = tuple(field.name for field in fields(RunSeries))


def write_series(path: Path, runs: Sequence[RunSeries]) -> None:
    """Write some runs to an ``.npz``, atomically.

    Raises:
        OutputError: the place cannot be written.
    """
    arrays = {f"{place}.{name}": getattr(run, name) for place, run in enumerate(runs) for name in _FIELDS}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_atomically(path, stream.getvalue())


def read_series(path: Path) -> list[RunSeries]:
    """Read them back, in order.

    Raises:
        FileError: missing, damaged, or something else.
    """
    with open_npz(path) as archive:
        count = len({name.partition(".")[0] for name in archive.names})
        try:
            return [_run({name: archive[f"{place}.{name}"] for name in _FIELDS}) for place in range(count)]
        except (KeyError, ValueError) as error:
            raise FileError(
                f"cannot read {path}: {error}", "remove it; what it held is computed again"
            ) from error


def _run(values: dict[str, NDArray[Any]]) -> RunSeries:
    arrays: dict[str, Any] = {name: value if value.ndim else value.item() for name, value in values.items()}
    return RunSeries(**arrays)
