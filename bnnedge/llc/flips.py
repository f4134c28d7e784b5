"""The loss of a packed network whose weight bits flip, exactly; what does not change is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.infer import check_inputs
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["FlippableNetwork", "flippable", "flipped", "mean_cross_entropy"]

Flips = NDArray[np.int64]
"""Positions in a layer's weights, in C order, each once."""


def mean_cross_entropy(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean over samples of ``−log softmax(logits)[label]``, in nats; logits are (samples, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(shifted, dtype=np.float64).sum(axis=1)) - right).mean())


class FlippableNetwork(Protocol):
    """A network at some weights, and at others that are tried.

    Attributes:
        loss: at the weights as they are, in nats.
        sizes: weights of each layer.
    """

    loss: float
    sizes: tuple[int, ...]

    def attempt(self, layer: int, flips: Flips) -> float:
        """The loss with these weights of a layer flipped, which it does not do yet."""

    def accept(self) -> None:
        """Go to the weights that were tried last."""


def flippable(model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> FlippableNetwork:
    """A network for flips, on some samples.

    Args:
        model: at whose weights it begins.
        inputs: (samples, features) whole numbers that fit the model.
        labels: (samples,) classes.

    Raises:
        DataError: no samples, or some that do not fit.
    """
    inputs = check_inputs(model.encoding, inputs)
    if (
        not len(inputs)
        or labels.shape != (len(inputs),)
        or not 0 <= labels.min() <= labels.max() < model.classes
    ):
        raise DataError(
            f"{len(inputs)} inputs and labels of shape {labels.shape} do not fit one another, or the model",
            f"expected at least one of each, and classes 0 to {model.classes - 1}",
        )
    if any(layer.convolution is not None for layer in model.layers):
        return _Whole(model, inputs, labels)
    return _Dense(model.canonical(), inputs, labels)


class _Dense:
    """Dense layers: what reaches each layer and what it adds up to are kept for all samples.

    Values are (neurons, samples); pre-activations are whole numbers in float32, exact below 2^24 (784 inputs
    of 255 come to 2^18). A flip changes the sums of its own neuron; what that neuron's sign does not change
    goes no further.
    """

    def __init__(self, model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self._model, self._labels = model, labels
        self._weights = [layer.weights.to_signs().astype(np.float32) for layer in model.layers]
        self.sizes = tuple(weights.size for weights in self._weights)
        if model.encoding.kind == "integer":
            values = inputs.T.astype(np.float32)
        else:
            values = _signs(model.encoding.encode(inputs).reshape(len(inputs), -1).T)
        self._values, self._sums = [np.ascontiguousarray(values)], []
        everything = slice(None)
        for position, weights in enumerate(self._weights):
            self._sums.append(weights @ self._values[-1])
            if position < len(self._weights) - 1:
                self._values.append(self._activations(position, everything, self._sums[-1]))
        self.loss = self._loss_of(everything, self._sums[-1])
        self._tried: list[_Change] = []
        self._tried_flips, self._tried_loss = (0, np.zeros(0, dtype=np.int64)), self.loss

    def attempt(self, layer: int, flips: Flips) -> float:
        change = self._flipped(layer, flips)
        self._tried, loss = [change], self.loss
        for position in range(layer, len(self._weights) - 1):
            moved = change.values - self._values[position + 1][change.rows]
            changed = moved.any(axis=1)
            if not changed.any():
                break
            sources = np.arange(len(self._values[position + 1]))[change.rows][changed]
            sums = self._sums[position + 1] + self._weights[position + 1][:, sources] @ moved[changed]
            change = self._change(position + 1, slice(None), sums)
            self._tried.append(change)
        else:
            loss = self._loss_of(change.rows, change.sums)
        self._tried_flips, self._tried_loss = (layer, flips), loss
        return loss

    def accept(self) -> None:
        layer, flips = self._tried_flips
        self._weights[layer].reshape(-1)[flips] *= -1
        for position, change in enumerate(self._tried, start=layer):
            self._sums[position][change.rows] = change.sums
            if position < len(self._weights) - 1:
                self._values[position + 1][change.rows] = change.values
        self.loss = self._tried_loss
        self._tried = []

    def _flipped(self, layer: int, flips: Flips) -> _Change:
        """What the neurons whose weights flip come to."""
        neurons, inputs = np.divmod(flips, self._weights[layer].shape[1])
        rows, own = np.unique(neurons, return_inverse=True)
        sums = self._sums[layer][rows]
        twice = 2 * self._weights[layer].reshape(-1)[flips]
        for row, position, weight in zip(own, inputs, twice, strict=True):
            sums[row] -= weight * self._values[layer][position]
        return self._change(layer, rows, sums)

    def _change(self, position: int, rows: Rows, sums: Values) -> _Change:
        last = position == len(self._weights) - 1
        return _Change(rows, sums, sums if last else self._activations(position, rows, sums))

    def _activations(self, position: int, rows: Rows, sums: Values) -> Values:
        thresholds = self._model.layers[position].thresholds
        if thresholds is None:
            raise DataError(f"layer {self._model.layers[position].name} has no thresholds")
        return _signs(sums >= thresholds.values[rows, None])

    def _loss_of(self, rows: Rows, sums: Values) -> float:
        scores = self._sums[-1].copy()
        scores[rows] = sums
        return mean_cross_entropy(self._model.head(scores.T.astype(np.int32)), self._labels)


Values = NDArray[np.float32]
Rows = NDArray[np.int64] | slice


@dataclass(frozen=True, eq=False)
class _Change:
    """What some neurons of a layer would come to.

    Attributes:
        rows: the neurons.
        sums: (rows, samples) pre-activations.
        values: (rows, samples) −1 and +1; of the last layer the sums.
    """

    rows: Rows
    sums: Values
    values: Values


class _Whole:
    """Any network: the golden model works out all of it again."""

    def __init__(self, model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self._model, self._inputs, self._labels = model, inputs, labels
        self.sizes = tuple(layer.weights.bits for layer in model.layers)
        self.loss = self._loss_of(model)
        self._tried, self._tried_loss = model, self.loss

    def attempt(self, layer: int, flips: Flips) -> float:
        self._tried = flipped(self._model, layer, flips)
        self._tried_loss = self._loss_of(self._tried)
        return self._tried_loss

    def accept(self) -> None:
        self._model, self.loss = self._tried, self._tried_loss

    def _loss_of(self, model: PackedModel) -> float:
        return mean_cross_entropy(model.predict(self._inputs).logits, self._labels)


def flipped(model: PackedModel, layer: int, flips: Flips) -> PackedModel:
    """The model with these weights of a layer flipped."""
    one = model.layers[layer]
    bits = one.weights.to_bits()
    bits.reshape(-1)[flips] ^= True
    layers = list(model.layers)
    layers[layer] = replace(one, weights=PackedMatrix.from_bits(bits))
    return replace(model, layers=tuple(layers))


def _signs(bits: NDArray[np.bool_]) -> Values:
    signs = bits.astype(np.float32)  # in place from here on: an eighth of the time of np.where
    signs *= 2
    signs -= 1
    return signs
