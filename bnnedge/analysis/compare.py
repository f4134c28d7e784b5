"""Two files of weight bits, layer by layer: which bits flipped, what became simpler."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from bnnedge.analysis.measures import BLOCKS, Measures, measure
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.measure import Cost
from bnnedge.complexity.sampling import Value, take
from bnnedge.llc.discrete import DiscreteEstimate
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import BitTensor, WeightSet, weights_of

__all__ = ["QUICK", "Change", "Comparison", "LayerComparison", "changed_blocks", "compare", "values_of"]

SCHEMA = 4
Shape = tuple[int, ...]
QUICK: tuple[Cost, ...] = ("linear", "streaming")


@dataclass(frozen=True)
class Change:
    """What differs between two layers of one shape, or between two models of the same shapes.

    Attributes:
        flipped_bits: weights whose sign differs.
        changed_blocks: whole 4x4 blocks with at least one of them.
        changed_thresholds: neurons whose threshold or its direction differs; None for weights alone.
    """

    flipped_bits: int
    changed_blocks: int
    changed_thresholds: int | None


@dataclass(frozen=True)
class LayerComparison:
    """A layer of one file beside a layer of the other.

    Attributes:
        name: of the layer, or ``one → other`` where the names differ.
        shapes: (outputs, inputs) or (outputs, channels, height, width), in each file; None where it has none.
        before: basic figures in the first file; None where it has no such layer.
        after: the same in the second.
        values_before: further measures by key.
        values_after: the same in the second.
        change: None where the shapes differ, so that no bit of one is a bit of the other.
        dllc: over flips of these bits alone, in each file; None where it was not estimated.
    """

    name: str
    shapes: tuple[Shape | None, Shape | None]
    before: Measures | None
    after: Measures | None
    values_before: Mapping[str, Value]
    values_after: Mapping[str, Value]
    change: Change | None
    dllc: tuple[DiscreteEstimate | None, DiscreteEstimate | None] = (None, None)


@dataclass(frozen=True)
class Comparison:
    """Two files, layer by layer.

    Attributes:
        names: of the two, as the user gave them.
        digests: SHA-256 of what each holds.
        layers: aligned by their names where both files have the same ones, else by their order.
        total: over all layers; its change is None unless all shapes agree.
    """

    names: tuple[str, str]
    digests: tuple[str, str]
    layers: tuple[LayerComparison, ...]
    total: LayerComparison

    @property
    def related(self) -> bool:
        """Whether every layer of one has its counterpart of the same shape in the other."""
        return self.total.change is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.comparison",
            "names": list(self.names),
            "digests": list(self.digests),
            "blocks": BLOCKS["ignore"],
            "layers": [_plain(layer) for layer in self.layers],
            "total": _plain(self.total),
        }

    def to_json(self) -> str:
        """The comparison as ``bnnedge compare --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


def compare(
    before: WeightSet | PackedModel,
    after: WeightSet | PackedModel,
    names: tuple[str, str] = ("before", "after"),
    *,
    costs: Sequence[Cost] = QUICK,
    seed: int = 0,
    dllc: tuple[Sequence[DiscreteEstimate], Sequence[DiscreteEstimate]] = ((), ()),
) -> Comparison:
    """Compare two files; layers of different shapes are put side by side without counting flips.

    Args:
        before: the first.
        after: the second.
        names: what reports call them.
        costs: which of the further measures to take, by their cost.
        seed: of the tiles on which measures of large layers are taken.
        dllc: of each file, over flips of all layers' bits, then of each layer's alone, as far as they were
            estimated.
    """
    one, other = (weights_of(each) if isinstance(each, PackedModel) else each for each in (before, after))
    thresholds = _changed_thresholds(one.model, other.model)
    pairs = _aligned(one.tensors, other.tensors)
    layers = tuple(
        replace(_compare_layers(a, b, thresholds, costs, seed), dllc=(_own(dllc[0], a), _own(dllc[1], b)))
        for a, b in pairs
    )
    total = _total(one, other, [layer.change for layer in layers])
    whole = tuple(estimates[0] if estimates else None for estimates in dllc)
    return Comparison(names, (one.digest, other.digest), layers, replace(total, dllc=(whole[0], whole[1])))


