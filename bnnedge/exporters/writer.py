"""A network as a graph: the steps that all targets share, each written as the target has it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from bnnedge.exporters.graph import (
    IMAGE,
    LABEL,
    LOGITS,
    Form,
    Graph,
    activation,
    annotate,
    image_shape,
    preactivation,
    threshold,
)
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["Writer", "column", "weight_values"]

Float32 = NDArray[np.float32]


class Writer(ABC):
    """Writes one network, its canonical form, from ``image`` to what the target gives its user.

    Subclasses say how a target begins, compares, holds weights, pads and ends; the rest is the same for all.
    Every tensor is float32 between the two ends: whole numbers below 2^24 are exact in it.

    Attributes:
        target: what the file says that it is.
        batch: length of the first axis of every tensor that depends on the image.
        labels: whether the class is an output where nobody says.
        form: what was chosen, said in full.
        model: the network as given.
        upright: the same with every threshold direction +1.
        graph: what is written so far.
        datatypes: QONNX datatypes of tensors, by name.
    """

    target: ClassVar[str]
    batch: ClassVar[int | str] = 1
    labels: ClassVar[bool] = True

    def __init__(self, model: PackedModel, form: Form) -> None:
        self.model = model
        self.form = form if form.label is not None else replace(form, label=self.labels)
        self.upright = model.canonical()
        self.graph = Graph()
        self.datatypes: dict[str, str] = {}

    def write(self) -> onnx.ModelProto:
        """The whole file."""
        shape = image_shape(self.model)
        tensor, limits = self.begin(shape), self.model.encoding.thresholds
        if limits is not None:
            tensor = self.encode(tensor, limits.astype(np.float32), shape)
        for layer in self.upright.layers:
            tensor = self._through(layer, tensor)
        proto = self.graph.finish(self.model, self.target, self.form, self.end(tensor))
        return annotate(proto, self.datatypes) if self.datatypes else proto

    @abstractmethod
    def begin(self, shape: tuple[int, ...]) -> str:
        """Declare ``image``, samples of a shape; gives back the tensor that holds them in float32."""

    @abstractmethod
    def sign(self, tensor: str, limit: str, values: Float32, result: str, shape: tuple[int, ...]) -> str:
        """Where a tensor, samples of a shape, is at least its channel's value: +1, else −1.

        Args:
            tensor: what is compared.
            limit: name of the thresholds.
            values: (channels,), or (1,) for all.
            result: name of the outcome.
            shape: of a sample, (channels, …).
        """

    @abstractmethod
    def weights(self, layer: PackedLayer) -> str:
        """The tensor that holds a layer's weights as :func:`weight_values` gives them."""

    @abstractmethod
    def end(self, scores: str) -> Sequence[str]:
        """Write what follows the last layer; gives back the names of the graph's outputs."""

    def encode(self, tensor: str, values: Float32, shape: tuple[int, ...]) -> str:
        """What the first layer sees of an image: level by level, put together.

        Args:
            tensor: the image.
            values: thresholds, (bits, channels), or (bits, 1) for all.
            shape: of a sample.
        """
        name, result = f"{IMAGE}_threshold", f"{IMAGE}_bipolar"
        if len(values) == 1:
            return self.sign(tensor, name, values[0], result, shape)
        levels = [
            self.sign(tensor, f"{name}/{level}", row, f"{result}/{level}", shape)
            for level, row in enumerate(values)
        ]
        sizes = (self.batch, len(values) * shape[0], *shape[1:])
        return self.graph.node("Concat", levels, result, *sizes, axis=1)

    def convolve(self, layer: PackedLayer, convolution: Convolution, tensor: str) -> str:
        """A convolution's pre-activations, padding of −1 included."""
        if padding := convolution.padding:
            channels, height, width = convolution.input_shape
            sides = self.graph.constant(f"{layer.name}.pads", np.array([0, 0, padding, padding] * 2))
            value = self.graph.constant("minus_one", np.array(-1, dtype=np.float32))
            shape = (channels, height + 2 * padding, width + 2 * padding)
            padded = f"{preactivation(layer)}/padded"
            tensor = self.graph.node("Pad", [tensor, sides, value], padded, self.batch, *shape)
        filters, result = self.weights(layer), preactivation(layer)
        return self.slide(tensor, filters, result, layer.sum_shape, convolution.kernel, convolution.stride)

    def slide(
        self, tensor: str, filters: str, result: str, shape: tuple[int, ...], kernel: int, stride: int
    ) -> str:
        """A Conv without padding; gives back the result, samples of a shape."""
        return self.graph.node(
            "Conv",
            [tensor, filters],
            result,
            self.batch,
            *shape,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[0] * 4,
            dilations=[1] * 2,
            group=1,
        )

    def affine(self, scores: str, classes: int) -> str:
        """Logits of scores: the head, of which each value is written ``classes`` times, or once for 1."""
        head, tensor = self.model.head, scores
        for operator, name, values, result in (
            ("Mul", "head_scale", head.scale, f"{LOGITS}/scaled"),
            ("Add", "head_offset", head.offset, LOGITS),
        ):
            constant = self.graph.constant(name, np.broadcast_to(values, max(values.size, classes)).copy())
            tensor = self.graph.node(operator, [tensor, constant], result, self.batch, self.model.classes)
        return tensor

    def multiply(self, layer: PackedLayer, tensor: str) -> str:
        """A dense layer's pre-activations, of a tensor (batch, inputs)."""
        inputs = [tensor, self.weights(layer)]
        return self.graph.node("MatMul", inputs, preactivation(layer), self.batch, layer.outputs)

    def choose(self, scores: str) -> str:
        """The class of one sample as (1, 1) int64: the index of its largest score, the first of equals."""
        count = self.graph.constant(f"{LABEL}/count", np.array([1], dtype=np.int64))
        value = self.graph.tensor(f"{LABEL}/value", 1, 1)
        self.graph.tensor(LABEL, 1, 1, element=TensorProto.INT64)
        self.graph.append(helper.make_node("TopK", [scores, count], [value, LABEL], f"TopK:{LABEL}", axis=-1))
        return LABEL

    def _through(self, layer: PackedLayer, tensor: str) -> str:
        """One layer: sums, thresholds, pooling."""
        convolution = layer.convolution
        if convolution is None:
            tensor = self.multiply(layer, self._flat(layer, tensor))
        else:
            tensor = self.convolve(layer, convolution, tensor)
        if layer.thresholds is None:
            return tensor
        values = layer.thresholds.values.astype(np.float32)
        tensor = self.sign(tensor, threshold(layer), values, activation(layer), layer.sum_shape)
        if convolution is None or convolution.pool == 1:
            return tensor
        return self.graph.node(
            "MaxPool",
            [tensor],
            f"{activation(layer)}/pooled",
            self.batch,
            *layer.output_shape,
            kernel_shape=[convolution.pool] * 2,
            strides=[convolution.pool] * 2,
            pads=[0] * 4,
        )

    def _flat(self, layer: PackedLayer, tensor: str) -> str:
        if len(self.graph.shape(tensor)) == 2:
            return tensor
        flat = f"{preactivation(layer)}/flat"
        return self.graph.node("Flatten", [tensor], flat, self.batch, layer.inputs, axis=1)


def weight_values(layer: PackedLayer) -> Float32:
    """Weights −1 and +1: (inputs, outputs), or (outputs, channels, kernel, kernel) of a convolution."""
    signs = layer.weights.to_signs()
    ordered = signs.T if layer.convolution is None else signs.reshape(layer.weight_shape)
    return np.ascontiguousarray(ordered, dtype=np.float32)


def column(values: Float32, shape: tuple[int, ...]) -> Float32:
    """Values of channels so that they broadcast over (channels, …) samples."""
    return values.reshape(-1, *(1,) * (len(shape) - 1))
