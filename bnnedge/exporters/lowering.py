"""Im2Col and XnorPopcountMatMul in standard operators, so that many samples run at once.

qonnx runs both for one sample at a time, and slowly: a network as large as CNV takes seconds a sample. The
file itself is run with the real ones too, on one sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["lower"]


def lower(graph: onnx.GraphProto) -> None:
    """Replace the two operators in a graph whose batch is 1, in place; tensors keep their names."""
    shapes = {
        tensor.name: [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        for tensor in (*graph.value_info, *graph.input, *graph.output)
    }
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Im2Col":
            nodes += _windows(graph, node, shapes)
        elif node.op_type == "XnorPopcountMatMul":
            weights = numpy_helper.to_array(constants[node.input[1]])
            nodes += _agreeing(graph, node, weights, shapes[node.output[0]])
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _windows(
    graph: onnx.GraphProto, node: onnx.NodeProto, shapes: dict[str, list[int]]
) -> Iterator[onnx.NodeProto]:
    """Windows side by side: a slice of the image for each place in the kernel, row by row."""
    (source,), (result,) = node.input, node.output
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    top, left, bottom, right = attributes["pad_amount"]
    batch, height, width, channels = shapes[source]
    padded = f"{result}/padded"
    sides = _constant(graph, f"{result}/sides", np.array([0, top, left, 0, 0, bottom, right, 0]))
    _tensor(graph, padded, [batch, height + top + bottom, width + left + right, channels])
    yield helper.make_node("Pad", [source, sides], [padded])

    down, across = shapes[result][1:3]
    steps = np.array(attributes["stride"])
    axes = _constant(graph, f"{result}/axes", np.array([1, 2]))
    strides = _constant(graph, f"{result}/strides", steps)
    slices = []
    for place in np.ndindex(*attributes["kernel_size"]):
        name = f"{result}/{place[0]}x{place[1]}"
        starts = _constant(graph, f"{name}/starts", np.array(place))
        ends = np.array(place) + (np.array([down, across]) - 1) * steps + 1
        limits = _constant(graph, f"{name}/ends", ends)
        slices.append(_tensor(graph, name, [batch, down, across, channels]))
        yield helper.make_node("Slice", [padded, starts, limits, axes, strides], [name])
    yield helper.make_node("Concat", slices, [result], axis=3)


def _agreeing(
    graph: onnx.GraphProto, node: onnx.NodeProto, weights: NDArray[np.float32], shape: list[int]
) -> Iterator[onnx.NodeProto]:
    """How many pairs of bits agree: (Σ (2x − 1)(2w − 1) + n) / 2 = Σ x (2w − 1) + Σ (1 − w)."""
    (result,) = node.output
    signs = _constant(graph, f"{result}/signs", 2 * weights - 1)
    zeros = _constant(graph, f"{result}/zeros", (1 - weights).sum(axis=0))
    sums = _tensor(graph, f"{result}/sums", shape)
    yield helper.make_node("MatMul", [node.input[0], signs], [sums])
    yield helper.make_node("Add", [sums, zeros], [result])


def _tensor(graph: onnx.GraphProto, name: str, shape: list[int]) -> str:
    graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return name


def _constant(graph: onnx.GraphProto, name: str, values: NDArray[np.generic]) -> str:
    """A constant; whole numbers are int64, as the operators ask for."""
    graph.initializer.append(numpy_helper.from_array(values, name))
    return name