def values_of(matrix: PackedMatrix, costs: Sequence[Cost], seed: int) -> dict[str, Value]:
    """The further measures of some costs, by key."""
    return take((each for each in MEASURES if each.cost in costs), matrix, seed)


def changed_blocks(flipped: PackedMatrix) -> int:
    """Blocks of a difference that are not all 0: block code 0 is the block in which nothing changed."""
    histogram = block_histogram(flipped)
    return histogram.blocks - int(histogram.counts[4, 4][0])


def _own(estimates: Sequence[DiscreteEstimate], tensor: BitTensor | None) -> DiscreteEstimate | None:
    """Of those after the first, the one over flips of a layer's bits alone."""
    names = [] if tensor is None else [(tensor.name,)]
    return next((estimate for estimate in estimates[1:] if estimate.layers in names), None)


_Pair = tuple[BitTensor | None, BitTensor | None]


def _aligned(one: Sequence[BitTensor], other: Sequence[BitTensor]) -> list[_Pair]:
    if {tensor.name for tensor in one} == {tensor.name for tensor in other}:
        by_name = {tensor.name: tensor for tensor in other}
        return [(tensor, by_name[tensor.name]) for tensor in one]
    return list(zip_longest(one, other))


def _compare_layers(
    a: BitTensor | None, b: BitTensor | None, thresholds: Mapping[str, int], costs: Sequence[Cost], seed: int
) -> LayerComparison:
    change = None
    if a is not None and b is not None and a.shape == b.shape:
        flipped = a.matrix ^ b.matrix
        change = Change(flipped.ones, changed_blocks(flipped), thresholds.get(a.name))
    names = dict.fromkeys("–" if tensor is None else tensor.name for tensor in (a, b))
    return LayerComparison(
        name=" → ".join(names),
        shapes=(a.shape if a is not None else None, b.shape if b is not None else None),
        before=measure([a.matrix]) if a is not None else None,
        after=measure([b.matrix]) if b is not None else None,
        values_before=values_of(a.matrix, costs, seed) if a is not None else {},
        values_after=values_of(b.matrix, costs, seed) if b is not None else {},
        change=change,
    )


def _total(one: WeightSet, other: WeightSet, changes: Sequence[Change | None]) -> LayerComparison:
    counted = [change for change in changes if change is not None]
    total = None
    if len(counted) == len(changes):
        thresholds = [c.changed_thresholds for c in counted if c.changed_thresholds is not None]
        total = Change(
            sum(change.flipped_bits for change in counted),
            sum(change.changed_blocks for change in counted),
            sum(thresholds) if thresholds else None,
        )
    before, after = (measure(tensor.matrix for tensor in each.tensors) for each in (one, other))
    return LayerComparison("all", (None, None), before, after, {}, {}, total)


def _changed_thresholds(one: PackedModel | None, other: PackedModel | None) -> dict[str, int]:
    """Neurons whose comparison differs, for layers of the same name and size that have one."""
    if one is None or other is None:
        return {}
    others = {layer.name: layer for layer in other.layers}
    changed = {layer.name: _moved(layer, others.get(layer.name)) for layer in one.layers}
    return {name: count for name, count in changed.items() if count is not None}


def _moved(a: PackedLayer, b: PackedLayer | None) -> int | None:
    if a.thresholds is None or b is None or b.thresholds is None or a.outputs != b.outputs:
        return None
    values = a.thresholds.values != b.thresholds.values
    return int(np.count_nonzero(values | (a.thresholds.directions != b.thresholds.directions)))


def _plain(layer: LayerComparison) -> dict[str, Any]:
    return {
        "name": layer.name,
        "shapes": [list(shape) if shape is not None else None for shape in layer.shapes],
        "change": asdict(layer.change) if layer.change is not None else None,
        "before": layer.before.to_dict() if layer.before is not None else None,
        "after": layer.after.to_dict() if layer.after is not None else None,
        "measures_before": {key: value.to_dict() for key, value in layer.values_before.items()},
        "measures_after": {key: value.to_dict() for key, value in layer.values_after.items()},
        "dllc": [None if estimate is None else estimate.to_dict() for estimate in layer.dllc],
    }
