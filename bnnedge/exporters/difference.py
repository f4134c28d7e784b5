"""The first place where an artefact is not what the golden model is: in words, and as values for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bnnedge.exporters.graph import LABEL, LOGITS, preactivation, threshold, weight
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["Difference", "constant_difference", "stage_difference"]

Index = tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """A value that is not as it should be.

    Attributes:
        where: its place by name, the outermost first: layer; neuron, or channel, row and column; sample.
        what: the value's name.
        actual: what the artefact has.
        expected: what the golden model has.
        order: of two differences the one that is nearer to the image has the smaller one.
    """

    where: dict[str, str | int]
    what: str
    actual: np.generic
    expected: np.generic
    order: int = 0

    def __str__(self) -> str:
        names = ", ".join(f"{name} {place}" for name, place in self.where.items())
        actual, expected = _shown(self.actual), _shown(self.expected)
        return f"{names}: {self.what} is {actual}, but the golden model has {expected}"

    def to_dict(self) -> dict[str, object]:
        """JSON values; a value that is not finite is null."""
        where = {name.replace(" ", "_"): place for name, place in self.where.items()}
        return where | {"value": self.what, "actual": _json(self.actual), "expected": _json(self.expected)}


def stage_difference(
    model: PackedModel, order: int, stage: str, index: Index, actual: np.generic, expected: np.generic
) -> Difference:
    """A difference in what a run gave: ``index`` is (sample, …) in the tensor called ``stage``."""
    sample, *place = index
    layers = {preactivation(layer): layer for layer in model.layers}
    where: dict[str, str | int] = {}
    what = {LABEL: "label", LOGITS: "logit"}.get(stage, "preactivation")
    if stage in layers:
        where = {"layer": layers[stage].name} | dict(zip(_axes(layers[stage]), place, strict=True))
    elif stage == LOGITS:
        where = {"class": place[0]}
    return Difference(where | {"sample": sample}, what, actual, expected, order)


def constant_difference(
    model: PackedModel, name: str, shape: Index, index: Index, actual: np.generic, expected: np.generic
) -> Difference:
    """A difference in a parameter of that name and shape."""
    for layer in model.layers:
        if name == weight(layer):
            where = {"layer": layer.name} | _weight_place(layer, shape, index)
            return Difference(where, "weight", actual, expected)
        if name == threshold(layer):
            return Difference({"layer": layer.name, _axes(layer)[0]: index[0]}, "threshold", actual, expected)
    where = {"constant": name} | ({"entry": index[0]} if index else {})
    return Difference(where, "value", actual, expected)


def _axes(layer: PackedLayer) -> tuple[str, ...]:
    return ("neuron",) if layer.convolution is None else ("channel", "row", "column")


def _weight_place(layer: PackedLayer, shape: Index, index: Index) -> dict[str, str | int]:
    """Where a weight stands: graphs keep (inputs, outputs), or filters as images are, or as windows are."""
    if layer.convolution is None:
        return {"neuron": index[1], "input": index[0]}
    if len(index) == 2:  # FINN's windows: row, column, channel
        side, (place, filters) = layer.convolution.kernel, index
        row, column, channel = map(int, np.unravel_index(place, (side, side, shape[0] // side**2)))
    else:
        filters, channel, row, column = index
    return {"channel": filters, "input channel": channel, "row": row, "column": column}


def _whole(value: np.generic) -> int | None:
    """A whole number as such, whatever type a graph keeps it in; −0.0 is none."""
    number = value.item()
    if isinstance(number, float) and (not number.is_integer() or math.copysign(1, number) < 0 == number):
        return None
    return int(number)


def _shown(value: np.generic) -> str:
    whole = _whole(value)
    return str(value) if whole is None else str(whole)


def _json(value: np.generic) -> float | None:
    whole, number = _whole(value), value.item()
    if whole is not None:
        return whole
    return number if math.isfinite(number) else None
