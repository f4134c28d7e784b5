"""Hundreds of small trainings at once, each as ``bnnedge train`` would do it alone.

A run has its own seed, which gives its initial weights and its orders of samples, its own share of the
training split, and its own early stop, at which it leaves the program. The complexity of its weight bits is
measured after every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from bnnedge.data.dataset import Dataset, Split
from bnnedge.errors import ConfigError, DataError
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.runs.config import Config
from bnnedge.studies.recorder import Recorder
from bnnedge.studies.series import RunSeries, Scores, SeriesBuilder
from bnnedge.studies.stack import Stack

__all__ = ["Lesson", "train_together"]

# Samples that all runs see at a time in evaluation.
_EVALUATED = 1000

Integers = NDArray[np.int64]


Standard = tuple[float, float]
"""A mean and a standard deviation of inputs."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one run is to learn from.

    Attributes:
        seed: as ``training.seed``.
        samples: (samples,) int64, places in the training split.
        labels: (samples,) int64, what these are said to be: the set's labels, but for a control.
    """

    seed: int
    samples: Integers
    labels: Integers


def train_together(
    config: Config, data: Dataset, lessons: Sequence[Lesson], standard: Standard | None = None
) -> list[RunSeries]:
    """Train one network on each lesson.

    A run computes what ``bnnedge.training.loop.train`` does with its seed and samples: the same initial
    weights, orders and batches, to the last bit. Sums over a batch are rounded in another order. With
    ``identity`` gradients that decides signs before long: the next layer's batch-norm takes back what a
    hidden offset adds, so its gradient is 0 but for rounding, which Adam makes steps of, and a sum that is
    its batch's mean has the sign of those. With other gradients, in float64 (PyTorch's default type, if the
    caller so sets it), no sign differs for as long as was tried.
    The best epoch is that of the smallest validation loss. PyTorch's thread count is the caller's to set.

    Args:
        config: one configuration for all but the seed.
        data: training pool, validation and test split.
        lessons: one for each run, all of as many samples.
        standard: what is taken off the inputs, and what they are divided by; None: 0 and 1, as they are.

    Returns:
        The runs, in the order of their lessons.

    Raises:
        ConfigError: settings that cannot be trained many at a time, or a batch larger than a lesson.
        DataError: no lessons, or lessons of different sizes.
    """
    sizes = {len(lesson.samples) for lesson in lessons} | {len(lesson.labels) for lesson in lessons}
    if len(sizes) != 1:
        raise DataError(
            f"lessons of {sorted(sizes)} samples cannot be learnt together",
            "give at least one, and to all as many samples and labels",
        )
    if config.training.batch_size > (size := sizes.pop()):
        raise ConfigError(
            f"training.batch_size = {config.training.batch_size} is more than the {size} samples of a lesson"
        )
    return _Together(config, data, lessons, standard or (0.0, 1.0)).train()


class _Together:
    """The runs that are still trained: ``_live`` says which lesson each place of the stack is of."""

    def __init__(self, config: Config, data: Dataset, lessons: Sequence[Lesson], standard: Standard) -> None:
        self._mean, self._deviation = standard
        self._settings, self._data, self._lessons = config.training, data, lessons
        self._stack = Stack([_network(config, data, lesson) for lesson in lessons], config)
        self._pool = torch.from_numpy(data.train.inputs)
        self._labels = torch.from_numpy(np.stack([lesson.labels for lesson in lessons]))
        self._samples = torch.from_numpy(np.stack([lesson.samples for lesson in lessons]))
        self._recorder = Recorder(self._stack.weights)
        self._series = [
            SeriesBuilder(lesson.seed, signs)
            for lesson, signs in zip(lessons, self._recorder.signs(), strict=True)
        ]
        self._live = list(range(len(lessons)))

    def train(self) -> list[RunSeries]:
        finished: dict[int, RunSeries] = {}
        for epoch in range(1, self._settings.epochs + 1):
            losses = self._train_epoch(epoch)
            validation, test = self._validation_losses(), self._test_accuracies()
            courses, signs = self._recorder.epoch(), self._recorder.signs()
            for place, run in enumerate(self._live):
                scores = Scores(float(losses[place]), float(validation[place]), float(test[place]))
                self._series[run].add(scores, courses[place], signs[place])
            patience = self._settings.patience or self._settings.epochs
            staying = [
                place
                for place, run in enumerate(self._live)
                if epoch < self._settings.epochs and self._series[run].stale_epochs < patience
            ]
            if len(staying) < len(self._live):
                finished |= self._finish(staying)
            if not self._live:
                break
        return [finished[run] for run in range(len(self._lessons))]

    def _train_epoch(self, epoch: int) -> NDArray[np.float64]:
        """One epoch of every live run; (runs,) mean losses of its steps."""
        size, count = self._settings.batch_size, self._samples.shape[1]
        live = torch.tensor(self._live)
        order = torch.from_numpy(
            np.stack(
                [
                    np.random.default_rng((self._lessons[run].seed, epoch)).permutation(count)
                    for run in self._live
                ]
            )
        )
        samples = self._samples[live].gather(1, order)
        labels = self._labels[live].gather(1, order)
        losses = torch.zeros(len(live))
        for step in range(count // size):
            batch = slice(step * size, (step + 1) * size)
            inputs = self._floats(self._pool[samples[:, batch]])
            of_runs = cross_entropy(self._stack.logits(inputs), labels[:, batch], reduction="none").mean(1)
            self._stack.step(of_runs.sum())
            self._recorder.keep(self._stack.weights)
            losses += of_runs.detach()
        return losses.double().numpy() / (count // size)

    def _validation_losses(self) -> NDArray[np.float64]:
        """(runs,) mean losses."""
        return self._means(
            self._data.validation, lambda logits, labels: cross_entropy(logits, labels, reduction="none")
        )

    def _test_accuracies(self) -> NDArray[np.float64]:
        """(runs,) shares of correct labels."""
        return self._means(self._data.test, lambda logits, labels: logits.argmax(1) == labels)

    def _means(self, split: Split, score: Callable[[Tensor, Tensor], Tensor]) -> NDArray[np.float64]:
        """(runs,) means over a split of what each sample scores: (runs, samples) of logits and labels."""
        total = torch.zeros(self._stack.runs, dtype=torch.float64)
        for start in range(0, len(split.labels), _EVALUATED):
            some = slice(start, start + _EVALUATED)
            inputs = self._floats(torch.from_numpy(split.inputs[some]))
            logits = self._stack.evaluate(inputs)
            labels = torch.from_numpy(split.labels[some]).expand(self._stack.runs, -1)
            total += score(logits, labels).sum(1)
        return total.numpy() / len(split.labels)

    def _floats(self, inputs: Tensor) -> Tensor:
        floats = inputs.to(torch.get_default_dtype())
        return floats.sub_(self._mean).div_(self._deviation)

    def _finish(self, staying: Sequence[int]) -> dict[int, RunSeries]:
        """Let go of all runs but those of these places, and give what they leave."""
        before, self._live = self._live, [self._live[place] for place in staying]
        if staying:
            self._stack.keep(torch.tensor(staying))
            self._recorder.stay(staying)
        return {run: self._series[run].finished() for run in before if run not in self._live}


def _network(config: Config, data: Dataset, lesson: Lesson) -> BinaryNetwork:
    """The network that ``bnnedge train`` would start from."""
    torch.manual_seed(lesson.seed)
    encoding = first_encoding(config.net, data.shape, data.maximum, data.train.inputs[:1])
    return BinaryNetwork(encoding, data.classes, config.net)
