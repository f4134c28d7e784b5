"""Tables of scripts/reproduce_paper: what the paper published, beside ours, and what it did not control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.controls import CONTROLS, SIGNED, controlled
from bnnedge.studies.correlation import AGGREGATIONS, COEFFICIENTS, Correlation, correlate, trimmed
from bnnedge.studies.paper import Row, config_of, data_of
from bnnedge.studies.series import RunSeries
from bnnedge.studies.statistics import Estimate

__all__ = [
    "MEASURES",
    "Control",
    "accuracies_table",
    "controls_of",
    "controls_table",
    "correlations_of",
    "correlations_table",
    "interval",
    "lengths_of",
    "widths_of",
]

Numbers = NDArray[np.float64]
Runs = Mapping[Row, Sequence[RunSeries]]

MEASURES = {"bdm": "BDM", "block_entropy": "block entropy"}


@dataclass(frozen=True)
class Control:
    """What a control came to.

    Attributes:
        pearson: coefficient with the training loss, mean of runs.
        differences: likewise, of the steps from epoch to epoch.
        first: mean over runs, after epoch 1.
        last: mean over runs, after the last epoch that counts.
    """

    pearson: Estimate
    differences: Estimate
    first: float
    last: float


_CORRELATIONS = (
    Column("row", "row"),
    Column("hidden", "hidden"),
    Column("measure", "measure"),
    Column("coefficient", "coefficient"),
    *(Column(name.replace(" ", "_"), f"{name}\nour 95 %") for name in AGGREGATIONS),
    Column("differences", "epoch to epoch\nour 95 %"),
    Column("published", "published\n95 %"),
)
_ACCURACIES = (
    Column("row", "row"),
    Column("hidden", "hidden"),
    Column("runs", "runs", ",d"),
    Column("short", "too\nshort", ",d"),
    Column("epochs", "epochs,\nmean", ".1f"),
    Column("test_accuracy", "test accuracy\nat best epoch"),
    Column("last_accuracy", "test accuracy\nat the end"),
    Column("published", "published"),
)
_CONTROLLED = (
    Column("row", "row"),
    Column("hidden", "hidden"),
    Column("measure", "measure"),
    Column("mean_of_runs", "Pearson, mean of runs\nour 95 %"),
    Column("differences", "epoch to epoch\nour 95 %"),
    Column("first", "mean after\nepoch 1", ".4g"),
    Column("last", "mean after\nthe last epoch", ".4g"),
)
_CONTROL_NOTES = (
    "At the ends of epochs; the last epoch is that of the smallest validation loss.",
    "A run's permutation is the same in all its epochs and leaves the network's function as it is.",
)
_NOTES = (
    "Coefficients with the training loss; 95 % intervals by 1,000 bootstrap draws of runs.",
    "Published: the paper's Pearson intervals, read second-hand; how they aggregate runs is not stated.",
    "Epoch to epoch: of changes, which a trend that both share has no part in; mean of runs.",
    "Best epoch: of the smallest validation loss, five epochs before the end of a run that stopped.",
)


def correlations_table(found: Mapping[Row, Mapping[str, Correlation]]) -> Table:
    """How closely BDM and block entropy follow the training loss, by row."""
    lines = [
        cells
        for row, measures in found.items()
        for measure, one in measures.items()
        for cells in _correlation_cells(row, measure, one)
    ]
    return Table("Complexity and training loss", _CORRELATIONS, lines, notes=_NOTES[:3])


def accuracies_table(runs: Runs) -> Table:
    """How accurate the networks are, by row."""
    lines = [_accuracy_cells(row, series) for row, series in runs.items()]
    return Table("Accuracy", _ACCURACIES, lines, notes=_NOTES[3:])


def controls_table(found: Mapping[Row, Mapping[str, Control]]) -> Table:
    """What other measures and orders of the same bits do, by row."""
    lines = [
        (*_head(row), name, interval(one.pearson), interval(one.differences), one.first, one.last)
        for row, controls in found.items()
        for name, one in controls.items()
    ]
    return Table("What the paper did not control", _CONTROLLED, lines, notes=_CONTROL_NOTES)


def correlations_of(row: Row, series: Sequence[RunSeries]) -> dict[str, Correlation]:
    """Of all blocks pooled, by the name of the measure, as :class:`RunSeries` has it."""
    lengths = lengths_of(row, series)
    losses = [run.train_loss[:length] for run, length in zip(series, lengths, strict=True)]
    return {
        measure: correlate(
            losses, [getattr(run, measure)[-1, :n] for run, n in zip(series, lengths, strict=True)]
        )
        for measure in MEASURES
    }


def controls_of(row: Row, series: Sequence[RunSeries]) -> dict[str, Control]:
    """Every control, by its name; none where all runs are too short."""
    widths, lengths = widths_of(row), lengths_of(row, series)
    found = [controlled(run, widths, n) for run, n in zip(series, lengths, strict=True) if n]
    losses = [run.train_loss[:n] for run, n in zip(series, lengths, strict=True) if n]
    return {name: _control(name, losses, [of_run[name] for of_run in found]) for name in CONTROLS if found}


def lengths_of(row: Row, series: Sequence[RunSeries]) -> list[int]:
    """Epochs of each run that count."""
    return [trimmed(run, config_of(row).training.patience) for run in series]


def widths_of(row: Row) -> tuple[int, ...]:
    """Of a row's input, hidden layers and output."""
    data = data_of(row)
    return (data.train.inputs.shape[1], *row.hidden, data.classes)


def interval(estimate: Estimate) -> str | None:
    """An estimate with its interval, as tables have it; None where it is of no runs."""
    if not estimate.runs:
        return None
    return f"{estimate.value:.3f} ({estimate.low:.3f} – {estimate.high:.3f})".replace("-", "−")


def _control(name: str, losses: Sequence[Numbers], measures: Sequence[Numbers]) -> Control:
    ours = correlate(losses, measures, logarithmic=name not in SIGNED)
    first, last = (float(np.mean([values[end] for values in measures])) for end in (0, -1))
    return Control(ours.estimates["pearson", "mean of runs"], ours.differences["pearson"], first, last)


def _correlation_cells(row: Row, measure: str, found: Correlation) -> Iterator[Sequence[Cell]]:
    published = getattr(row.published, measure, None)
    for name in COEFFICIENTS:
        ours = [interval(found.estimates[name, aggregation]) for aggregation in AGGREGATIONS]
        theirs = f"{published[0]:.2f} – {published[1]:.2f}" if published and name == "pearson" else None
        yield (*_head(row), MEASURES[measure], name, *ours, interval(found.differences[name]), theirs)


def _accuracy_cells(row: Row, series: Sequence[RunSeries]) -> Sequence[Cell]:
    best, last = ([getattr(run, name) for run in series] for name in ("test_accuracy", "last_accuracy"))
    theirs = None if row.published is None else "{:.1f} ± {:.1f} %".format(*row.published.accuracy)
    epochs = float(np.mean([run.epochs for run in series]))
    short = sum(not length for length in lengths_of(row, series))
    return (*_head(row), len(series), short, epochs, _spread(best), _spread(last), theirs)


def _head(row: Row) -> tuple[str, str]:
    return row.name, ",".join(map(str, row.hidden))


def _spread(shares: Sequence[float]) -> str:
    return f"{100 * np.mean(shares):.1f} ± {100 * np.std(shares):.1f} %"
