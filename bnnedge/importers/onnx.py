"""ONNX files of others, opened: nodes, constants worked out, and the 1-bit weights among them.

QONNX keeps weights as real numbers behind a BipolarQuant, FINN-ONNX as −1 and +1 (or 0 and 1 where a matrix
product counts XNORs), and early Brevitas put a Transpose in between. So what constants alone make is computed
first; then a weight is what a matrix product or a convolution reads. Nothing outside the file is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bnnedge.errors import FileError
from bnnedge.importers.arrays import Tensors, layer_names, signs_note
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.weights import BitTensor, Reading

__all__ = ["OnnxGraph", "Weight", "attributes", "label", "read_onnx", "tensors_of", "weights"]

Array = NDArray[Any]

QUANT_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
LINEAR = ("MatMul", "Gemm", "Conv", "XnorPopcountMatMul")


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """An ONNX file.

    Attributes:
        name: of the file.
        nodes: in topological order, as the format demands.
        constants: every value that is known without an input, by name.
        roots: for such a value that nodes made, the name of the constant that it was made from.
        opaque: operators that make a value of constants alone, but are not known here, by that value's name.
        inputs: of the graph, initialisers not counted.
        datatypes: QONNX datatypes of tensors, where annotated.
        producer: the tool that says it wrote the file.
    """

    name: str
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, Array]
    roots: dict[str, str]
    opaque: dict[str, str]
    inputs: tuple[onnx.ValueInfoProto, ...]
    datatypes: dict[str, str]
    producer: str


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


def read_onnx(path: Path) -> OnnxGraph:
    """Open an ONNX file.

    Raises:
        FileError: unreadable, corrupt, no ONNX, or with data in other files.
    """
    try:
        proto = onnx.load_model_from_string(path.read_bytes())
    except (OSError, MemoryError) as error:
        raise FileError(f"cannot read {path}: {error}") from error
    except (DecodeError, ValueError) as error:
        raise _foreign(path) from error
    graph = proto.graph
    if not graph.node and not graph.initializer:
        raise _foreign(path)
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(graph)):
        raise FileError(
            f"{path} keeps tensors in other files, which are not read",
            "save the model as one file: onnx.save(onnx.load(path), one_file)",
        )
    try:
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return _open(path, proto, constants)
    except _BAD_VALUES as error:
        raise FileError(
            f"{path} is damaged: {type(error).__name__}: {error}",
            "export it again, or check it: onnx.checker",
        ) from error


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
    for node in graph.nodes:
        weight = _weight(graph, node, len(found) + len(notes) + 1) if node.op_type in LINEAR else None
        if isinstance(weight, Weight):
            found.append(weight)
        elif weight:
            notes.append(weight)
    names = layer_names(weight.name for weight in found)
    return tuple(replace(w, name=name) for w, name in zip(found, names, strict=True)), tuple(notes)


def label(node: onnx.NodeProto) -> str:
    """What messages call a node: operator and name, or the tensor that it makes."""
    return f"{node.op_type} {node.name or next(iter(node.output), '')!r}"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _weight(graph: OnnxGraph, node: onnx.NodeProto, position: int) -> Weight | str | None:
    """The node's weights, or why they are not 1-bit; None where it multiplies no constant."""
    operands = list(node.input[:2])
    known = [
        operand for operand in reversed(operands) if operand in graph.constants or operand in graph.opaque
    ]
    if len(operands) < 2 or not known:
        return None
    source = known[0]
    root = graph.roots.get(source, source)
    nameless = root.isdecimal() or "::" in root
    name = f"{'conv' if node.op_type == 'Conv' else 'fc'}{position}" if nameless else root
    if source in graph.opaque:
        return f"{name}: left out, {graph.opaque[source]} makes its weights, which is not known here"
    values = graph.constants[source]
    axes = 4 if node.op_type == "Conv" else 2
    if values.ndim != axes or not values.size or values.dtype.kind not in "biuf":
        return f"{name}: left out, {label(node)} reads {values.dtype} weights of shape {values.shape}"
    turned = source == operands[1] and axes == 2 and not attributes(node).get("transB", 0)
    values = values.T if turned else values
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


def _open(path: Path, proto: onnx.ModelProto, constants: dict[str, Array]) -> OnnxGraph:
    graph = proto.graph
    initialisers = set(constants)
    roots: dict[str, str] = {}
    opaque: dict[str, str] = {}
    for node in graph.node:
        attributes(node)  # raises here where one cannot be read
        if not node.output:
            raise ValueError(f"a node {node.op_type} makes nothing")
        used = [name for name in node.input if name]
        if not all(name in constants or name in opaque for name in used):
            continue
        unknown = [opaque[name] for name in used if name in opaque]
        value = None if unknown else _fold(node, [constants[name] for name in used])
        if value is None:
            opaque |= dict.fromkeys(node.output, unknown[0] if unknown else node.op_type)
            continue
        constants[node.output[0]] = value
        if used:
            largest = max(used, key=lambda name: constants[name].size)
            roots[node.output[0]] = roots.get(largest, largest)
    datatypes = {
        annotation.tensor_name: entry.value
        for annotation in graph.quantization_annotation
        for entry in annotation.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }
    inputs = tuple(entry for entry in graph.input if entry.name not in initialisers)
    producer = f"{proto.producer_name} {proto.producer_version}".strip()
    return OnnxGraph(path.name, tuple(graph.node), constants, roots, opaque, inputs, datatypes, producer)


def _fold(node: onnx.NodeProto, values: list[Array]) -> Array | None:
    """What a node makes of constants; None for an operator that is not known here."""
    given = attributes(node)
    match node.op_type:
        case "Constant" if "value" in given:
            return numpy_helper.to_array(given["value"])
        case "Identity":
            return values[0]
        case "Transpose":
            return values[0].transpose(given.get("perm"))
        case "Reshape":
            shape = [int(n) if n else values[0].shape[axis] for axis, n in enumerate(values[1].tolist())]
            return values[0].reshape(shape)
        case "Cast" if given.get("to") == onnx.TensorProto.FLOAT and values[0].dtype.kind in "biuf":
            return values[0].astype(np.float32)
        case "BipolarQuant" if node.domain in QUANT_DOMAINS and _is_small(values):
            return np.where(values[0] >= 0, values[1], -values[1])
    if node.op_type in _ARITHMETIC and _is_small(values) and all(value.dtype.kind == "f" for value in values):
        with np.errstate(all="ignore"):
            return np.asarray(_ARITHMETIC[node.op_type](*values), dtype=values[0].dtype)
    return None


_ARITHMETIC: dict[str, Callable[..., Array]] = {
    "Add": np.add, "Div": np.divide, "Mul": np.multiply, "Neg": np.negative, "Pow": np.power,
    "Sqrt": np.sqrt, "Sub": np.subtract,
}  # fmt: skip

_BAD_VALUES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def _is_small(values: list[Array]) -> bool:
    """Whether broadcasting makes nothing larger than what is there, as a hostile file could have it."""
    shape = np.broadcast_shapes(*(value.shape for value in values))
    return math.prod(shape) <= max(value.size for value in values)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a graph, those in attributes included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)


def _foreign(path: Path) -> FileError:
    return FileError(
        f"{path} is none of the formats known here",
        "expected a checkpoint of bnnedge, safetensors, .npz, a PyTorch state dict or ONNX",
    )
