"""A graph that is one chain of dense 1-bit layers, as a packed model; any other graph is refused by node.

Between two matrix products a graph has elementwise steps: batch-norm in one node or four, a bias, and at last
a sign (BipolarQuant, a MultiThreshold of one threshold, or a comparison). Every step is monotone, so that
``fold_sign`` finds the integer threshold of the whole segment by evaluating it, in float32 as the graph does.
What a bit is in the graph, −1 and +1, 0 and 1, or ± a scale, is carried along and goes into the next segment.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from bnnedge.errors import DataError, UnsupportedError
from bnnedge.importers.onnx import LINEAR, OnnxGraph, Weight, attributes, weights
from bnnedge.importers.steps import Float32, Step, refusal, run, step_of
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel

__all__ = ["ASSUMPTIONS", "model_of"]

RESHAPING = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
CHOOSING = ("ArgMax", "TopK")
UNIT = 255  # an input that is not whole numbers is taken for pixels / 255

ASSUMPTIONS = "a whole one; an input neither uint8 nor annotated UINTn is taken for pixels x / 255, 0 … 1"


@dataclass(frozen=True, eq=False)
class _Segment:
    """A matrix product, none before the first, and the elementwise nodes after it with what they take."""

    weight: Weight | None = None
    nodes: list[tuple[onnx.NodeProto, str]] = field(default_factory=list)

    def steps(self, graph: OnnxGraph, width: int) -> list[Step]:
        return [step_of(graph, node, tensor, width) for node, tensor in self.nodes]


@dataclass(frozen=True)
class _Carried:
    """What the graph carries for a bit t of −1 or +1, or for a whole number t: ``scale * t + offset``."""

    scale: float
    offset: float


def model_of(graph: OnnxGraph, provenance: dict[str, object]) -> PackedModel:
    """The packed model of a graph of dense layers.

    An input that is annotated ``UINTn``, or of type uint8, is whole numbers; any other is taken for pixels
    scaled to 0 … 1 (x / 255), as image tensors are. Where a scale is no power of two, the graph's own sums
    round; the packed model multiplies exact sums.

    Raises:
        UnsupportedError: the graph is something else; the message names the node.
    """
    try:
        first, *segments = _segments(graph)
        layers = [segment.weight for segment in segments if segment.weight is not None]
        if not layers:
            raise UnsupportedError(f"{graph.name} has no dense 1-bit layer on the way from its input")
        encoding, carried = _encode(graph, first, layers[0])
        packed, lattice = [], encoding.lattice
        for segment, (weight, following) in zip(segments, pairwise(layers), strict=False):
            if weight.matrix.rows != following.matrix.columns:
                raise refusal(
                    following.node, f"takes {following.matrix.columns} inputs of {weight.matrix.rows}"
                )
            steps = segment.steps(graph, weight.matrix.rows)
            if not any(step.levels for step in steps):
                raise refusal(following.node, "follows a layer without a sign")
            thresholds, after = _threshold(steps, _entry(weight, carried), lattice)
            packed.append(PackedLayer(weight.name, weight.matrix, thresholds))
            carried, lattice = after, Lattice(weight.matrix.rows, 2)
        packed.append(PackedLayer(layers[-1].name, layers[-1].matrix))
        head = _head(graph, segments[-1], _entry(layers[-1], carried))
        return PackedModel(encoding, tuple(packed), head, provenance)
    except DataError as error:
        raise UnsupportedError(f"{graph.name}: {error.message}", error.hint) from error
    except (TypeError, ValueError) as error:
        raise UnsupportedError(f"{graph.name} has attributes of the wrong type: {error}") from error


def _segments(graph: OnnxGraph) -> list[_Segment]:
    """The graph cut at its matrix products; nodes that only work out shapes are passed over."""
    if len(graph.inputs) != 1:
        raise UnsupportedError(f"{graph.name} has {len(graph.inputs)} inputs", "a packed model has one")
    products = {weight.node.output[0]: weight for weight in weights(graph)[0]}
    known = graph.constants.keys() | graph.opaque.keys()
    current, past = graph.inputs[0].name, set[str]()
    segments = [_Segment()]
    for node in graph.nodes:
        moving = [name for name in node.input if name and name not in known]
        if past.intersection(moving) and node.op_type != "Shape":
            raise refusal(node, "takes a tensor that another node takes too, so the graph is no chain")
        if current not in moving or node.op_type == "Shape":
            continue
        if len(moving) > 1 and node.op_type != "Reshape":
            raise refusal(node, "takes two tensors that depend on the input")
        if node.op_type in CHOOSING:
            _check_choice(node)
            past.update(node.output)
        elif node.op_type in LINEAR:
            if node.output[0] not in products or node.op_type == "Conv" or node.input[0] != current:
                raise refusal(node, "is no dense layer of 1-bit weights")
            segments.append(_Segment(products[node.output[0]]))
            segments[-1].nodes.extend(_bias(node))
        elif node.op_type not in RESHAPING:
            segments[-1].nodes.append((node, current))
        past.add(current)
        current = node.output[0] if node.op_type not in CHOOSING else ""
    return segments


def _check_choice(node: onnx.NodeProto) -> None:
    given = attributes(node)
    axis = given.get("axis", -1 if node.op_type == "TopK" else 0)
    if axis not in (1, -1) or not given.get("largest", 1) or given.get("select_last_index", 0):
        raise refusal(node, "does not choose the first of the largest classes")


def _bias(node: onnx.NodeProto) -> list[tuple[onnx.NodeProto, str]]:
    """What a Gemm adds to its product, as a node of its own."""
    given = attributes(node)
    if given.get("alpha", 1) != 1 or given.get("beta", 1) != 1 or given.get("transA", 0):
        raise refusal(node, "scales or transposes what it multiplies")
    product = node.output[0]
    third = [name for name in node.input[2:3] if name]
    return [(helper.make_node("Add", [product, *third], [product], node.name), product)] if third else []


def _encode(graph: OnnxGraph, segment: _Segment, layer: Weight) -> tuple[InputEncoding, _Carried]:
    """What the first layer sees, from the steps before it, evaluated at every value of a feature."""
    image, features = graph.inputs[0], layer.matrix.columns
    declared = [size.dim_value for size in image.type.tensor_type.shape.dim[1:]]
    if all(declared) and declared and math.prod(declared) != features:
        raise refusal(layer.node, f"takes {features} inputs of {math.prod(declared)}")
    maximum = _whole_numbers(graph)
    steps = segment.steps(graph, features)
    if not any(step.levels for step in steps):
        scale, offset = _compose(steps, np.ones(1) if maximum else np.array([1 / UNIT]), np.zeros(1))
        if scale.size > 1 or offset.size > 1 or not scale[0]:
            raise refusal(segment.nodes[0][0], "treats features differently")
        return InputEncoding("integer", features, maximum or UNIT), _Carried(
            float(scale[0]), float(offset[0])
        )
    carried, high = _levels(steps, features)
    counts = np.arange((maximum or UNIT) + 1, dtype=np.float32)[:, None]
    values = counts if maximum else counts / np.float32(UNIT)
    fires = run(steps, np.broadcast_to(values, (counts.size, features))) == high
    threshold = int(np.argmax(fires[:, 0]))
    expected = np.arange(counts.size) >= threshold
    if not fires[-1, 0] or (fires != expected[:, None]).any():
        taken = "whole numbers" if maximum else "real numbers 0 … 1, being neither uint8 nor annotated UINT8"
        raise refusal(segment.nodes[-1][0], f"is no threshold that all features of inputs share, {taken}")
    return InputEncoding("bipolar", features, maximum or UNIT, threshold), carried


def _whole_numbers(graph: OnnxGraph) -> int:
    """The largest value of an input of whole numbers; 0 where it is real."""
    image = graph.inputs[0]
    annotated = re.fullmatch(r"UINT([1-8])", graph.datatypes.get(image.name, ""))
    if annotated:
        return (1 << int(annotated[1])) - 1
    return UNIT if int(image.type.tensor_type.elem_type) == int(onnx.TensorProto.UINT8) else 0


def _entry(weight: Weight, carried: _Carried) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and offset, (outputs,) each, from a layer's ±1 sums to the graph's own values of its product."""
    outputs, inputs = weight.matrix.shape
    if weight.node.op_type == "XnorPopcountMatMul":
        if carried != _Carried(0.5, 0.5):
            raise refusal(weight.node, "counts XNORs of inputs that are not 0 and 1")
        return np.full(outputs, 0.5), np.full(outputs, inputs / 2)
    sums = 2 * np.bitwise_count(weight.matrix.words).sum(axis=1, dtype=np.int64) - inputs
    scale = weight.scale.astype(np.float64)
    return scale * carried.scale, scale * carried.offset * sums


