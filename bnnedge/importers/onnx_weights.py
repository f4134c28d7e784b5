"""The 1-bit weights of an ONNX graph: what its matrix products and convolutions read.

QONNX keeps weights as real numbers behind a BipolarQuant, FINN-ONNX as −1 and +1 (or 0 and 1 where a matrix
product counts XNORs), and early Brevitas put a Transpose in between. FINN turns convolutions into products
with windows that an Im2Col makes, whose pixels come first and channels last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import FileError
from bnnedge.importers.arrays import Tensors, layer_names, signs_note
from bnnedge.importers.onnx import OnnxGraph, attributes, integers, label
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.weights import BitTensor, Reading

__all__ = ["LINEAR", "Weight", "repeated_features", "tensors_of", "weights"]

Array = NDArray[Any]

MOST_READINGS = 8  # times that a file's constants may be read as weights, all in all

LINEAR = ("MatMul", "Gemm", "Conv", "XnorPopcountMatMul")


@dataclass(frozen=True, eq=False)
class Weight:
    """The 1-bit weights that one node reads.

    Attributes:
        node: a matrix product or a convolution.
        name: of the layer.
        shape: (outputs, inputs) or (outputs, inputs, height, width).
        matrix: the bits, (outputs, everything else).
        scale: (outputs,) float32, what ±1 is multiplied by; 1 for a count of XNORs.
        reading: how the file's values became bits.
        zeros: how many of the file's values are 0, where they count by their signs.
    """

    node: onnx.NodeProto
    name: str
    shape: tuple[int, ...]
    matrix: PackedMatrix
    scale: NDArray[np.float32]
    reading: Reading
    zeros: int = 0


def tensors_of(graph: OnnxGraph) -> Tensors:
    """The 1-bit weights of every layer, in graph order, and notes on layers that are not 1-bit.

    Raises:
        FileError: there are none.
    """
    found, notes = weights(graph)
    if not found:
        reasons = f"; {'; '.join(notes)}" if notes else ""
        raise FileError(
            f"{graph.name} holds no 1-bit weights{reasons}",
            "expected BipolarQuant weights, or −1 and +1 in a matrix product or a convolution",
        )
    layers = tuple(BitTensor(w.name, w.matrix, w.shape, w.reading) for w in found)
    return layers, (*signs_note(layers, sum(w.zeros for w in found)), *notes)


def weights(graph: OnnxGraph) -> tuple[tuple[Weight, ...], tuple[str, ...]]:
    """The 1-bit weights of every layer, in graph order, and a note on every layer that is not 1-bit.

    A layer is called after the constant that it reads, or ``fc1``, ``conv2``, … where that has a mere number.
    """
    found: list[Weight] = []
    notes: list[str] = []
    _check_readings(graph)
    windows = {node.output[0]: node for node in graph.nodes if node.op_type == "Im2Col"}
    for node in graph.nodes:
        if node.op_type not in LINEAR or repeated_features(graph, node) is not None:
            continue
        weight = _weight(graph, node, windows.get(next(iter(node.input), "")), len(found) + len(notes) + 1)
        if isinstance(weight, Weight):
            found.append(weight)
        elif weight:
            notes.append(weight)
    names = layer_names(weight.name for weight in found)
    return tuple(replace(w, name=name) for w, name in zip(found, names, strict=True)), tuple(notes)


def _check_readings(graph: OnnxGraph) -> None:
    """Refuse a small file that has one constant read so often that its layers are a large network.

    Raises:
        FileError: it has.
    """
    there = sum(value.size for name, value in graph.constants.items() if name not in graph.roots)
    linear = (node for node in graph.nodes if node.op_type in LINEAR)
    read = sum(
        graph.constants[name].size for node in linear for name in node.input if name in graph.constants
    )
    if read > MOST_READINGS * there:
        raise FileError(f"{graph.name} reads {read:,} weights of {there:,} values that are there")


def repeated_features(graph: OnnxGraph, node: onnx.NodeProto) -> NDArray[np.intp] | None:
    """Which feature each output of a matrix product or a 1x1 convolution repeats; None if it does more.

    So FINN graphs of bnnedge give each threshold of a thermometer its copy of the image: weights 0 and 1,
    annotated as whole numbers, which tells them from bipolar ones where all are 1. An output without a 1 is
    blank, −1 here.
    """
    values = graph.constants.get(node.input[1]) if len(node.input) == 2 else None
    if node.op_type not in ("Conv", "MatMul") or values is None or values.dtype.kind not in "iuf":
        return None
    rows = values.T if values.ndim == 2 else values.reshape(len(values), -1) if values.ndim == 4 else None
    whole_numbers = graph.datatypes.get(node.input[1], "").startswith("INT")
    if rows is None or not values.size or values.shape[2:] not in ((), (1, 1)) or not whole_numbers:
        return None
    most_one = bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) <= 1).all())
    return np.where(rows.any(axis=1), rows.argmax(axis=1), -1) if most_one else None


def _weight(
    graph: OnnxGraph, node: onnx.NodeProto, windows: onnx.NodeProto | None, position: int
) -> Weight | str | None:
    """The node's weights, or why they are not 1-bit; None where it multiplies no constant.

    ``windows`` is the Im2Col whose windows a matrix product takes, which makes it a convolution.
    """
    operands = list(node.input[:2])
    known = [
        operand for operand in reversed(operands) if operand in graph.constants or operand in graph.opaque
    ]
    if len(operands) < 2 or not known:
        return None
    source = known[0]
    root = graph.roots.get(source, source)
    nameless = root.isdecimal() or "::" in root
    name = f"{'conv' if node.op_type == 'Conv' or windows else 'fc'}{position}" if nameless else root
    if source in graph.opaque:
        return f"{name}: left out, {graph.opaque[source]} makes its weights, which is not known here"
    values = graph.constants[source]
    axes = 4 if node.op_type == "Conv" else 2
    if values.ndim != axes or not values.size or values.dtype.kind not in "biuf":
        return f"{name}: left out, {label(node)} reads {values.dtype} weights of shape {values.shape}"
    turned = source == operands[1] and axes == 2 and not attributes(node).get("transB", 0)
    values = values.T if turned else values
    if windows is not None:
        sides = integers(windows, "kernel_size")
        if len(sides) != 2 or min(sides) < 1 or values.shape[1] % math.prod(sides):
            return f"{name}: left out, {label(windows)} has windows of {sides}, which its weights do not fit"
        values = values.reshape(len(values), *sides, -1).transpose(0, 3, 1, 2)
    rows = values.reshape(len(values), -1)
    if node.op_type == "XnorPopcountMatMul":
        if not ((rows == 0) | (rows == 1)).all():
            return f"{name}: left out, {label(node)} takes weights 0 and 1, and has others"
        scale = np.ones(len(rows), dtype=np.float32)
        return Weight(node, name, values.shape, PackedMatrix.from_bits(rows == 1), scale, "0/1")
    if not _is_bipolar(rows):
        return f"{name}: left out, {label(node)} has weights of more than two values"
    scale = np.abs(rows[:, 0]).astype(np.float32)
    origin = graph.constants[root]
    matrix = PackedMatrix.from_signs(rows)
    if origin.ndim < 2 or _is_bipolar(origin.reshape(len(origin), -1)) or _is_bipolar(origin.T):
        return Weight(node, name, values.shape, matrix, scale, "±1")
    zeros = int(np.count_nonzero(origin == 0))
    return Weight(node, name, values.shape, matrix, scale, "signs of real values", zeros)


def _is_bipolar(rows: Array) -> bool:
    """Whether every row has one magnitude, which is not 0."""
    magnitude = np.abs(rows)
    scale = magnitude[:, :1]
    return bool((np.isfinite(scale) & (scale > 0)).all() and (magnitude == scale).all())
