"""Curves of a run, for its page: loss, accuracy, flips and every measure over its checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bnnedge.analysis.measures import Measures
from bnnedge.analysis.series import Series, SeriesPoint
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.sampling import Value
from bnnedge.report.charts import Line, colour_of, line_chart

__all__ = ["Curve", "Key", "RunCurves", "curves"]

T = TypeVar("T")

MOST_VERTICES = 12_000  # of all curves of a page together: about 200 kB of SVG
TOTAL = "var(--ink)"
_STAND_IN = "#070809"  # what matplotlib draws where the page's ink is meant

_SPLITS = ("train", "validation")
_HISTORY: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Loss", "", tuple(f"{split}_loss" for split in _SPLITS)),
    ("Accuracy", "share", tuple(f"{split}_accuracy" for split in _SPLITS)),
    ("Loss by complexity", "", ("complexity_loss",)),
    ("Weight of complexity", "", ("complexity_weight",)),
    ("Complexity in the loss, of the weight bits", "over that of the first", ("complexity_share",)),
)
_BASIC: tuple[tuple[str, str, Callable[[Measures], float]], ...] = (
    ("BDM per bit", "bits a bit", lambda measures: measures.bdm_per_bit),
    ("Density", "share of +1", lambda measures: measures.density),
    ("Block entropy", "bits a block", lambda measures: measures.block_entropy),
)
# Figures that grow with the layer are drawn relative to the first checkpoint: small layers' curves, and every
# change, would otherwise lie flat beside large ones.
_RELATIVE = "over that of the first checkpoint"
_COUNTED = ("bits", "blocks", "patterns", "neurons")
_SIZES: tuple[tuple[str, str, Callable[[Measures], float]], ...] = (
    ("bdm", "BDM", lambda measures: measures.bdm),
    ("distinct", "Distinct blocks", lambda measures: measures.distinct_blocks),
)


@dataclass(frozen=True)
class Curve:
    """One chart with its title and unit, through so many points."""

    title: str
    unit: str
    svg: str
    points: int


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    name: str
    colour: str


@dataclass(frozen=True)
class RunCurves:
    """What a page shows of a run.

    Attributes:
        history: learning curves by epoch: loss and accuracy, of training and of validation; and, where the
            loss has a part for complexity, that part, its weight and what it has come to, of training.
        history_keys: their legend.
        by_layer: curves of the measures over the checkpoints, layer by layer.
        keys: their legend.
        checkpoints: how many there are.
        drawn: how many of them the curves go through.
        settled: for each layer, since which checkpoint it has kept within 1 % of its last state.
    """

    history: list[Curve]
    history_keys: list[Key]
    by_layer: list[Curve]
    keys: list[Key]
    checkpoints: int
    drawn: int
    settled: Mapping[str, str]


def curves(series: Series | None, records: Sequence[Mapping[str, Any]]) -> RunCurves:
    """Learning curves of a run's records, and curves by layer of its checkpoints; either may be missing."""
    splits = [Key(name, colour_of(place, 2)) for place, name in enumerate(("training", "validation"))]
    if series is None:
        return RunCurves(list(_history(records, None)), splits, [], [], 0, 0, {})
    best = _Axis.of(series.points, series.points).best
    by_layer = list(_by_layer(series))
    names = [name for name, _ in series.points[0].layers]
    layers = [Key(name, colour_of(place, len(names))) for place, name in enumerate(names)]
    return RunCurves(
        history=list(_history(records, best)),
        history_keys=splits,
        by_layer=by_layer,
        keys=[*layers, Key("all", TOTAL)],
        checkpoints=len(series.points),
        drawn=by_layer[0].points,
        settled=series.settled,
    )


def _history(records: Sequence[Mapping[str, Any]], best: float | None) -> Iterator[Curve]:
    chosen = _thinned(records, 200)
    epochs = [_number(record, "epoch") for record in chosen]
    for title, unit, names in _HISTORY:
        lines = [
            Line(epochs, [_number(record, name) for record in chosen], colour_of(place, len(_SPLITS)))
            for place, name in enumerate(names)
        ]
        if any(math.isfinite(value) for line in lines for value in line.y):
            key = f"h-{names[0].removeprefix('train_')}"
            yield Curve(title, unit, line_chart(key, lines, "epoch", best), len(chosen))


