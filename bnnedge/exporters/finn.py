"""FINN-ONNX, written node by node: what FINN's dataflow builder takes as it stands.

QONNX would not do: FINN looks for BinaryQuant, Quant or Trunc before it converts a graph, so one that holds
BipolarQuant alone goes on unconverted.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from bnnedge.exporters.graph import (
    IMAGE,
    LABEL,
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

__all__ = ["needs_head", "to_finn"]


def to_finn(model: PackedModel) -> onnx.ModelProto:
    """A graph from ``image``, (1, features) whole numbers in float32, to ``label``, (1, 1) int64.

    Datatypes are annotated, thresholds are whole numbers on the pre-activations' lattice, and TopK comes
    last. The head's affine is left out where it cannot change which class is the largest.
    """
    upright, graph = model.canonical(), Graph()
    values = parameters(upright)
    datatypes = {IMAGE: "UINT8"}
    tensor = graph.tensor(IMAGE, 1, model.encoding.features)
    if model.encoding.kind == "bipolar":
        limit = graph.constant("image_threshold", values["image_threshold"][:, None])
        tensor = _threshold(graph, tensor, limit, "image_bipolar", model.encoding.features)
        datatypes |= {limit: "UINT8", tensor: "BIPOLAR"}
    for layer, lattice in zip(upright.layers, upright.lattices, strict=True):
        weights = graph.constant(weight(layer), values[weight(layer)])
        datatypes[weights] = "BIPOLAR"
        tensor = graph.node("MatMul", [tensor, weights], preactivation(layer), 1, layer.outputs)
        if layer.thresholds is not None:
            limit = graph.constant(threshold(layer), values[threshold(layer)][:, None])
            tensor = _threshold(graph, tensor, limit, activation(layer), layer.outputs)
            datatypes |= {limit: _signed(lattice.bound + lattice.step), tensor: "BIPOLAR"}
    if needs_head(model):
        for operator, name, result in (
            ("Mul", "head_scale", "logits/scaled"),
            ("Add", "head_offset", LOGITS),
        ):
            constant = graph.constant(name, values[name])
            tensor = graph.node(operator, [tensor, constant], result, 1, model.classes)
    _largest(graph, tensor)
    return annotate(graph.finish(model, "finn", [LABEL]), datatypes)


def needs_head(model: PackedModel) -> bool:
    """Whether the head can change which class is the largest, or make equals of classes that differ.

    A positive scale keeps the order of real numbers; in float32 it may still round two scores to the same
    logit, so the whole lattice of scores is looked at.
    """
    if not model.head_is_order_preserving:
        return True
    lattice = model.lattices[-1]
    scores = np.arange(-lattice.bound, lattice.bound + 1, lattice.step, dtype=np.int32)
    return not bool((np.diff(model.head(scores)) > 0).all())


def _threshold(graph: Graph, tensor: str, limit: str, result: str, width: int) -> str:
    """+1 where ``tensor >= limit``, else −1."""
    return graph.node(
        "MultiThreshold",
        [tensor, limit],
        result,
        1,
        width,
        domain=QONNX_DOMAIN,
        out_dtype="BIPOLAR",
        out_scale=2.0,
        out_bias=-1.0,
        data_layout="NCHW",  # said even for 2-D tensors: the default changed between versions of qonnx
    )


def _largest(graph: Graph, tensor: str) -> None:
    """The index of the largest entry, the first of equals."""
    count = graph.constant("one", np.array([1], dtype=np.int64))
    value = graph.tensor(f"{LABEL}/value", 1, 1)
    graph.tensor(LABEL, 1, 1, element=TensorProto.INT64)
    graph.append(helper.make_node("TopK", [tensor, count], [value, LABEL], f"TopK:{LABEL}", axis=-1))


def _signed(limit: int) -> str:
    """The smallest signed integer type that holds −limit … limit."""
    return f"INT{limit.bit_length() + 1}"
