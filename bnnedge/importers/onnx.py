"""ONNX files of others, opened: nodes, and what constants alone make, computed. Nothing outside is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bnnedge.errors import FileError
from bnnedge.onnx_data import has_external_data, parse_model

__all__ = ["QUANT_DOMAINS", "OnnxGraph", "attributes", "integers", "label", "read_onnx"]

Array = NDArray[Any]

MOST_SIZES = 64
MOST_COPIES = 4  # times the file's size that what its nodes make of constants may take

QUANT_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")


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


def read_onnx(path: Path) -> OnnxGraph:
    """Open an ONNX file.

    Raises:
        FileError: unreadable, corrupt, no ONNX, or with data in other files.
    """
    try:
        proto = parse_model(path.read_bytes())
    except (OSError, MemoryError) as error:
        raise FileError(f"cannot read {path}: {error}") from error
    except (DecodeError, ValueError) as error:
        raise _foreign(path) from error
    graph = proto.graph
    if not graph.node and not graph.initializer:
        raise _foreign(path)
    if has_external_data(graph):
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


def label(node: onnx.NodeProto) -> str:
    """What messages call a node: operator and name, or the tensor that it makes."""
    return f"{node.op_type} {node.name or next(iter(node.output), '')!r}"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def integers(node: onnx.NodeProto, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """An attribute that is a list of whole numbers; of an attribute of another type nothing."""
    value = attributes(node).get(name, list(default))
    whole = isinstance(value, list) and all(isinstance(entry, int) for entry in value)
    return tuple(value) if whole else ()


def _open(path: Path, proto: onnx.ModelProto, constants: dict[str, Array]) -> OnnxGraph:
    graph = proto.graph
    initialisers, made = set(constants), 0
    most = MOST_COPIES * proto.ByteSize() + (1 << 20)
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
        made += value.nbytes if value.base is None else 0
        if made > most:
            raise ValueError(f"its nodes make more than {most:,} bytes of constants")
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
    return _fold_sizes(node, values, given) if all(value.dtype.kind == "i" for value in values) else None


def _fold_sizes(node: onnx.NodeProto, values: list[Array], given: dict[str, Any]) -> Array | None:
    """The few whole numbers from which PyTorch's exporter works out shapes and paddings."""
    if sum(value.size for value in values) > MOST_SIZES:
        return None
    match node.op_type, values:
        case "Cast", [value] if given.get("to") == onnx.TensorProto.INT64:
            return value.astype(np.int64)
        case "Concat", [_, *_]:
            return np.concatenate(values, axis=given["axis"])
        case "ConstantOfShape", [shape] if 0 <= math.prod(shape.tolist()) <= MOST_SIZES and "value" in given:
            return np.full(shape.tolist(), numpy_helper.to_array(given["value"]).item())
        case "Slice", [data, starts, ends, axes, steps]:
            index = [slice(None)] * data.ndim
            bounds = (part.tolist() for part in (axes, starts, ends, steps))
            for axis, start, end, step in zip(*bounds, strict=True):
                index[axis] = slice(start, end, step)
            return data[tuple(index)]
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


def _foreign(path: Path) -> FileError:
    return FileError(
        f"{path} is none of the formats known here",
        "expected a checkpoint of bnnedge, safetensors, .npz, a PyTorch state dict or ONNX",
    )