def _by_layer(series: Series) -> Iterator[Curve]:
    names = [name for name, _ in series.points[0].layers]
    measured = [
        each for each in MEASURES if any(each.key in point.values[names[0]] for point in series.points)
    ]
    estimated = any(point.dllc for point in series.points)
    charts = 1 + len(_SIZES) + estimated + len(_BASIC) + len(measured)
    points = _thinned(series.points, max(8, MOST_VERTICES // (charts * (len(names) + 1))))
    axis = _Axis.of(points, series.points)

    def chart(key: str, title: str, unit: str, ys: Sequence[list[float]], total: list[float] | None) -> Curve:
        lines = [Line(axis.x, y, colour_of(place, len(names))) for place, y in enumerate(ys)]
        lines += [Line(axis.x, total, _STAND_IN, accent=True)] if total is not None else []
        svg = line_chart(key, lines, axis.label, axis.best).replace(_STAND_IN, TOTAL)
        return Curve(title, unit, svg, len(points))

    for key, title, of in _SIZES:
        layers = [_relative([of(dict(point.layers)[name]) for point in points]) for name in names]
        yield chart(key, title, _RELATIVE, layers, _relative([of(point.total) for point in points]))
    if estimated:
        alone = max(len(point.dllc) for point in points) > 1
        layers = [_coefficients(points, 1 + place) for place in range(len(names) * alone)]
        yield chart("dllc", "Discrete local learning coefficient", "", layers, _coefficients(points, 0))
    flips = [[_flipped(point, name) for point in points] for name in names]
    flipped = [point.flipped_since_previous / point.total.bits for point in points]
    yield chart("flips", "Flipped since the checkpoint before", "share", flips, flipped)
    for place, (title, unit, of) in enumerate(_BASIC):
        layers = [[float(of(dict(point.layers)[name])) for point in points] for name in names]
        pooled = [float(of(point.total)) for point in points]
        yield chart(f"b{place}", title, unit, layers, pooled if place < 2 else None)
    for place, each in enumerate(measured):
        layers = [_values(points, name, each.key) for name in names]
        unit = each.unit
        if unit in _COUNTED:
            unit, layers = _RELATIVE, [_relative(y) for y in layers]
        yield chart(f"m{place}", each.header.replace("\n", " "), unit, layers, None)


def _relative(values: list[float]) -> list[float]:
    return [value / values[0] if values[0] else math.nan for value in values]


def _values(points: Sequence[SeriesPoint], layer: str, key: str) -> list[float]:
    nothing = Value(math.nan)
    return [point.values[layer].get(key, nothing).value for point in points]


def _coefficients(points: Sequence[SeriesPoint], place: int) -> list[float]:
    """Of all layers, at place 0, or of one alone; NaN where there is no figure to give."""
    found = [point.dllc[place].value if place < len(point.dllc) else None for point in points]
    return [math.nan if value is None else value for value in found]


@dataclass(frozen=True)
class _Axis:
    x: list[float]
    label: str
    best: float | None

    @classmethod
    def of(cls, points: Sequence[SeriesPoint], everything: Sequence[SeriesPoint]) -> _Axis:
        """Epochs where the points are named after them, whole or not, else their order."""
        epochs = {point.name: re.match(r"epoch (\d+(?:\.\d+)?)\b", point.name) for point in everything}
        if not all(epochs.values()):
            order = {point.name: place for place, point in enumerate(everything)}
            return cls([order[point.name] for point in points], "file, in the order given", None)
        numbers = {name: float(match[1]) for name, match in epochs.items() if match is not None}
        best = [numbers[name] for name in numbers if "(best)" in name]
        return cls([numbers[point.name] for point in points], "epoch", best[0] if best else None)


def _thinned(items: Sequence[T], most: int) -> list[T]:
    """At most about so many, evenly spaced, first and last among them."""
    step = max(1, -(-(len(items) - 1) // max(1, most - 1)))
    chosen = list(items[::step])
    return chosen if not items or chosen[-1] is items[-1] else [*chosen, items[-1]]


def _flipped(point: SeriesPoint, name: str) -> float:
    return point.flips[name] / dict(point.layers)[name].bits


def _number(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) else math.nan
