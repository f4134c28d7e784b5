"""Mutations of ONNX graphs: sizes, types, operators, names that make cycles, and tensors in other files."""

from __future__ import annotations

import random
from collections.abc import Callable

import onnx
from fuzz_bytes import INTEGERS, bytewise
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

__all__ = ["onnx_graph"]

_OPERATORS = (
    "Add", "BatchNormalization", "BipolarQuant", "Cast", "Concat", "Constant", "ConstantOfShape", "Conv",
    "Div", "Flatten", "Gemm", "Identity", "Im2Col", "Loop", "MatMul", "MaxPool", "Mul", "MultiThreshold",
    "Neg", "Pad", "Pow", "Quant", "Reshape", "Shape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose",
    "Unsqueeze", "XnorPopcountMatMul",
)  # fmt: skip
_PLACES = ("../../secret", "/etc/passwd", "weights.bin", "", "a/../../secret")


def onnx_graph(content: bytes, dice: random.Random) -> bytes:
    """A graph with one to three changes; bytes that are none are changed as bytes."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        return bytewise(content, dice)
    if not proto.graph.node or dice.random() < 0.1:
        return bytewise(content, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        if proto.graph.node:
            dice.choice(_CHANGES)(proto, dice)
    return bytes(proto.SerializeToString())


def _small(dice: random.Random) -> int:
    value = dice.choice(INTEGERS)
    return max(-(1 << 63), min(value, (1 << 63) - 1))


def _tensor(proto: onnx.ModelProto, dice: random.Random) -> None:
    if not proto.graph.initializer:
        return
    tensor = dice.choice(proto.graph.initializer)
    match dice.randrange(6):
        case 0 if tensor.dims:
            tensor.dims[dice.randrange(len(tensor.dims))] = _small(dice)
        case 1:
            tensor.dims.append(_small(dice))
        case 2:
            tensor.data_type = dice.randrange(30)
        case 3:
            tensor.raw_data = bytewise(tensor.raw_data, dice)
        case 4:
            del tensor.dims[:]
        case _:
            tensor.dims.reverse()


def _elsewhere(proto: onnx.ModelProto, dice: random.Random) -> None:
    """A tensor whose bytes are in a file that its maker would like to be read."""
    tensors = [*proto.graph.initializer, *(each.t for node in proto.graph.node for each in node.attribute)]
    if tensors:
        tensor = dice.choice(tensors)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=dice.choice(_PLACES))


def _operator(proto: onnx.ModelProto, dice: random.Random) -> None:
    node = dice.choice(proto.graph.node)
    node.op_type = dice.choice((*_OPERATORS, *(each.op_type for each in proto.graph.node)))


def _wires(proto: onnx.ModelProto, dice: random.Random) -> None:
    """Another input or output, also one that comes later: graphs of strangers may have cycles."""
    node = dice.choice(proto.graph.node)
    names = [name for each in proto.graph.node for name in (*each.input, *each.output)]
    names += [each.name for each in proto.graph.initializer] + ["", "x\n", "9" * 400]
    ends = node.input if dice.random() < 0.7 else node.output
    match dice.randrange(4):
        case 0 if ends:
            del ends[dice.randrange(len(ends))]
        case 1:
            ends.append(dice.choice(names))
        case _ if ends:
            ends[dice.randrange(len(ends))] = dice.choice(names)


def _attribute(proto: onnx.ModelProto, dice: random.Random) -> None:
    nodes = [node for node in proto.graph.node if node.attribute]
    if not nodes:
        return
    node = dice.choice(nodes)
    attribute = dice.choice(node.attribute)
    match dice.randrange(6):
        case 0:
            attribute.i = _small(dice)
        case 1:
            attribute.ints.extend(_small(dice) for _ in range(dice.choice((1, 2, 4))))
        case 2 if attribute.ints:
            attribute.ints[dice.randrange(len(attribute.ints))] = _small(dice)
        case 3:
            attribute.type = dice.randrange(14)
        case 4:
            attribute.f = dice.choice((float("nan"), float("inf"), -1.0, 0.0, 1e38))
        case _:
            node.attribute.remove(attribute)


def _nodes(proto: onnx.ModelProto, dice: random.Random) -> None:
    nodes = proto.graph.node
    place = dice.randrange(len(nodes))
    match dice.randrange(4):
        case 0:
            del nodes[place]
        case 1:
            nodes.append(nodes[place])
        case 2:
            nodes.insert(place, nodes[dice.randrange(len(nodes))])
        case _:
            nodes[place].domain = dice.choice(("", "evil", "ai.onnx.ml", "qonnx.custom_op.general"))


def _edges(proto: onnx.ModelProto, dice: random.Random) -> None:
    """What the graph says of its input, and what it says of itself."""
    if proto.graph.input and dice.random() < 0.6:
        kind = proto.graph.input[0].type.tensor_type
        if kind.shape.dim:
            dice.choice(kind.shape.dim).dim_value = _small(dice)
        kind.elem_type = dice.choice((kind.elem_type, kind.elem_type, dice.randrange(20)))
    elif proto.metadata_props:
        entry = dice.choice(proto.metadata_props)
        entry.value = dice.choice(
            (entry.value, "", "{}", "[" * 3000, "onnx", "qonnx", "finn", '{"label": 1}')
        )
    elif proto.graph.quantization_annotation:
        note = dice.choice(proto.graph.quantization_annotation)
        if note.quant_parameter_tensor_names:
            note.quant_parameter_tensor_names[0].value = dice.choice(
                ("UINT8", "UINT999999", "INT0", "BIPOLAR", "٣")
            )


_CHANGES: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    _tensor, _tensor, _tensor, _elsewhere, _operator, _wires, _wires, _attribute, _attribute, _nodes, _edges
)  # fmt: skip
