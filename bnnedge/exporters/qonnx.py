"""QONNX: BipolarQuant for inputs, weights and activations, as QONNX's tools and importers expect them."""

from __future__ import annotations

import numpy as np
import onnx

from bnnedge.exporters.graph import (
    IMAGE,
    LOGITS,
    QONNX_DOMAIN,
    Graph,
    activation,
    annotate,
    parameters,
    preactivation,
    threshold,
    weight,
)
from bnnedge.packed.model import PackedModel

__all__ = ["to_qonnx"]


def to_qonnx(model: PackedModel) -> onnx.ModelProto:
    """A graph from ``image``, (1, features) whole numbers in float32, to ``logits``.

    A threshold T is ``Sub(T)`` before a BipolarQuant, which gives +1 from 0 on. Logits are the only output,
    as in Brevitas' exports; the label is the index of the largest, the first of equals.
    """
    upright, graph = model.canonical(), Graph()
    values = parameters(upright)
    features, classes = model.encoding.features, model.classes
    datatypes = {IMAGE: "UINT8"}
    tensor = graph.tensor(IMAGE, 1, features)
    if model.encoding.kind == "bipolar":
        limit = graph.constant("image_threshold", values["image_threshold"])
        tensor = _sign(graph, tensor, limit, "image_bipolar", features)
        datatypes[tensor] = "BIPOLAR"
    for layer in upright.layers:
        weights = graph.constant(weight(layer), values[weight(layer)])
        weights = _quantise(graph, weights, f"{weights}/bipolar", *values[weight(layer)].shape)
        datatypes[weights] = "BIPOLAR"
        tensor = graph.node("MatMul", [tensor, weights], preactivation(layer), 1, layer.outputs)
        if layer.thresholds is not None:
            limit = graph.constant(threshold(layer), values[threshold(layer)])
            tensor = _sign(graph, tensor, limit, activation(layer), layer.outputs)
            datatypes[tensor] = "BIPOLAR"
    for operator, name, result in (("Mul", "head_scale", "logits/scaled"), ("Add", "head_offset", LOGITS)):
        tensor = graph.node(operator, [tensor, graph.constant(name, values[name])], result, 1, classes)
    return annotate(graph.finish(model, "qonnx", [LOGITS]), datatypes)


def _sign(graph: Graph, tensor: str, limit: str, result: str, width: int) -> str:
    """+1 where ``tensor >= limit``, else −1."""
    margin = graph.node("Sub", [tensor, limit], f"{result}/margin", 1, width)
    return _quantise(graph, margin, result, 1, width)


def _quantise(graph: Graph, tensor: str, result: str, *shape: int) -> str:
    """The signs of a tensor, 0 giving +1."""
    scale = graph.constant("one", np.array(1, dtype=np.float32))
    return graph.node("BipolarQuant", [tensor, scale], result, *shape, domain=QONNX_DOMAIN)
