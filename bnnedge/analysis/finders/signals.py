"""What a model's neurons can do, worked forward from the input encoding: reach, constants, equal functions.

Inputs of a layer that always carry the same value, up to its sign, are one *signal*; some signals never
change. A layer's sum is then Σ e·z + k over its signals z, with whole-number weights e (±1 unless a signal
comes in more than once) and a constant k. Everything here follows from e, k and the thresholds, with every
combination of signals taken to be possible: what is called constant is constant and what is called equal is
equal, for every input; neurons that are so only because signals depend on one another are not found. In
the first layer, whose inputs are free, nothing is missed, unless they are bits of a thermometer or padded.

A filter is worked through like a neuron: what is so of its sums is so at every place. Its output is one
channel of an image, and what is so of a channel is so of each of its pixels. Two things come between layers.
Max-pooling of bits is OR: equal channels stay equal and constant ones constant, but opposite ones do not stay
opposite. And padding puts −1 in every channel: there opposite channels are equal, and +1 is constant no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.reach import reach_of_inputs, reach_of_signals
from bnnedge.analysis.finders.rows import RowGroups, WeightRows, group_rows, ones_under, repeated
from bnnedge.packed.bits import pack_bits
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["CONSTANT", "LayerFacts", "Signals", "analyse", "columns_as_signs"]

CONSTANT = -1

Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Signals:
    """Values that enter a layer, or that a layer's neurons put out; of images, channels.

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

    def spread(self, pixels: int) -> Signals:
        """The same of every pixel of every channel, (values · pixels,), channel by channel."""
        classes = self.classes[:, None] * pixels + np.arange(pixels)
        classes = np.where(self.constant[:, None], CONSTANT, classes)
        return Signals(classes.ravel(), self.signs.repeat(pixels))

    def apart(self, *, padded: bool = False) -> Signals:
        """With opposites as different signals; padded with −1, what is always +1 otherwise changes, too."""
        names = 2 * self.classes + (self.signs < 0)  # of constants, −2 for +1 and −1 for −1
        _, firsts, inverse = np.unique(names, return_index=True, return_inverse=True)
        constant = self.constant & (self.signs < 0) if padded else self.constant
        classes = np.where(constant, CONSTANT, firsts[inverse])
        return Signals(classes, np.where(constant, self.signs, 1).astype(np.int8))


@dataclass(frozen=True, eq=False)
class LayerFacts:
    """One layer over the signals that reach it.

    Attributes:
        layer: the layer.
        channels: what it takes, padding included; of a dense layer that no image reaches, its inputs.
        inputs: the same of every weight of a row: each channel's pixels in a kernel, or in the image.
        rows: its weights e over signals that change; ``sums`` has a column for each of ``inputs.shared``.
        constants: (outputs,) k, what constant inputs add to each sum.
        low: (outputs,) a value that no sum falls below.
        high: (outputs,) a value that no sum exceeds.
        popcounts: neurons whose e are the same up to sign: one popcount serves them.
        outputs: neurons that are the same function up to sign (of the last layer: score), and constants;
            of filters before pooling.
    """

    layer: PackedLayer
    channels: Signals
    inputs: Signals
    rows: WeightRows
    constants: Int64
    low: Int64
    high: Int64
    popcounts: RowGroups
    outputs: Signals

    @property
    def pixels(self) -> int:
        """Weights of a row that look at one channel."""
        return self.inputs.classes.size // self.channels.classes.size


def analyse(model: PackedModel) -> tuple[LayerFacts, ...]:
    """The facts of every layer, in model order."""
    facts = [_facts(model.layers[0], _encoded(model.encoding), model.encoding)]
    for layer in model.layers[1:]:
        facts.append(_facts(layer, _after_pooling(facts[-1])))
    return tuple(facts)


def columns_as_signs(matrix: PackedMatrix, columns: NDArray[np.intp]) -> NDArray[np.int8]:
    """(rows, columns) int8 of −1 and +1, the chosen columns alone."""
    bits = (matrix.bytes[:, columns // 8] >> (7 - columns % 8).astype(np.uint8)) & np.uint8(1)
    return 2 * bits.view(np.int8) - np.int8(1)


def _encoded(encoding: InputEncoding) -> Signals:
    """Channels are free, but at threshold 0 a bit is always +1, and at equal thresholds bits are equal."""
    channels = encoding.encoded_shape[0]
    classes = np.arange(channels)
    if encoding.thresholds is not None:
        limits = np.broadcast_to(encoding.thresholds, (encoding.bits, encoding.shape[0]))
        first = (limits[:, None] == limits).argmax(axis=1)  # the first bit of the same threshold
        bits = first * encoding.shape[0] + np.arange(encoding.shape[0])
        classes = np.where(limits == 0, CONSTANT, bits).ravel()
    return Signals(classes, np.ones(channels, dtype=np.int8))


def _after_pooling(facts: LayerFacts) -> Signals:
    convolution = facts.layer.convolution
    return facts.outputs.apart() if convolution is not None and convolution.pool > 1 else facts.outputs


def _facts(layer: PackedLayer, channels: Signals, encoding: InputEncoding | None = None) -> LayerFacts:
    """``encoding``: of the first layer."""
    if layer.convolution is not None and layer.convolution.padding:
        channels = channels.apart(padded=True)
    inputs = channels.spread(layer.inputs // channels.classes.size)
    rows = _weights_over(layer.weights, inputs)
    constants = _constant_sums(layer.weights, inputs)
    of_numbers = encoding is not None and encoding.kind == "integer"
    if encoding is not None and encoding.kind != "bipolar":
        low, high = reach_of_inputs(layer, encoding)
    else:
        low, high = reach_of_signals(rows, constants)
    popcounts = group_rows(rows)
    outputs = _functions(layer, popcounts, constants, low, high, step=1 if of_numbers else 2)
    return LayerFacts(layer, channels, inputs, rows, constants, low, high, popcounts, outputs)


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
    number, opposing = (int(np.bitwise_count(bits).sum()) for bits in (mask, negative))
    agreeing = ones_under(weights, positive) + opposing - ones_under(weights, negative)
    return 2 * agreeing - number


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
