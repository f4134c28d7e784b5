"""The loss of a packed network whose weight bits flip, exactly; what does not change is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.llc.dense import Dense, Flips, cross_entropies
from bnnedge.packed.infer import check_inputs
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["FlippableNetwork", "flippable", "flipped", "mean_cross_entropy"]


def mean_cross_entropy(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean over samples of ``−log softmax(logits)[label]``, in nats; logits are (samples, classes)."""
    return float(cross_entropies(logits, labels).mean())


class FlippableNetwork(Protocol):
    """A network at some weights, and at others that are tried.

    Attributes:
        loss: at the weights as they are, in nats.
        shapes: (neurons or filters, inputs of one) of each layer.
    """

    loss: float
    shapes: tuple[tuple[int, int], ...]

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
    return Dense(model.canonical(), inputs, labels)


class _Whole:
    """Any network: the golden model works out all of it again."""

    def __init__(self, model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self._model, self._inputs, self._labels = model, inputs, labels
        self.shapes = tuple(layer.weights.shape for layer in model.layers)
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
