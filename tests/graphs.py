"""Small ONNX graphs, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

QONNX = "qonnx.custom_op.general"

RNG = np.random.default_rng(7)
W1 = RNG.choice([-1, 1], (6, 5)).astype(np.float32)  # (inputs, outputs)
W2 = RNG.choice([-1, 1], (5, 3)).astype(np.float32)
Nodes = list[tuple[Any, ...]]  # operator, inputs, outputs, domain, attributes


def f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def i64(values: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)


def graph(
    nodes: Nodes, constants: dict[str, Any], *, shape: tuple[int, ...] = (6,), annotate: str = "UINT8"
) -> onnx.ModelProto:
    """A graph from ``x``, one sample of a shape, to what the last node makes."""
    made = [
        helper.make_node(
            operator, inputs, outputs.split(), f"{operator}:{outputs}", domain=domain, **attributes
        )
        for operator, inputs, outputs, domain, attributes in nodes
    ]
    values = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    proto = helper.make_model(
        helper.make_graph(
            made,
            "hand-made",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *shape])],
            [helper.make_tensor_value_info(made[-1].output[0], TensorProto.FLOAT, None)],
            values,
        ),
        opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 2)],
    )
    if annotate:
        wrapper = ModelWrapper(proto)
        wrapper.set_tensor_datatype("x", DataType[annotate])
        proto = wrapper.model
    return proto


def op(operator: str, inputs: str, output: str, **attributes: Any) -> tuple[Any, ...]:
    """A node; names are separated by blanks."""
    custom = operator in ("BipolarQuant", "Im2Col", "MultiThreshold", "XnorPopcountMatMul", "Quant")
    return operator, inputs.split(), output, QONNX if custom else "", attributes


CONSTANTS: dict[str, Any] = {
    "half": np.float32(100.5), "one": np.float32(1), "two": np.float32(2), "w1": W1, "w2": W2,
    "s": f32([0.5, -0.25, 2, 1, -3]), "b": f32([0.3, -0.7, 0, 1, 0.1]),
    "third": f32([[1 / 3]]),
}  # fmt: skip
HEAD: Nodes = [op("Sub", "x half", "x0"), op("BipolarQuant", "x0 one", "x1"), op("MatMul", "x1 w1", "a")]
TAIL: Nodes = [op("BipolarQuant", "c one", "d"), op("MatMul", "d w2", "y")]
MIDDLE: Nodes = [op("Mul", "a s", "b0"), op("Add", "b0 b", "c")]


def written(path: Path, proto: onnx.ModelProto) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path
