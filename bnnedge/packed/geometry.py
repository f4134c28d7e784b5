"""What hardware costs depend on: the shapes of a network, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from bnnedge.packed.layer import Convolution
from bnnedge.packed.model import PackedModel

__all__ = ["Geometry", "LayerGeometry", "geometry_of"]


@dataclass(frozen=True)
class LayerGeometry:
    """One layer.

    Attributes:
        name: as in the model.
        inputs: of one neuron or filter.
        outputs: neurons or filters.
        negatives: most weights of −1 that a neuron has; before training, all of them.
        positives: most weights of +1 that a neuron has; before training, all of them.
        convolution: how filters slide; None for a dense layer.
    """

    name: str
    inputs: int
    outputs: int
    negatives: int
    positives: int
    convolution: Convolution | None = None

    @classmethod
    def untrained(
        cls, name: str, inputs: int, outputs: int, convolution: Convolution | None = None
    ) -> LayerGeometry:
        """A layer of which any weight may become −1 or +1."""
        return cls(name, inputs, outputs, inputs, inputs, convolution)


@dataclass(frozen=True)
class Geometry:
    """A network from its samples to its classes.

    Attributes:
        shape: (channels, height, width) of a sample, or (features,).
        maximum: largest value of a feature.
        bits: thresholds of a feature; 0 where the first layer takes whole numbers.
        largest_threshold: of the input.
        by_channel: whether thresholds of the input differ, so that they look at it as an image.
        layers: in order; the last gives one score a class.
        head_keeps_order: whether the largest score is the label, without scale and offset.
    """

    shape: tuple[int, ...]
    maximum: int
    bits: int
    largest_threshold: int
    by_channel: bool
    layers: tuple[LayerGeometry, ...]
    head_keeps_order: bool

    @property
    def pixels(self) -> int:
        """Places at which the input is looked at, a vector of :attr:`channels` each."""
        return prod(self.shape) // self.channels

    @property
    def channels(self) -> int:
        """Length of the vectors that enter: the channels of an image, or all features of a sample."""
        images = self.layers[0].convolution is not None or self.by_channel
        return self.shape[0] if images else prod(self.shape)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].outputs


def geometry_of(model: PackedModel) -> Geometry:
    """The geometry of a network that is there, its canonical form: what hardware is made from."""
    limits = model.encoding.thresholds
    layers = []
    for layer in model.canonical().layers:
        positives = np.bitwise_count(layer.weights.words).sum(axis=1)
        layers.append(
            LayerGeometry(
                layer.name,
                layer.inputs,
                layer.outputs,
                negatives=layer.inputs - int(positives.min()),
                positives=int(positives.max()),
                convolution=layer.convolution,
            )
        )
    return Geometry(
        shape=model.encoding.shape,
        maximum=model.encoding.maximum,
        bits=0 if limits is None else model.encoding.bits,
        largest_threshold=0 if limits is None else int(limits.max()),
        by_channel=limits is not None and limits.size > 1,
        layers=tuple(layers),
        head_keeps_order=not model.needs_head,
    )
