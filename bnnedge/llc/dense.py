"""Flips of the weights of dense layers, exactly; what every layer makes of every sample is kept.

A flip in the first layer moves the sums of its neuron by one row of inputs: these sums are kept. A later
layer is XNOR and popcount over the words that reach it: for all samples of the neurons whose own weights
flip, else for all neurons of those samples alone whose words have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.fold import Affine
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["Dense", "Flips", "cross_entropies"]

Flips = NDArray[np.int64]
"""Positions in a layer's weights, in C order, each once."""

Sums = NDArray[Any]
"""(neurons, samples) int16, or int32 where these are too small."""

Losses = NDArray[np.float64]
Made = NDArray[Any]
"""What a layer makes of samples: (samples, words) of activations; of the last layer (samples, 1) nats."""

Places = NDArray[np.int64]
"""Of samples, or of neurons."""

Change = tuple[Places, Made]
"""Samples, and what a layer makes of them."""


def cross_entropies(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> Losses:
    """``−log softmax(logits)[label]`` of each sample, in nats; logits are (samples, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    losses: Losses = np.log(np.exp(shifted, dtype=np.float64).sum(axis=1)) - right
    return losses


class Dense:
    """A network of dense layers on some samples.

    Args:
        model: canonical: every threshold's direction is +1.
        inputs: (samples, features) whole numbers that fit it.
        labels: (samples,) classes.

    Attributes:
        loss: at the weights as they are, in nats.
        shapes: (neurons, inputs) of each layer.
    """

    def __init__(self, model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        scoring = _Scoring(model.head, labels)
        self._first = _First(model, inputs, scoring)
        self._later = [
            _Later(layer, scoring if layer.thresholds is None else None) for layer in model.layers[1:]
        ]
        self.shapes = tuple(layer.weights.shape for layer in model.layers)
        self._made: list[Made] = [self._first.made()]
        for later in self._later:
            self._made.append(later.reached(self._made[-1], np.arange(len(inputs))))
        self.loss = float(self._made[-1].mean())
        self._tried_layer, self._tried_loss = 0, self.loss
        self._tried: list[Change] = []

    def attempt(self, layer: int, flips: Flips) -> float:
        """The loss with these weights of a layer flipped, which it does not do yet."""
        self._tried_layer, self._tried_loss, self._tried = layer, self.loss, []
        if layer == 0:
            samples, made = self._first.flipped(flips, self._made[0])
        else:
            samples, made = self._later[layer - 1].flipped(flips, self._made[layer - 1], self._made[layer])
        for position in range(layer, len(self._made)):
            if position > layer:
                made = self._later[position - 1].reached(made, samples)
            moved = (made != self._made[position][samples]).any(axis=1)
            samples, made = samples[moved], made[moved]
            self._tried.append((samples, made))
            if not len(samples):
                return self.loss
        losses = self._made[-1].copy()
        losses[samples] = made
        self._tried_loss = float(losses.mean())
        return self._tried_loss

    def accept(self) -> None:
        """Go to the weights that were tried last."""
        if self._tried_layer == 0:
            self._first.accept()
        else:
            self._later[self._tried_layer - 1].accept()
        for position, (samples, made) in enumerate(self._tried, start=self._tried_layer):
            self._made[position][samples] = made
        self.loss = self._tried_loss


@dataclass(frozen=True, eq=False)
class _Scoring:
    """From the last layer's sums to losses."""

    head: Affine
    labels: NDArray[np.int64]

    def losses(self, scores: Sums, samples: Places) -> Losses:
        """(samples, 1) of (classes, samples): by classes, so that what runs over these runs over rows."""
        return cross_entropies(self.head(scores.T.astype(np.int32)), self.labels[samples])[:, None]


def _toggled(words: Words, rows: Places, moved: NDArray[np.bool_], neurons: int) -> tuple[Places, Words]:
    """Samples of which some neurons' activations move, and their words then.

    Args:
        words: (samples, words) as they are.
        rows: the neurons that are looked at.
        moved: (rows, samples), whether the activation changes.
        neurons: of the layer.
    """
    samples = np.flatnonzero(moved.any(axis=0))
    toggles = np.zeros((len(samples), neurons), dtype=bool)
    toggles[:, rows] = moved[:, samples].T
    return samples, words[samples] ^ pack_bits(toggles)


class _First:
    """The layer that sees the inputs."""

    def __init__(self, model: PackedModel, inputs: NDArray[np.uint8], scoring: _Scoring) -> None:
        layer, lattice = model.layers[0], model.lattices[0]
        # One step above the largest sum is a threshold that nothing reaches.
        kind: DTypeLike = np.int16 if lattice.bound + lattice.step < 1 << 15 else np.int32
        values = inputs.T.astype(np.int16)
        if model.encoding.thresholds is not None:
            bits = model.encoding.encode(inputs).reshape(len(inputs), -1)
            values = 2 * bits.T.astype(np.int8) - np.int8(1)
        self._scoring, self._twice = scoring, np.ascontiguousarray(2 * values)
        self._signs = layer.weights.to_signs()
        # Whole numbers in float32 are exact below 2^24, as a lattice's are.
        sums = self._signs.astype(np.float32) @ values.astype(np.float32)
        self._sums: Sums = sums.astype(kind)
        self._thresholds: Sums | None = None
        if layer.thresholds is not None:
            reachable = layer.thresholds.values.clip(-lattice.bound, lattice.bound + lattice.step)
            self._thresholds = reachable.astype(kind)
        nothing = np.zeros(0, dtype=np.int64)
        self._tried: tuple[Flips, Places, Sums] = (nothing, nothing, self._sums[:0])

    def made(self) -> Made:
        """Of all samples."""
        if self._thresholds is None:
            return self._scoring.losses(self._sums, np.arange(self._sums.shape[1]))
        return pack_bits((self._sums >= self._thresholds[:, None]).T)

    def flipped(self, flips: Flips, now: Made) -> Change:
        """The samples for which the layer makes something else with these weights flipped, and what."""
        neurons, inputs = np.divmod(flips, self._signs.shape[1])
        rows, own = np.unique(neurons, return_inverse=True)
        old = self._sums[rows]
        sums = old.copy()
        for row, place, up in zip(own, inputs, self._signs[neurons, inputs] < 0, strict=True):
            if up:
                sums[row] += self._twice[place]
            else:
                sums[row] -= self._twice[place]
        self._tried = flips, rows, sums
        if self._thresholds is None:
            scores = self._sums.copy()
            scores[rows] = sums
            everything = np.arange(scores.shape[1])
            return everything, self._scoring.losses(scores, everything)
        limits = self._thresholds[rows, None]
        return _toggled(now, rows, (sums >= limits) ^ (old >= limits), len(self._signs))

    def accept(self) -> None:
        """Go to the weights that were tried last."""
        flips, rows, sums = self._tried
        self._signs.reshape(-1)[flips] *= -1
        self._sums[rows] = sums


class _Later:
    """A layer that sees words; the last has a scoring."""

    def __init__(self, layer: PackedLayer, scoring: _Scoring | None) -> None:
        self._scoring, self._inputs, self._weights = scoring, layer.inputs, layer.weights.words
        self._kind: DTypeLike = np.uint8 if layer.inputs < 255 else np.uint16
        self._tried = self._weights
        if layer.thresholds is not None:
            # A sum, inputs − 2 differing, is at least the threshold where fewer than this many differ.
            fewer = (layer.inputs - layer.thresholds.values) // 2 + 1
            self._limits = fewer.clip(0, layer.inputs + 1).astype(self._kind)

    def reached(self, words: Words, samples: Places) -> Made:
        """What the layer makes of some samples, whose words these are."""
        if self._scoring is None:
            return pack_bits(self._differing(words, self._weights) < self._limits)
        return self._scoring.losses(self._scores(self._weights, words), samples)

    def flipped(self, flips: Flips, before: Words, now: Made) -> Change:
        """The samples for which the layer makes something else with these weights flipped, and what."""
        neurons, inputs = np.divmod(flips, self._inputs)
        rows, own = np.unique(neurons, return_inverse=True)
        marks = np.zeros((len(rows), self._inputs), dtype=bool)
        marks[own, inputs] = True
        self._tried = self._weights.copy()
        self._tried[rows] ^= pack_bits(marks)
        if self._scoring is not None:
            everything = np.arange(len(before))
            return everything, self._scoring.losses(self._scores(self._tried, before), everything)
        limits = self._limits[rows, None]
        old = self._differing(self._weights[rows], before) < limits
        new = self._differing(self._tried[rows], before) < limits
        return _toggled(now, rows, new ^ old, len(self._weights))

    def accept(self) -> None:
        """Go to the weights that were tried last."""
        self._weights = self._tried

    def _scores(self, weights: Words, words: Words) -> Sums:
        """(neurons, samples) sums."""
        return self._inputs - 2 * self._differing(weights, words).astype(np.int32)

    def _differing(self, rows: Words, columns: Words) -> NDArray[Any]:
        """(rows, columns) numbers of bits that differ."""
        counts: NDArray[Any] = np.bitwise_count(rows[:, :1] ^ columns[:, 0]).astype(self._kind, copy=False)
        for word in range(1, rows.shape[1]):
            counts += np.bitwise_count(rows[:, word, None] ^ columns[:, word])
        return counts
