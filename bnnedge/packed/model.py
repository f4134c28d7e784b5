"""A whole 1-bit network as bits and integers: the waist between training and everything after it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.fold import Affine, Lattice, Thresholds
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["InputEncoding", "PackedLayer", "PackedModel", "Prediction"]


@dataclass(frozen=True)
class InputEncoding:
    """How a sample of whole numbers 0 … maximum becomes what the first layer sees.

    ``bipolar`` compares each feature with one threshold, so that the hardware sees bits (as BNN-PYNQ
    does: 128 of 255 is the sign of 2x/255 − 1). ``integer`` passes the numbers on, into 1-bit weights.

    Attributes:
        kind: ``bipolar`` or ``integer``.
        features: number of features of a sample.
        maximum: largest value of a feature, at most 255.
        threshold: for ``bipolar``, a feature is +1 exactly when it is >= threshold; 0 for ``integer``.
    """

    kind: Literal["bipolar", "integer"]
    features: int
    maximum: int
    threshold: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("bipolar", "integer"):
            raise DataError(f"unknown input encoding {self.kind!r}", "expected 'bipolar' or 'integer'")
        if self.features < 1 or not 1 <= self.maximum <= 255:
            raise DataError(
                f"an input of {self.features} features up to {self.maximum} cannot be",
                "expected at least one feature, with values up to at most 255",
            )
        if not 0 <= self.threshold <= self.maximum or (self.kind == "integer" and self.threshold):
            raise DataError(
                f"input threshold {self.threshold} does not fit {self.kind} inputs up to {self.maximum}"
            )

    @property
    def lattice(self) -> Lattice:
        """The values of the first layer's pre-activations."""
        if self.kind == "bipolar":
            return Lattice(self.features, 2)
        return Lattice(self.features * self.maximum, 1)


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A dense layer: ``a = W x``, then, unless it is the last, a comparison.

    Attributes:
        name: unique in the model; letters, digits, ``_``, ``-`` and ``.``.
        weights: (outputs, inputs), as trained.
        thresholds: what makes activations of the pre-activations; None for the last layer.
    """

    name: str
    weights: PackedMatrix
    thresholds: Thresholds | None = None

    def __post_init__(self) -> None:
        if not self.name or not all(c.isascii() and (c.isalnum() or c in "_-.") for c in self.name):
            raise DataError(f"bad layer name {self.name!r}", "use letters, digits, '_', '-' and '.'")
        if not self.weights.rows or not self.weights.columns:
            raise DataError(f"layer {self.name} has an empty weight matrix {self.weights.shape}")
        if self.thresholds is not None and self.thresholds.values.size != self.outputs:
            raise DataError(
                f"layer {self.name}: {self.thresholds.values.size} thresholds for {self.outputs} neurons"
            )

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.weights.columns

    @property
    def outputs(self) -> int:
        """Number of neurons."""
        return self.weights.rows


@dataclass(frozen=True)
class Prediction:
    """What the golden model says of some samples.

    Attributes:
        scores: (samples, classes) int32, the last layer's pre-activations.
        logits: (samples, classes) float32, the scores after the head.
        labels: (samples,) int64, the class of the largest logit, the first of equals.
    """

    scores: NDArray[np.int32]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackedModel:
    """Input encoding, layers of bits and integer thresholds, and a real-valued head.

    Attributes:
        encoding: what happens to a sample before the first layer.
        layers: at least one; all but the last have thresholds.
        head: float32 scale and offset that turn the last pre-activations into logits, one a class or one
            for all.
        provenance: where the model came from (preset, data, seed, step, …); JSON values, kept in files.

    Raises:
        DataError: the parts do not fit one another.
    """

    encoding: InputEncoding
    layers: tuple[PackedLayer, ...]
    head: Affine
    provenance: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise DataError("a model needs at least one layer")
        width = self.encoding.features
        for position, layer in enumerate(self.layers):
            last = position == len(self.layers) - 1
            if layer.inputs != width:
                raise DataError(f"layer {layer.name} takes {layer.inputs} inputs, but {width} reach it")
            if last == (layer.thresholds is not None):
                wanted = "no thresholds, being the last" if last else "thresholds"
                raise DataError(f"layer {layer.name} must have {wanted}")
            width = layer.outputs
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise DataError("layer names must differ")
        if self.head.scale.size not in (1, width):
            raise DataError(f"a head of {self.head.scale.size} scales does not fit {width} classes")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].outputs

    @property
    def lattices(self) -> tuple[Lattice, ...]:
        """The values that each layer's pre-activations can take, in model order."""
        return (self.encoding.lattice, *(Lattice(layer.inputs, 2) for layer in self.layers[1:]))

    @property
    def head_is_order_preserving(self) -> bool:
        """Whether the largest score always has the largest logit: one positive scale, one offset."""
        return self.head.scale.size == 1 and bool(self.head.scale[0] > 0)

    def canonical(self) -> PackedModel:
        """The same function with every threshold direction +1.

        A neuron with direction −1 is complemented: its pre-activation changes sign, and the comparison
        becomes ``a >= value``. Hardware and graphs are made from this form; complexity is measured on the
        weights as trained.
        """
        return replace(self, layers=tuple(_canonical(layer) for layer in self.layers))

    def predict(self, inputs: NDArray[np.uint8]) -> Prediction:
        """Scores and labels of (samples, features) whole numbers, by XNOR and popcount."""
        from bnnedge.packed.infer import predict

        return predict(self, inputs)


def _canonical(layer: PackedLayer) -> PackedLayer:
    if layer.thresholds is None or (layer.thresholds.directions > 0).all():
        return layer
    negative = layer.thresholds.directions < 0
    upright = Thresholds(layer.thresholds.values, np.ones_like(layer.thresholds.directions))
    return replace(layer, weights=layer.weights.complement_rows(negative), thresholds=upright)
