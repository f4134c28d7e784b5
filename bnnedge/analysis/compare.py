"""Two models of one shape, or a series of them: which bits flipped, what became simpler."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnedge.analysis.measures import LAYOUT, Measures, measure
from bnnedge.complexity.histogram import block_histogram
from bnnedge.errors import DataError
from bnnedge.packed.file import digest
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedLayer, PackedModel

__all__ = ["Comparison", "Difference", "Series", "SeriesPoint", "compare", "series"]

SCHEMA = 1


@dataclass(frozen=True)
class Difference:
    """What changed in some bits from one model to the next.

    Attributes:
        flipped_bits: weights whose sign changed.
        changed_blocks: whole 4x4 blocks with at least one of them.
        changed_thresholds: neurons whose threshold or its direction changed.
        before: measures of the first model.
        after: measures of the second.
    """

    flipped_bits: int
    changed_blocks: int
    changed_thresholds: int
    before: Measures
    after: Measures


@dataclass(frozen=True)
class Comparison:
    """Two models, layer by layer.

    Attributes:
        names: of the two, as the user gave them.
        digests: SHA-256 of what each computes.
        layers: name and difference, in model order.
        total: over all layers.
    """

    names: tuple[str, str]
    digests: tuple[str, str]
    layers: tuple[tuple[str, Difference], ...]
    total: Difference

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.comparison",
            "names": list(self.names),
            "digests": list(self.digests),
            "layout": LAYOUT,
            "layers": [{"name": name} | _difference(difference) for name, difference in self.layers],
            "total": _difference(self.total),
        }

    def to_json(self) -> str:
        """The comparison as ``bnnedge compare --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


@dataclass(frozen=True)
class SeriesPoint:
    """One model of a series.

    Attributes:
        name: as the user gave it, or ``epoch N``.
        flipped_since_previous: weights that differ from the model before; 0 for the first.
        flipped_since_first: weights that differ from the first.
        layers: name and measures, in model order.
        total: over all layers.
    """

    name: str
    flipped_since_previous: int
    flipped_since_first: int
    layers: tuple[tuple[str, Measures], ...]
    total: Measures


@dataclass(frozen=True)
class Series:
    """Several models of one shape, in order: the checkpoints of a run, say."""

    points: tuple[SeriesPoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.series",
            "layout": LAYOUT,
            "points": [
                {
                    "name": point.name,
                    "flipped_since_previous": point.flipped_since_previous,
                    "flipped_since_first": point.flipped_since_first,
                    "layers": [{"name": name} | measures.to_dict() for name, measures in point.layers],
                    "total": point.total.to_dict(),
                }
                for point in self.points
            ],
        }

    def to_json(self) -> str:
        """The series as ``bnnedge compare --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


def compare(
    before: PackedModel, after: PackedModel, names: tuple[str, str] = ("before", "after")
) -> Comparison:
    """Compare two models of one shape.

    Raises:
        DataError: their layers differ in name or shape.
    """
    pairs = _paired(before, after, names)
    layers = tuple((a.name, _differ([(a, b)])) for a, b in pairs)
    return Comparison(names, (digest(before), digest(after)), layers, _differ(pairs))


def series(models: Sequence[PackedModel], names: Sequence[str]) -> Series:
    """Measure models of one shape in order, and count the bits that flip between them.

    Raises:
        DataError: their layers differ in name or shape.
    """
    points = []
    for position, (model, name) in enumerate(zip(models, names, strict=True)):
        previous = max(position - 1, 0)
        points.append(
            SeriesPoint(
                name=name,
                flipped_since_previous=_flips(_paired(models[previous], model, (names[previous], name))),
                flipped_since_first=_flips(_paired(models[0], model, (names[0], name))),
                layers=tuple((layer.name, measure([layer.weights])) for layer in model.layers),
                total=measure([layer.weights for layer in model.layers]),
            )
        )
    return Series(tuple(points))


_Pairs = list[tuple[PackedLayer, PackedLayer]]


def _paired(before: PackedModel, after: PackedModel, names: tuple[str, str]) -> _Pairs:
    shapes = [[(layer.name, layer.weights.shape) for layer in model.layers] for model in (before, after)]
    if shapes[0] != shapes[1]:
        described = [", ".join(f"{name} {r}x{c}" for name, (r, c) in shape) for shape in shapes]
        raise DataError(
            f"{names[0]} and {names[1]} are networks of different shapes",
            f"{names[0]} has {described[0]}; {names[1]} has {described[1]}",
        )
    return list(zip(before.layers, after.layers, strict=True))


def _differ(pairs: _Pairs) -> Difference:
    flipped = _flipped(pairs)
    return Difference(
        flipped_bits=sum(matrix.ones for matrix in flipped),
        changed_blocks=sum(_changed_blocks(matrix) for matrix in flipped),
        changed_thresholds=sum(_changed_thresholds(a, b) for a, b in pairs),
        before=measure([a.weights for a, _ in pairs]),
        after=measure([b.weights for _, b in pairs]),
    )


def _flipped(pairs: _Pairs) -> list[PackedMatrix]:
    return [a.weights ^ b.weights for a, b in pairs]


def _flips(pairs: _Pairs) -> int:
    return sum(matrix.ones for matrix in _flipped(pairs))


def _changed_blocks(flipped: PackedMatrix) -> int:
    """Blocks of the difference that are not all 0: block code 0 is the block in which nothing changed."""
    histogram = block_histogram(flipped)
    return histogram.blocks - int(histogram.counts[4, 4][0])


def _changed_thresholds(before: PackedLayer, after: PackedLayer) -> int:
    if before.thresholds is None or after.thresholds is None:
        return 0
    values = before.thresholds.values != after.thresholds.values
    directions = before.thresholds.directions != after.thresholds.directions
    return int(np.count_nonzero(values | directions))


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "flipped_bits": difference.flipped_bits,
        "changed_blocks": difference.changed_blocks,
        "changed_thresholds": difference.changed_thresholds,
        "before": difference.before.to_dict(),
        "after": difference.after.to_dict(),
    }
