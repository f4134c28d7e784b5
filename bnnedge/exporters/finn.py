"""FINN-ONNX, written node by node: what FINN's dataflow builder takes as it stands.

QONNX would not do: FINN looks for BinaryQuant, Quant or Trunc before it converts a graph, so one that holds
BipolarQuant alone goes on unconverted.

FINN pads with 0, which bipolar values do not have: its builder stops there, or, where it turns them into 0
and 1 afterwards, pads with what now means −1. A convolution that pads is therefore written in the form that
FINN itself gives to bipolar layers: bits 0 and 1, of which 0 is −1, in Im2Col and XnorPopcountMatMul.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from bnnedge.errors import UnsupportedError
from bnnedge.exporters.graph import IMAGE, LABEL, QONNX_DOMAIN, activation, preactivation, threshold, weight
from bnnedge.exporters.writer import Writer, weight_values
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["to_finn"]

Float32 = NDArray[np.float32]


def to_finn(model: PackedModel) -> onnx.ModelProto:
    """A graph from ``image``, whole numbers in float32, to ``label``, (1, 1) int64.

    The image is (1, features) or (1, channels, height, width). Datatypes are annotated, thresholds are whole
    numbers on the pre-activations' lattice, and TopK comes last. The head's affine is left out where it
    cannot change which class is the largest.

    Raises:
        UnsupportedError: a convolution pads images of one row or column.
    """
    return _FinnWriter(model).write()


class _FinnWriter(Writer):
    """FINN-ONNX; thresholds are (channels, 1), and tensors that a padded convolution takes are 0 and 1."""

    target = "finn"

    def __init__(self, model: PackedModel) -> None:
        super().__init__(model)
        layers = self.upright.layers
        entering = (f"{IMAGE}_bipolar", *map(activation, layers[:-1]))
        self._blank = _pads(layers[0]) and model.encoding.encoded_shape[0] == 1
        self._of_bits = {tensor for tensor, layer in zip(entering, layers, strict=True) if _pads(layer)}
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
        Where the first convolution pads, channels that need no repeating pass through such a layer as well:
        FINN lowers images to its own layout only in graphs that have a Conv. A single channel gets a blank
        one beside it, 0 below a threshold of 1 and so always −1: FINN would take one channel for a depthwise
        convolution, and stop.
        """
        times, channels = len(values), shape[0]
        if times > 1 or _pads(self.upright.layers[0]):
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
        if not convolution.padding:
            return super().convolve(layer, convolution, tensor)
        if 1 in convolution.input_shape[1:]:
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
        counts = self.graph.node(
            "XnorPopcountMatMul",
            [windows, filters],
            f"{stage}/counts",
            self.batch,
            *places,
            layer.outputs,
            domain=QONNX_DOMAIN,
        )
        return self._sums(layer, counts)

    def _sums(self, layer: PackedLayer, counts: str) -> str:
        """Pre-activations of counts of agreeing bits, which are (1, height, width, outputs)."""
        graph, stage, shape = self.graph, preactivation(layer), (self.batch, *layer.sum_shape)
        two = graph.constant("two", np.array([2], dtype=np.float32))
        shift = graph.constant(f"{stage}.shift", np.array([-layer.inputs], dtype=np.float32))
        agreeing = graph.node("Transpose", [counts], f"{stage}/agreeing", *shape, perm=[0, 3, 1, 2])
        doubled = graph.node("Mul", [agreeing, two], f"{stage}/doubled", *shape)
        return graph.node("Add", [doubled, shift], stage, *shape)

    def end(self, scores: str) -> Sequence[str]:
        """The index of the largest logit, the first of equals."""
        tensor = self.affine(scores, 1) if self.model.needs_head else scores
        count = self.graph.constant("one", np.array([1], dtype=np.int64))
        value = self.graph.tensor(f"{LABEL}/value", 1, 1)
        self.graph.tensor(LABEL, 1, 1, element=TensorProto.INT64)
        self.graph.append(helper.make_node("TopK", [tensor, count], [value, LABEL], f"TopK:{LABEL}", axis=-1))
        return (LABEL,)


def _pads(layer: PackedLayer) -> bool:
    return layer.convolution is not None and layer.convolution.padding > 0


def _signed(limit: int) -> str:
    """The smallest signed integer type that holds −limit … limit."""
    return f"INT{limit.bit_length() + 1}"
