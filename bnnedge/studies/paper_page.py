"""One page of what scripts/reproduce_paper found: conclusions, charts, and the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bnnedge.report.charts import Line, colour_of, line_chart
from bnnedge.report.curves import Curve, Key
from bnnedge.report.scatter import Dot, scatter_chart
from bnnedge.report.study_page import study_page
from bnnedge.report.table import Table
from bnnedge.studies.correlation import Correlation
from bnnedge.studies.paper import SETS, Row
from bnnedge.studies.paper_tables import MEASURES, Control, lengths_of
from bnnedge.studies.series import RunSeries
from bnnedge.studies.statistics import Estimate, mean_course, prepared
from bnnedge.studies.stopping_tables import Trial

__all__ = ["conclusions", "paper_page"]

_COURSES: Mapping[str, Callable[[RunSeries], NDArray[np.float64]]] = {
    "training loss": lambda run: run.train_loss,
    "BDM": lambda run: run.bdm[-1],
    "block entropy": lambda run: run.block_entropy[-1],
}
_COLOURS = {name: colour_of(place, len(_COURSES)) for place, name in enumerate(_COURSES)}
_OTHER = colour_of(7, 8)
_AGGREGATION = ("pearson", "mean of runs")
Correlations = Mapping[Row, Mapping[str, Correlation]]
Controls = Mapping[Row, Mapping[str, Control]]


def paper_page(
    runs: Mapping[Row, Sequence[RunSeries]],
    correlations: Correlations,
    controls: Controls,
    trials: Sequence[Trial],
    tables: Sequence[Table],
) -> str:
    """HTML.

    Args:
        runs: of every row.
        correlations: likewise, by measure.
        controls: of some rows, or none.
        trials: of rules for early stopping, or none.
        tables: in their order.
    """
    tiles = {"Rows": f"{len(runs):,}", "Runs": f"{sum(map(len, runs.values())):,}"}
    charts = [*_courses(runs), *_gaps(correlations), *_controls(controls), *_trials(trials)]
    keys = [*(Key(name, colour) for name, colour in _COLOURS.items()), Key("all others", _OTHER)]
    return study_page(
        "Complexity of weight bits in training",
        tiles,
        charts,
        keys,
        tables,
        {},
        kind="study",
        heading="Courses and coefficients",
        conclusions=list(conclusions(correlations, controls, trials)),
    )


def conclusions(correlations: Correlations, controls: Controls, trials: Sequence[Trial]) -> Iterator[str]:
    """What the figures allow to be said, sentence by sentence; of what was not asked for, nothing."""
    for row, measures in correlations.items():
        if row.published is not None:
            for measure, published in (
                ("bdm", row.published.bdm),
                ("block_entropy", row.published.block_entropy),
            ):
                ours = measures[measure].estimates[_AGGREGATION]
                yield f"{row.name}: {_beside(MEASURES[measure], ours, published)}."
        yield f"{row.name}: from epoch to epoch, {_shared(measures['bdm'].differences['pearson'])}."
    for row, found in controls.items():
        yield from _controlled(row, found)
    for trial in trials:
        if trial.signal in ("BDM", "none"):
            yield _tried(trial)


def _beside(measure: str, ours: Estimate, published: tuple[float, float]) -> str:
    overlap = "overlaps" if ours.overlaps(*published) else "does not overlap"
    low, high = published
    return (
        f"the interval of {measure}'s coefficient with the training loss, {_said(ours)} as a mean of runs, "
        f"{overlap} the published {low:.2f} to {high:.2f}"
    )


def _shared(estimate: Estimate) -> str:
    if not estimate.runs:
        return "no run has a coefficient"
    tells = "0 is in its interval" if estimate.overlaps(0, 0) else "0 is not in its interval"
    return f"without the trend that both share, BDM's coefficient is {_said(estimate)}: {tells}"


def _controlled(row: Row, found: Mapping[str, Control]) -> Iterator[str]:
    bdm, pixels = found["BDM"].pearson, found["BDM, pixels permuted"].pearson
    if pixels.runs:
        apart = "apart" if not bdm.overlaps(pixels.low, pixels.high) else "not apart"
        yield (
            f"{row.name}: with its pixels in a random order, which leaves the network's function as it is, "
            f"BDM's coefficient at the ends of epochs goes from {_said(bdm)} to {_said(pixels)}: their "
            f"intervals are {apart}."
        )
    closer = [
        name
        for name, one in found.items()
        if not name.startswith("BDM") and one.pearson.runs and abs(one.pearson.value) >= abs(bdm.value)
    ]
    if closer:
        yield f"{row.name}: as close to the training loss as BDM, or closer: {', '.join(closer)}."


def _tried(trial: Trial) -> str:
    epochs = float(np.mean([stop.epochs for stop in trial.stops]))
    value, low, high = (100 * number for number in (trial.lost.value, trial.lost.low, trial.lost.high))
    by = "BDM" if trial.signal == "BDM" else "no signal"
    return (
        f"{trial.runs}: stopping by {by} ({trial.rule}) spends {epochs:.1f} epochs and loses {value:.2f} "
        f"points ({low:.2f} to {high:.2f}) of test accuracy against the validation loss."
    )


def _said(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _courses(runs: Mapping[Row, Sequence[RunSeries]]) -> Iterator[Curve]:
    """Mean courses of what the coefficients are of, up to the epoch that half of the runs come to."""
    for row, series in runs.items():
        counted = [(run, n) for run, n in zip(series, lengths_of(row, series), strict=True) if n]
        if row.published is None or not counted:
            continue
        lines = []
        for name, of_run in _COURSES.items():
            mean = mean_course([prepared(of_run(run)[:n]) for run, n in counted])
            lines.append(Line(range(1, len(mean) + 1), mean.tolist(), _COLOURS[name]))
        svg = line_chart(f"course-{row.name}", lines, "epoch")
        yield Curve(
            f"Mean course, {row.name}", "each run from 0 to 1", svg, sum(len(line.x) for line in lines)
        )


def _gaps(correlations: Correlations) -> Iterator[Curve]:
    """BDM's and block entropy's coefficients over width."""
    rows = [row for row in SETS["widths"] if row in correlations]
    if len(rows) < 2:
        return
    widths = [row.hidden[0] for row in rows]
    lines = []
    for measure, name in (("bdm", "BDM"), ("block_entropy", "block entropy")):
        values = [correlations[row][measure].estimates[_AGGREGATION].value for row in rows]
        lines.append(Line(widths, values, _COLOURS[name]))
    yield Curve(
        "Coefficients over width",
        "mean of runs",
        line_chart("widths", lines, "first hidden width"),
        2 * len(rows),
    )


def _controls(controls: Controls) -> Iterator[Curve]:
    """Each control's coefficient beside that of its changes; BDM itself has BDM's colour, the others grey."""
    for row, found in controls.items():
        dots = [
            Dot(
                one.pearson.value,
                one.differences.value,
                _COLOURS.get(name, _OTHER),
            )
            for name, one in found.items()
        ]
        svg = scatter_chart(f"controls-{row.name}", dots, "Pearson, mean of runs")
        yield Curve(
            f"Controls, {row.name}", "of changes from epoch to epoch, over of courses", svg, len(dots)
        )


def _trials(trials: Sequence[Trial]) -> Iterator[Curve]:
    """Accuracy over epochs spent; the rule of BDM has BDM's colour, that of the training loss its own."""
    for place, runs in enumerate(dict.fromkeys(trial.runs for trial in trials)):
        some = [trial for trial in trials if trial.runs == runs]
        dots = [
            Dot(
                float(np.mean([stop.epochs for stop in trial.stops])),
                trial.accuracy,
                _COLOURS.get(trial.signal, _OTHER),
            )
            for trial in some
        ]
        svg = scatter_chart(f"stops-{place}", dots, "epochs spent")
        yield Curve(f"Early stopping, {runs}", "test accuracy; a dot a rule", svg, len(dots))
