"""Several files of one shape in order, a run's checkpoints say: curves, flips, when each layer settles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from bnnedge.analysis.compare import QUICK, values_of
from bnnedge.analysis.measures import BLOCKS, Measures, count
from bnnedge.complexity.measure import Cost
from bnnedge.complexity.sampling import Value
from bnnedge.errors import DataError
from bnnedge.llc.discrete import DiscreteEstimate
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import WeightSet, weights_of

__all__ = ["SETTLED", "Series", "SeriesPoint", "series"]

SCHEMA = 3
SETTLED = 0.01  # share of a layer's bits that may still differ from its last state


@dataclass(frozen=True)
class SeriesPoint:
    """One file of a series.

    Attributes:
        name: as the user gave it, or ``epoch N``.
        flipped_since_previous: weights that differ from the file before; 0 for the first.
        flipped_since_first: weights that differ from the first.
        flips: weights that differ from the file before, by layer.
        layers: name and basic figures, in model order.
        total: over all layers.
        values: further measures by layer and key.
        dllc: over flips of all layers' bits, then of each layer's alone in model order, as far as they were
            estimated.
    """

    name: str
    flipped_since_previous: int
    flipped_since_first: int
    flips: Mapping[str, int]
    layers: tuple[tuple[str, Measures], ...]
    total: Measures
    values: Mapping[str, Mapping[str, Value]]
    dllc: tuple[DiscreteEstimate, ...] = ()


@dataclass(frozen=True)
class Series:
    """Several files in order.

    Attributes:
        points: the files.
        settled: for each layer, the name of the first point from which on at most 1 % of its bits differ
            from its last state.
    """

    points: tuple[SeriesPoint, ...]
    settled: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.series",
            "blocks": BLOCKS["ignore"],
            "points": [_plain(point) for point in self.points],
            "settled": dict(self.settled),
        }

    def to_json(self) -> str:
        """The series as ``bnnedge compare --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


def series(
    files: Sequence[WeightSet | PackedModel],
    names: Sequence[str],
    *,
    costs: Sequence[Cost] = QUICK,
    seed: int = 0,
    dllc: Iterable[Sequence[DiscreteEstimate]] = (),
) -> Series:
    """Measure files of one shape in order, and count the bits that flip between them.

    Args:
        files: at least one.
        names: what reports call them.
        costs: which of the further measures to take, by their cost.
        seed: of the tiles on which measures of large layers are taken.
        dllc: of each file, to stand beside its measures: see :class:`SeriesPoint`; empty: none was estimated.
            Nothing is taken from an iterator before the files are known to be of one shape.

    Raises:
        DataError: there is none, or their layers differ in name or shape.
    """
    sets = [weights_of(each) if isinstance(each, PackedModel) else each for each in files]
    if not sets:
        raise DataError("a series of nothing", "name at least one checkpoint")
    for each, name in zip(sets, names, strict=True):
        _require_same_shape(sets[0], each, (names[0], name))
    points = []
    for position, (each, name, estimates) in enumerate(
        zip(sets, names, dllc or [()] * len(sets), strict=True)
    ):
        flips = _flips(sets[max(position - 1, 0)], each)
        counted = {tensor.name: count(tensor.matrix) for tensor in each.tensors}
        points.append(
            SeriesPoint(
                name=name,
                flipped_since_previous=sum(flips.values()),
                flipped_since_first=sum(_flips(sets[0], each).values()),
                flips=flips,
                layers=tuple((layer, counts.measures()) for layer, counts in counted.items()),
                total=reduce(add, counted.values()).measures(),
                values={tensor.name: values_of(tensor.matrix, costs, seed) for tensor in each.tensors},
                dllc=tuple(estimates),
            )
        )
    return Series(tuple(points), _settled(sets, names))


def _flips(before: WeightSet, after: WeightSet) -> dict[str, int]:
    pairs = zip(before.tensors, after.tensors, strict=True)
    return {a.name: (a.matrix ^ b.matrix).ones for a, b in pairs}


def _settled(sets: Sequence[WeightSet], names: Sequence[str]) -> dict[str, str]:
    settled = {}
    for position, tensor in enumerate(sets[-1].tensors):
        since = len(sets) - 1
        while since and (sets[since - 1].tensors[position].matrix ^ tensor.matrix).ones <= (
            SETTLED * tensor.matrix.bits
        ):
            since -= 1
        settled[tensor.name] = names[since]
    return settled


def _require_same_shape(one: WeightSet, other: WeightSet, names: tuple[str, str]) -> None:
    shapes = [[(tensor.name, tensor.shape) for tensor in each.tensors] for each in (one, other)]
    if shapes[0] != shapes[1]:
        described = [", ".join(f"{n} {'x'.join(map(str, s))}" for n, s in shape) for shape in shapes]
        raise DataError(
            f"{names[0]} and {names[1]} are of different shapes, and make no series",
            f"{names[0]} has {described[0]}; {names[1]} has {described[1]}; compare two of them instead",
        )


def _plain(point: SeriesPoint) -> dict[str, Any]:
    return {
        "name": point.name,
        "flipped_since_previous": point.flipped_since_previous,
        "flipped_since_first": point.flipped_since_first,
        "layers": [
            {
                "name": name,
                "flipped_since_previous": point.flips[name],
                **measures.to_dict(),
                "measures": {key: value.to_dict() for key, value in point.values[name].items()},
            }
            for name, measures in point.layers
        ],
        "total": point.total.to_dict(),
        "dllc": [estimate.to_dict() for estimate in point.dllc],
    }
