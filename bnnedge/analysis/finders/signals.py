"""What a model's neurons can do, worked forward from the input encoding: reach, constants, equal functions.

Inputs of a layer that always carry the same value, up to its sign, are one *signal*; some signals never
change. A layer's sum is then Σ e·z + k over its signals z, with whole-number weights e (±1 unless a signal
comes in more than once) and a constant k. Everything here follows from e, k and the thresholds, with every
combination of signals taken to be possible: what is called constant is constant and what is called equal is
equal, for every input; neurons that are so only because signals depend on one another are not found. In
the first layer, whose inputs are free, nothing is missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.rows import RowGroups, WeightRows, group_rows, repeated, row_slices
from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel

__all__ = ["CONSTANT", "LayerFacts", "Signals", "analyse", "columns_as_signs"]

CONSTANT = -1

Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Signals:
    """Values that enter a layer, or that a layer's neurons put out.

    Attributes:
        classes: (values,) index of the first value that is the same up to sign; ``CONSTANT`` for constants.
        signs: (values,) int8: sign relative to that first one; for a constant its value.
    """

    classes: NDArray[np.intp]
    signs: NDArray[np.int8]

    @property
    def constant(self) -> NDArray[np.bool_]:
        """(values,) where the value never changes."""
        constant: NDArray[np.bool_] = self.classes == CONSTANT
        return constant

    @property
    def shared(self) -> NDArray[np.intp]:
        """Classes of two or more values that change, ascending."""
        classes, sizes = np.unique(self.classes[~self.constant], return_counts=True)
        return classes[sizes > 1]


@dataclass(frozen=True, eq=False)
class LayerFacts:
    """One layer over the signals that reach it.

    Attributes:
        layer: the layer.
        inputs: its signals.
        rows: its weights e over signals that change; ``sums`` has a column for each of ``inputs.shared``.
        constants: (outputs,) k, what constant inputs add to each sum.
        low: (outputs,) least value of each sum.
        high: (outputs,) greatest value.
        popcounts: neurons whose e are the same up to sign: one popcount serves them.
        outputs: neurons that are the same function up to sign (of the last layer: score), and constants.
    """

    layer: PackedLayer
    inputs: Signals
    rows: WeightRows
    constants: Int64
    low: Int64
    high: Int64
    popcounts: RowGroups
    outputs: Signals


def analyse(model: PackedModel) -> tuple[LayerFacts, ...]:
    """The facts of every layer, in model order."""
    facts: list[LayerFacts] = []
    signals = _encoded(model.encoding)
    for position, layer in enumerate(model.layers):
        numbers = model.encoding.maximum if not position and model.encoding.kind == "integer" else 0
        facts.append(_facts(layer, signals, numbers))
        signals = facts[-1].outputs
    return tuple(facts)


def columns_as_signs(matrix: PackedMatrix, columns: NDArray[np.intp]) -> NDArray[np.int8]:
    """(rows, columns) int8 of −1 and +1, the chosen columns alone."""
    bits = (matrix.bytes[:, columns // 8] >> (7 - columns % 8).astype(np.uint8)) & np.uint8(1)
    return 2 * bits.view(np.int8) - np.int8(1)


def _encoded(encoding: InputEncoding) -> Signals:
    """Features are free, but at threshold 0 every one of them is +1."""
    stuck = encoding.kind == "bipolar" and encoding.threshold == 0
    classes = np.full(encoding.features, CONSTANT) if stuck else np.arange(encoding.features)
    return Signals(classes, np.ones(encoding.features, dtype=np.int8))


def _facts(layer: PackedLayer, inputs: Signals, numbers: int) -> LayerFacts:
    """``numbers`` is the largest value of an input that is a whole number from 0 on, or 0 for ±1."""
    rows = _weights_over(layer.weights, inputs)
    constants = _constant_sums(layer.weights, inputs)
    if numbers:
        positive = _ones(layer.weights, rows.mask)
        low, high = numbers * (positive - layer.inputs), numbers * positive
    else:
        radius = np.bitwise_count(rows.mask).sum(dtype=np.int64) + np.abs(rows.sums).sum(axis=1)
        low, high = constants - radius, constants + radius
    popcounts = group_rows(rows)
    outputs = _functions(layer, popcounts, constants, low, high, step=1 if numbers else 2)
    return LayerFacts(layer, inputs, rows, constants, low, high, popcounts, outputs)


def _weights_over(weights: PackedMatrix, inputs: Signals) -> WeightRows:
    singles = ~inputs.constant
    sums = np.zeros((weights.rows, inputs.shared.size), dtype=np.int64)
    copies = (group for group in repeated(inputs.classes) if not inputs.constant[group[0]])
    for column, members in enumerate(copies):
        singles[members] = False
        sums[:, column] = columns_as_signs(weights, members) @ inputs.signs[members].astype(np.int64)
    return WeightRows(weights, pack_bits(singles), sums)


def _constant_sums(weights: PackedMatrix, inputs: Signals) -> Int64:
    mask = pack_bits(inputs.constant)
    positive = pack_bits(inputs.constant & (inputs.signs > 0))
    negative = mask ^ positive
    number = int(np.bitwise_count(mask).sum())
    agreeing = _ones(weights, positive) + int(np.bitwise_count(negative).sum()) - _ones(weights, negative)
    return 2 * agreeing - number


def _ones(weights: PackedMatrix, mask: Words) -> Int64:
    """(rows,) number of 1 bits under the mask."""
    ones = np.zeros(weights.rows, dtype=np.int64)
    if mask.any():
        for part in row_slices(weights):
            ones[part] = np.bitwise_count(weights.words[part] & mask).sum(axis=1, dtype=np.int64)
    return ones


def _functions(
    layer: PackedLayer, popcounts: RowGroups, constants: Int64, low: Int64, high: Int64, step: int
) -> Signals:
    """Which neurons put out the same, by the half-line of their group's first sum V on which they are +1.

    A neuron of sum ``s·V + k`` fires where ``u·V >= t − d·k`` with ``u = d·s``; for u = −1 that is where
    ``V >= step − (t − d·k)`` does not hold. So (group, end of the half-line) names the function up to u.
    """
    if layer.thresholds is None:
        signs = popcounts.signs.astype(np.int64)
        names = np.stack([popcounts.firsts, signs * constants], axis=1)
        return _classes(names, signs, fixed=low == high, values=np.ones_like(signs))
    directions = layer.thresholds.directions.astype(np.int64)
    values = layer.thresholds.values.astype(np.int64)
    least = np.where(directions > 0, low, -high)
    greatest = np.where(directions > 0, high, -low)
    always, never = values <= least, values > greatest
    signs = directions * popcounts.signs
    ends = values + (least - values) % step - directions * constants  # on values that the sum takes
    names = np.stack([popcounts.firsts, np.where(signs > 0, ends, step - ends)], axis=1)
    return _classes(names, signs, fixed=always | never, values=np.where(always, 1, -1))


def _classes(names: NDArray[np.int64], signs: Int64, fixed: NDArray[np.bool_], values: Int64) -> Signals:
    changing = np.flatnonzero(~fixed)
    _, firsts, inverse = np.unique(names[changing], axis=0, return_index=True, return_inverse=True)
    classes = np.full(fixed.size, CONSTANT)
    classes[changing] = changing[firsts[inverse.ravel()]]
    relative = np.where(fixed, values, signs * signs[classes])
    return Signals(classes, relative.astype(np.int8))
