"""Plain ONNX: standard operators only, for onnxruntime and whatever else reads ONNX."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from bnnedge.exporters.graph import (
    IMAGE,
    LABEL,
    LOGITS,
    Graph,
    activation,
    parameters,
    preactivation,
    threshold,
    weight,
)
from bnnedge.packed.model import PackedModel

__all__ = ["to_onnx"]

BATCH = "N"


def to_onnx(model: PackedModel) -> onnx.ModelProto:
    """A graph from ``image``, (N, features) uint8, to ``logits``, float32, and ``label``, int64.

    The head is one multiplication and one addition in float32, so that logits equal the golden model's bit
    for bit. Its scale is written once for every class even where one value serves all: onnxruntime folds a
    scalar into the matrix product before it, which rounds otherwise.
    """
    upright, graph = model.canonical(), Graph()
    values = parameters(upright)
    features, classes = model.encoding.features, model.classes
    graph.tensor(IMAGE, BATCH, features, element=TensorProto.UINT8)
    tensor = graph.node("Cast", [IMAGE], "image/float", BATCH, features, to=TensorProto.FLOAT)
    if model.encoding.kind == "bipolar":
        limit = graph.constant("image_threshold", values["image_threshold"])
        tensor = _sign(graph, tensor, limit, "image_bipolar", features)
    for layer in upright.layers:
        weights = graph.constant(weight(layer), values[weight(layer)])
        tensor = graph.node("MatMul", [tensor, weights], preactivation(layer), BATCH, layer.outputs)
        if layer.thresholds is not None:
            limit = graph.constant(threshold(layer), values[threshold(layer)])
            tensor = _sign(graph, tensor, limit, activation(layer), layer.outputs)
    for operator, name, result in (("Mul", "head_scale", "logits/scaled"), ("Add", "head_offset", LOGITS)):
        constant = graph.constant(name, np.broadcast_to(values[name], classes).copy())
        tensor = graph.node(operator, [tensor, constant], result, BATCH, classes)
    graph.node("ArgMax", [LOGITS], LABEL, BATCH, element=TensorProto.INT64, axis=1, keepdims=0)
    return graph.finish(model, "onnx", [LOGITS, LABEL])


def _sign(graph: Graph, tensor: str, limit: str, result: str, width: int) -> str:
    """+1 where ``tensor >= limit``, else −1."""
    one = graph.constant("one", np.array(1, dtype=np.float32))
    two = graph.constant("two", np.array(2, dtype=np.float32))
    fires = graph.node(
        "GreaterOrEqual", [tensor, limit], f"{result}/fires", BATCH, width, element=TensorProto.BOOL
    )
    bit = graph.node("Cast", [fires], f"{result}/bit", BATCH, width, to=TensorProto.FLOAT)
    doubled = graph.node("Mul", [bit, two], f"{result}/doubled", BATCH, width)
    return graph.node("Sub", [doubled, one], result, BATCH, width)
