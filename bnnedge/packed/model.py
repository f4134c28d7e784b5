"""A whole 1-bit network as bits and integers: the waist between training and everything after it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Lattice
from bnnedge.packed.layer import PackedLayer

__all__ = ["PackedModel", "Prediction"]


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
        layers: at least one; all but the last have thresholds; the last is dense.
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
        shape = self.encoding.encoded_shape
        for position, layer in enumerate(self.layers):
            last = position == len(self.layers) - 1
            if not layer.takes(shape):
                raise DataError(
                    f"layer {layer.name} takes {_sizes(layer.input_shape)} inputs, "
                    f"but {_sizes(shape)} reach it"
                )
            if last == (layer.thresholds is not None):
                wanted = "no thresholds, being the last" if last else "thresholds"
                raise DataError(f"layer {layer.name} must have {wanted}")
            shape = layer.output_shape
        if len(shape) != 1:
            raise DataError(f"the last layer, {layer.name}, must be dense", "scores are one number a class")
        first = self.layers[0].convolution
        if first is not None and first.padding and self.encoding.kind == "integer":
            raise DataError(
                "whole-number inputs cannot be padded with −1",
                "no padding in the first layer, or bits as inputs",
            )
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise DataError("layer names must differ")
        if self.head.scale.size not in (1, self.classes):
            raise DataError(f"a head of {self.head.scale.size} scales does not fit {self.classes} classes")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].outputs

    @property
    def name(self) -> str:
        """What the checkpoint's provenance calls it, in printable characters; empty without a name."""
        return "".join(letter for letter in str(self.provenance.get("name", "")) if letter.isprintable())

    @property
    def plain_name(self) -> str:
        """That name in ASCII letters, digits, ``_``, ``-`` and ``.``, for comments of sources.

        Verilator takes orders from comments that begin with its own name, so that is left out.
        """
        letters = (c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in self.name)
        return "".join(letters).replace("verilator", "_")

    @property
    def lattices(self) -> tuple[Lattice, ...]:
        """The values that each layer's pre-activations can take, in model order."""
        first, *others = self.layers
        return (self.encoding.lattice(first.inputs), *(Lattice(layer.inputs, 2) for layer in others))

    @property
    def head_is_order_preserving(self) -> bool:
        """Whether the largest score always has the largest logit: one positive scale, one offset."""
        return self.head.scale.size == 1 and bool(self.head.scale[0] > 0)

    @property
    def needs_head(self) -> bool:
        """Whether the head can change which class is the largest, or make equals of classes that differ.

        A positive scale keeps the order of real numbers; in float32 it may still round two scores to the
        same logit, so the whole lattice of scores is looked at.
        """
        if not self.head_is_order_preserving:
            return True
        lattice = self.lattices[-1]
        scores = np.arange(-lattice.bound, lattice.bound + 1, lattice.step, dtype=np.int32)
        return not bool((np.diff(self.head(scores)) > 0).all())

    def canonical(self) -> PackedModel:
        """The same function with every threshold direction +1.

        A neuron with direction −1 is complemented: its pre-activation changes sign, and the comparison
        becomes ``a >= value``. Hardware and graphs are made from this form; complexity is measured on the
        weights as trained.
        """
        return replace(self, layers=tuple(layer.canonical() for layer in self.layers))

    def predict(self, inputs: NDArray[np.uint8]) -> Prediction:
        """Scores and labels of (samples, features) whole numbers, by XNOR and popcount."""
        from bnnedge.packed.infer import predict

        return predict(self, inputs)


def _sizes(shape: tuple[int, ...]) -> str:
    return str(prod(shape)) if len(shape) == 1 else " x ".join(map(str, shape))
