"""FINN-ONNX, written node by node: what FINN's dataflow builder takes as it stands.

QONNX would not do: FINN looks for BinaryQuant, Quant or Trunc before it converts a graph, so one that holds
BipolarQuant alone goes on unconverted.

FINN pads with 0, which bipolar values do not have: its builder stops there, or, where it turns them into 0
and 1 afterwards, pads with what now means −1. A convolution that pads is therefore written in the form that
FINN itself gives to bipolar layers: bits 0 and 1, of which 0 is −1, in Im2Col and XnorPopcountMatMul. On
request every layer that takes bits is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.exporters.graph import (
    AS_USUAL,
    IMAGE,
    QONNX_DOMAIN,
    Form,
    activation,
    preactivation,
    threshold,
    weight,
)
from bnnedge.exporters.writer import Writer, weight_values
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["to_finn"]

Float32 = NDArray[np.float32]


def to_finn(model: PackedModel, form: Form = AS_USUAL) -> onnx.ModelProto:
    """A graph from ``image``, whole numbers in float32, to ``label``, (1, 1) int64.

    The image is (1, features) or (1, channels, height, width). Datatypes are annotated, thresholds are whole
    numbers on the pre-activations' lattice, and TopK comes last. The head's affine is left out where it
    cannot change which class is the largest: without ``label`` the graph ends in what is compared, logits or
    whole-number scores.

    Args:
        model: the network.
        form: with or without ``label``; ``xnor``: every layer that takes bits counts where they agree.

    Raises:
        UnsupportedError: a convolution pads images of one row or column.
    """
    return _FinnWriter(model, form).write()


class _FinnWriter(Writer):
    """FINN-ONNX; thresholds are (channels, 1), and tensors that a counting layer takes are 0 and 1."""

    target = "finn"

    def __init__(self, model: PackedModel, form: Form) -> None:
        super().__init__(model, form)
        layers = self.upright.layers
        taking_bits = layers if model.encoding.thresholds is not None else layers[1:]
        counting = taking_bits if form.xnor else filter(_pads, layers)
        self._counting = {layer.name for layer in counting}
        entering = (f"{IMAGE}_bipolar", *map(activation, layers[:-1]))
        self._of_bits = {
            tensor for tensor, layer in zip(entering, layers, strict=True) if layer.name in self._counting
        }
        self._windows_first = layers[0].convolution is not None and layers[0].name in self._counting
        self._blank = self._windows_first and model.encoding.encoded_shape[0] == 1
        self._limits = {f"{IMAGE}_threshold": "UINT8"} | {
            threshold(layer): _signed(lattice.bound + lattice.step)
            for layer, lattice in zip(layers, self.upright.lattices, strict=True)
        }

    def begin(self, shape: tuple[int, ...]) -> str:
        self.datatypes[IMAGE] = "UINT8"
        return self.graph.tensor(IMAGE, self.batch, *shape)

    def encode(self, tensor: str, values: Float32, shape: tuple[int, ...]) -> str:
        """Channels as often as they have thresholds, then all thresholds at once.

        A layer of weights 0 and 1 repeats the channels, which FINN builds anywhere; a Concat it does not.
        Where the first layer is an Im2Col, channels that need no repeating pass through such a layer as well:
        FINN lowers images to its own layout only in graphs that have a Conv. A single channel gets a blank
        one beside it, 0 below a threshold of 1 and so always −1: FINN would take one channel for a depthwise
        convolution, and stop.
        """
        times, channels = len(values), shape[0]
        if times > 1 or self._windows_first:
            values = np.broadcast_to(values, (times, channels)).reshape(1, -1)
            chosen = np.tile(np.eye(channels, dtype=np.float32), (times, 1))
            if self._blank:
                values, chosen = np.array([[values[0, 0], 1]], np.float32), np.array([[1], [0]], np.float32)
            shape = (len(chosen), *shape[1:])
            tensor = self._choose(tensor, chosen, shape)
        return super().encode(tensor, values, shape)

    def _choose(self, tensor: str, chosen: Float32, shape: tuple[int, ...]) -> str:
        """Some of an image's channels, (results, channels) of 0 and 1, as samples of a shape."""
        name, result = f"{IMAGE}_weight", f"{IMAGE}/repeated"
        self.datatypes[name] = "INT2"
        if len(shape) == 1:
            columns = self.graph.constant(name, np.ascontiguousarray(chosen.T))
            return self.graph.node("MatMul", [tensor, columns], result, self.batch, *shape)
        filters = self.graph.constant(name, chosen[:, :, None, None])
        return self.slide(tensor, filters, result, shape, kernel=1, stride=1)

    def sign(self, tensor: str, limit: str, values: Float32, result: str, shape: tuple[int, ...]) -> str:
        bits = result in self._of_bits
        datatype = "BINARY" if bits else "BIPOLAR"
        self.datatypes |= {limit: self._limits[limit], result: datatype}
        return self.graph.node(
            "MultiThreshold",
            [tensor, self.graph.constant(limit, values[:, None])],
            result,
            self.batch,
            *shape,
            domain=QONNX_DOMAIN,
            out_dtype=datatype,
            out_scale=1.0 if bits else 2.0,
            out_bias=0.0 if bits else -1.0,
            data_layout="NCHW",  # said even for 2-D tensors: the default changed between versions of qonnx
        )

    def weights(self, layer: PackedLayer) -> str:
        self.datatypes[weight(layer)] = "BIPOLAR"
        return self.graph.constant(weight(layer), weight_values(layer))

    def convolve(self, layer: PackedLayer, convolution: Convolution, tensor: str) -> str:
        if layer.name not in self._counting:
            return super().convolve(layer, convolution, tensor)
        if convolution.padding and 1 in convolution.input_shape[1:]:
            raise UnsupportedError(
                f"layer {layer.name} pads images of {convolution.input_shape[1:]} pixels, "
                "where FINN takes one row or column for a series",
                "no padding there, or less pooling before",
            )
        stage, places = preactivation(layer), convolution.positions
        bits = weight_values(layer).transpose(2, 3, 1, 0) > 0  # FINN's order: row, column, channel
        if self._blank and layer is self.upright.layers[0]:  # weights +1 never agree with −1, nor count
            bits = np.concatenate([bits, np.ones_like(bits)], axis=2)
        rows = bits.reshape(-1, layer.outputs).astype(np.float32)
        filters = self.graph.constant(weight(layer), rows)
        size = (*convolution.input_shape[1:], bits.shape[2])
        pixels, windows = f"{stage}/pixels", f"{stage}/windows"
        self.datatypes |= dict.fromkeys((pixels, windows, filters), "BINARY")
        self.graph.node("Transpose", [tensor], pixels, self.batch, *size, perm=[0, 2, 3, 1])
        self.graph.node(
            "Im2Col",
            [pixels],
            windows,
            self.batch,
            *places,
            len(rows),
            domain=QONNX_DOMAIN,
            stride=[convolution.stride] * 2,
            kernel_size=[convolution.kernel] * 2,
            input_shape="(1,{},{},{})".format(*size),
            pad_amount=[convolution.padding] * 4,
        )
        counts = self._count(windows, filters, f"{stage}/counts", *places, layer.outputs)
        agreeing = f"{stage}/agreeing"
        self.graph.node("Transpose", [counts], agreeing, self.batch, *layer.sum_shape, perm=[0, 3, 1, 2])
        return self._sums(layer, agreeing)

    def multiply(self, layer: PackedLayer, tensor: str) -> str:
        if layer.name not in self._counting:
            return super().multiply(layer, tensor)
        filters = self.graph.constant(weight(layer), (weight_values(layer) > 0).astype(np.float32))
        self.datatypes |= dict.fromkeys((tensor, filters), "BINARY")
        counts = self._count(tensor, filters, f"{preactivation(layer)}/counts", layer.outputs)
        return self._sums(layer, counts)

    def _count(self, bits: str, filters: str, result: str, *shape: int) -> str:
        """How many bits of each sample agree with those of each filter."""
        inputs = [bits, filters]
        return self.graph.node("XnorPopcountMatMul", inputs, result, self.batch, *shape, domain=QONNX_DOMAIN)

    def _sums(self, layer: PackedLayer, agreeing: str) -> str:
        """Pre-activations of counts of agreeing bits: 2 a − n."""
        graph, stage, shape = self.graph, preactivation(layer), (self.batch, *layer.sum_shape)
        two = graph.constant("two", np.array([2], dtype=np.float32))
        shift = graph.constant(f"{stage}.shift", np.array([-layer.inputs], dtype=np.float32))
        doubled = graph.node("Mul", [agreeing, two], f"{stage}/doubled", *shape)
        return graph.node("Add", [doubled, shift], stage, *shape)

    def end(self, scores: str) -> Sequence[str]:
        tensor = self.affine(scores, 1) if self.model.needs_head else scores
        return (self.choose(tensor) if self.form.label else tensor,)


def _pads(layer: PackedLayer) -> bool:
    return layer.convolution is not None and layer.convolution.padding > 0


def _signed(limit: int) -> str:
    """The smallest signed integer type that holds −limit … limit."""
    return f"INT{limit.bit_length() + 1}"
