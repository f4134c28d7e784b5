"""Early stopping and the choice of a run by complexity, as tables of scripts/reproduce_paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.paper import Row
from bnnedge.studies.paper_tables import interval, widths_of
from bnnedge.studies.series import RunSeries
from bnnedge.studies.statistics import Estimate
from bnnedge.studies.stopping import (
    ALLOWED_LOSS,
    RULES,
    SIGNALS,
    VALIDATION_RULE,
    Ranking,
    Rule,
    Stop,
    accuracies,
    chosen,
    fixed_stops,
    lost,
    ranking,
    signals_of,
    stops,
)

__all__ = ["Trial", "ranking_table", "rankings", "stopping_table", "trials"]

REFERENCE = "validation loss"

_STOPPING = (
    Column("runs", "tested on"),
    Column("count", "runs", ",d"),
    Column("signal", "signal"),
    Column("rule", "rule"),
    Column("epochs", "epochs\nspent", ".1f"),
    Column("kept", "epoch\nkept", ".1f"),
    Column("test_accuracy", "test\naccuracy", ".2%"),
    Column("lost", "points lost\n95 %"),
)
_RANKING = (
    Column("row", "row"),
    Column("runs", "runs", ",d"),
    Column("signal", "signal"),
    Column("spearman", "Spearman with the test error\n95 %"),
    Column("gain", "points gained by the best of ten\n95 %"),
)


@dataclass(frozen=True)
class Trial:
    """What a rule did to some runs that it was not chosen on.

    Attributes:
        runs: which, in words.
        signal: of :data:`SIGNALS`, or what takes its place.
        rule: its settings, in words.
        stops: of each run.
        accuracy: mean share of test images that the kept networks have right.
        lost: share of test images lost against the validation loss.
    """

    runs: str
    signal: str
    rule: str
    stops: Sequence[Stop]
    accuracy: float
    lost: Estimate


def trials(whole: Mapping[Row, Sequence[RunSeries]]) -> list[Trial]:
    """Choose each signal's rule on the first half of the first row's runs, and try it on all others.

    Args:
        whole: runs trained for all epochs, at least one row.

    Raises:
        DataError: fewer than two runs of the first row.
    """
    (row, runs), *others = whole.items()
    half = len(runs) // 2
    if not half:
        raise DataError("there are too few runs to choose a rule on", "train two or more")
    rules, epoch = _choices(runs[:half], signals_of(runs[:half], widths_of(row)))
    found = []
    for name, tested, widths in (
        (f"{row.name}, second half", runs[half:], widths_of(row)),
        *((f"{other.name}, all", tested, widths_of(other)) for other, tested in others),
    ):
        found += _tried(name, tested, signals_of(tested, widths), rules, epoch)
    return found


def stopping_table(found: Sequence[Trial]) -> Table:
    """The trials."""
    lines = [
        (
            one.runs,
            len(one.stops),
            one.signal,
            one.rule,
            float(np.mean([stop.epochs for stop in one.stops])),
            float(np.mean([stop.kept for stop in one.stops])),
            one.accuracy,
            _points(one.lost),
        )
        for one in found
    ]
    notes = (
        "A rule stops after so many epochs without a fall of its signal, and keeps the network of the"
        " smallest; a fall counts if it is more than the share in brackets of all that the signal fell.",
        "The rules were chosen on the first half of the first row's runs: of those within "
        f"{100 * ALLOWED_LOSS:g} points of the validation loss, the one of the fewest epochs.",
        "Points lost: of test accuracy, against the validation loss with the paper's patience, run by run.",
    )
    return Table("When to stop", _STOPPING, lines, notes=notes)


def rankings(row: Row, runs: Sequence[RunSeries]) -> dict[str, Ranking]:
    """Every signal's, of a row's runs."""
    return {name: ranking(runs, values) for name, values in signals_of(runs, widths_of(row)).items()}


def ranking_table(found: Mapping[Row, tuple[int, Mapping[str, Ranking]]]) -> Table:
    """Which run to keep, by row: how many runs, and their rankings."""
    lines: list[Sequence[Cell]] = [
        (row.name, count, name, interval(one.coefficient), _points(one.gain))
        for row, (count, signals) in found.items()
        for name, one in signals.items()
    ]
    notes = (
        "Signals at each run's best epoch, by validation loss; 1 would be a signal that ranks runs as their"
        " test error does.",
        "Best of ten: test accuracy of the run of the smallest signal in each ten, less the mean of the ten.",
    )
    return Table("Which run to keep", _RANKING, lines, notes=notes)


def _choices(
    runs: Sequence[RunSeries], signals: Mapping[str, Sequence[NDArray[np.float64]]]
) -> tuple[dict[str, Rule], int]:
    """Each signal's rule, and the fixed epoch."""
    reference = [stops(values, VALIDATION_RULE) for values in signals[REFERENCE]]
    rules = {
        name: chosen(
            runs, reference, {rule: [stops(values, rule) for values in signals[name]] for rule in RULES}
        )
        for name in SIGNALS
        if name != REFERENCE
    }
    lengths = range(1, min(run.epochs for run in runs) + 1)
    fixed = chosen(runs, reference, {epoch: fixed_stops(runs, epoch) for epoch in lengths})
    return {REFERENCE: VALIDATION_RULE, **rules}, fixed


def _tried(
    name: str,
    runs: Sequence[RunSeries],
    signals: Mapping[str, Sequence[NDArray[np.float64]]],
    rules: Mapping[str, Rule],
    epoch: int,
) -> list[Trial]:
    plans = {
        (signal, _words(rule)): [stops(values, rule) for values in signals[signal]]
        for signal, rule in rules.items()
    }
    last = min(run.epochs for run in runs)
    plans["none", f"epoch {epoch}"] = fixed_stops(runs, epoch)
    plans["none", f"epoch {last}, the last"] = fixed_stops(runs, last)
    reference = plans[REFERENCE, _words(VALIDATION_RULE)]
    return [
        Trial(name, signal, rule, where, float(accuracies(runs, where).mean()), lost(runs, reference, where))
        for (signal, rule), where in plans.items()
    ]


def _words(rule: Rule) -> str:
    return f"{rule.patience} epochs" + (f" ({rule.tolerance:.0%})" if rule.tolerance else "")


def _points(estimate: Estimate) -> str:
    value, low, high = (100 * number for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.2f} ({low:+.2f} – {high:+.2f})".replace("-", "−")