def _threshold(
    steps: list[Step], entry: tuple[NDArray[np.float64], NDArray[np.float64]], lattice: Lattice
) -> tuple[Thresholds, _Carried]:
    """A hidden layer's thresholds, and what its bits are in the graph."""
    scale, offset = entry
    carried, high = _levels(steps, scale.size)
    sign = next(position for position, step in enumerate(steps) if step.levels)

    def product(preactivations: NDArray[np.int32]) -> Float32:
        return (scale * preactivations + offset).astype(np.float32)

    def fires(preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        fired: NDArray[np.bool_] = run(steps, product(preactivations)) == high
        return fired

    ends = np.full((2, scale.size), lattice.bound, dtype=np.int32) * np.array([[-1], [1]], dtype=np.int32)
    if not np.isfinite(run(steps[:sign], product(ends))).all():
        raise refusal(steps[sign].node, "compares numbers that overflow float32")
    below, above = fires(ends[0]), fires(ends[1])
    directions = np.where(below & ~above, -1, 1).astype(np.int8)
    return fold_sign(fires, directions, lattice), carried


def _levels(steps: list[Step], width: int) -> tuple[_Carried, Float32]:
    """What −1 and +1 are after the steps, the same for every feature; and the value of +1, (width,)."""
    last, levels = max((place, step.levels) for place, step in enumerate(steps) if step.levels)
    ends = [run(steps[last + 1 :], np.broadcast_to(level, (width,)).astype(np.float32)) for level in levels]
    low, high = np.minimum(*ends), np.maximum(*ends)
    if not (low < high).all() or (low != low[0]).any() or (high != high[0]).any():
        raise refusal(steps[last].node, "gives bits that are not the same two values for every neuron")
    return _Carried((float(high[0]) - float(low[0])) / 2, (float(high[0]) + float(low[0])) / 2), high


def _head(
    graph: OnnxGraph, segment: _Segment, entry: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> Affine:
    """Scale and offset of the logits, computed in float64, rounded once; one for all where they are equal."""
    scale, offset = np.broadcast_arrays(*_compose(segment.steps(graph, entry[0].size), *entry))
    if (scale == scale[0]).all() and (offset == offset[0]).all():
        scale, offset = scale[:1], offset[:1]
    return Affine(scale.astype(np.float32), offset.astype(np.float32))


def _compose(
    steps: list[Step], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Affine steps one after another, after a first scale and offset."""
    for step in steps:
        if step.affine is None:
            raise refusal(step.node, "ends the network with a sign, which leaves no scores")
        scale, offset = scale * step.affine[0], offset * step.affine[0] + step.affine[1]
    return scale, offset
