"""Early stopping and the choice of a run by measures that need no validation set, beside those that do.

A signal is a number an epoch, known when the epoch ends, that training makes small. A rule stops when the
signal has not fallen for some epochs, and keeps the network of its smallest value. A rule has two settings;
they are chosen on some runs, and what it is worth is said of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.neighbours import agreement_inputs
from bnnedge.errors import DataError
from bnnedge.studies.series import RunSeries
from bnnedge.studies.statistics import Estimate, bootstrap, spearman

__all__ = [
    "RULES",
    "SIGNALS",
    "VALIDATION_RULE",
    "Ranking",
    "Rule",
    "Stop",
    "accuracies",
    "chosen",
    "fixed_stops",
    "lost",
    "ranking",
    "signals_of",
    "stops",
]

Choice = TypeVar("Choice")

Numbers = NDArray[np.float64]
Widths = Sequence[int]

ALLOWED_LOSS = 0.001
"""Share of test images that a rule may lose against the validation loss and yet be chosen for few epochs."""
PATIENCES = (1, 2, 3, 5, 8)
TOLERANCES = (0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Rule:
    """When to stop.

    Attributes:
        patience: epochs without a fall after which training stops.
        tolerance: a fall counts if it is more than this share of all that the signal fell since epoch 1.
    """

    patience: int
    tolerance: float = 0.0


VALIDATION_RULE = Rule(5)
"""What the paper does with the validation loss; it is given, not chosen."""
RULES = tuple(Rule(*settings) for settings in product(PATIENCES, TOLERANCES))


@dataclass(frozen=True)
class Stop:
    """Where a rule stops a run.

    Attributes:
        epochs: that were trained for.
        kept: the epoch whose network is kept, from 1.
    """

    epochs: int
    kept: int


def _disagreement(run: RunSeries, widths: Widths) -> Numbers:
    shapes = [(rows, columns) for columns, rows in pairwise(widths)]
    firsts = (run.weights(epoch, shapes)[0] for epoch in range(1, run.epochs + 1))
    return np.array([1 - agreement_inputs(first) for first in firsts])


SIGNALS: Mapping[str, Callable[[RunSeries, Widths], Numbers]] = {
    "validation loss": lambda run, _: run.validation_loss,
    "training loss": lambda run, _: run.train_loss,
    "BDM": lambda run, _: run.bdm[-1],
    "block entropy": lambda run, _: run.block_entropy[-1],
    "neighbours disagree": _disagreement,
}
"""Signals by name, of a run and its network's widths, input and output among them: losses and complexities of
all blocks as means over the epoch's steps, and the share of neighbouring first-layer weights that differ at
its end."""


def signals_of(runs: Iterable[RunSeries], widths: Widths) -> dict[str, list[Numbers]]:
    """Every signal of every run, (epochs,) each."""
    runs = list(runs)
    return {name: [signal(run, widths) for run in runs] for name, signal in SIGNALS.items()}


def stops(signal: Numbers, rule: Rule) -> Stop:
    """Where a rule stops a run: what it does at an epoch depends on no later one.

    >>> stops(np.array([5.0, 3.0, 2.0, 2.1, 2.2, 1.0]), Rule(2))
    Stop(epochs=5, kept=3)
    >>> stops(np.array([5.0, 3.0, 2.9, 2.8, 2.7]), Rule(2, tolerance=0.1))
    Stop(epochs=4, kept=4)
    """
    level, fell = signal[0], 0
    for epoch, value in enumerate(signal):
        if value < level - rule.tolerance * max(0.0, signal[0] - level):
            level, fell = value, epoch
        if epoch - fell >= rule.patience:
            break
    return Stop(epoch + 1, int(signal[: epoch + 1].argmin()) + 1)


def fixed_stops(runs: Sequence[RunSeries], epoch: int) -> list[Stop]:
    """All runs stopped after the same number of epochs, the last network kept."""
    return [Stop(epoch, epoch)] * len(runs)


def accuracies(runs: Sequence[RunSeries], where: Sequence[Stop]) -> Numbers:
    """(runs,) test accuracies of the networks that are kept."""
    return np.array([run.test_accuracies[stop.kept - 1] for run, stop in zip(runs, where, strict=True)])


def chosen(
    runs: Sequence[RunSeries], reference: Sequence[Stop], candidates: Mapping[Choice, Sequence[Stop]]
) -> Choice:
    """The candidate of the fewest epochs among those that lose at most :data:`ALLOWED_LOSS`.

    Where all lose more, that of the highest accuracy.

    Raises:
        DataError: no candidates.
    """
    if not candidates:
        raise DataError("there is no rule to choose from")
    least = accuracies(runs, reference).mean() - ALLOWED_LOSS
    scores = {
        choice: (accuracies(runs, where).mean(), np.mean([stop.epochs for stop in where]))
        for choice, where in candidates.items()
    }
    enough = [choice for choice, (accuracy, _) in scores.items() if accuracy >= least]
    if enough:
        return min(enough, key=lambda choice: scores[choice][1])
    return max(scores, key=lambda choice: scores[choice][0])


def lost(runs: Sequence[RunSeries], reference: Sequence[Stop], where: Sequence[Stop]) -> Estimate:
    """Mean share of test images lost against a reference, run by run, with its interval over runs."""
    losses = accuracies(runs, reference) - accuracies(runs, where)
    return bootstrap(lambda drawn: float(losses[drawn].mean()), len(losses))


@dataclass(frozen=True)
class Ranking:
    """How well a signal tells good runs from bad.

    Attributes:
        coefficient: Spearman's, of the signal at each run's best epoch and its error on the test split, so
            that 1 is a signal that knows.
        gain: share of test images that the run of the smallest signal in each ten has right beyond the mean
            of the ten.
    """

    coefficient: Estimate
    gain: Estimate


def ranking(runs: Sequence[RunSeries], signal: Sequence[Numbers], group: int = 10) -> Ranking:
    """Rank runs by a signal at the epoch of their smallest validation loss.

    Args:
        runs: of one configuration.
        signal: of each run, (epochs,).
        group: runs among which one is chosen; runs beyond a whole number of groups are left out of the gain.

    Raises:
        DataError: fewer runs than a group has.
    """
    if len(runs) < group:
        raise DataError(f"{len(runs)} runs are too few to choose one of {group}", f"train at least {group}")
    finals = np.array(
        [values[run.validation_loss.argmin()] for run, values in zip(runs, signal, strict=True)]
    )
    errors = np.array([1 - run.test_accuracy for run in runs])
    whole = len(runs) // group * group
    grouped = errors[:whole].reshape(-1, group)
    best = finals[:whole].reshape(-1, group).argmin(axis=1)
    gains = grouped.mean(axis=1) - grouped[np.arange(len(grouped)), best]
    return Ranking(
        bootstrap(lambda drawn: spearman(finals[drawn], errors[drawn]), len(runs)),
        bootstrap(lambda drawn: float(gains[drawn].mean()), len(gains)),
    )
