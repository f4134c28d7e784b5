"""What lies in a graph file, node by node and constant by constant, against what an export writes.

Running a graph shows what its samples reach; here is found what they do not: a threshold that no sum falls
on, a weight of an input that is always 0, a padding that no filter noticed. Before that it is made sure that
the graph can be run: a stranger's may ask for any amount of memory or time.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bnnedge.errors import VerificationError
from bnnedge.exporters.difference import constant_difference
from bnnedge.exporters.execution import GraphFile, Stages
from bnnedge.exporters.graph import image_shape, preactivation, weight
from bnnedge.packed.file import digest
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["check_content", "check_structure", "made_from"]

NEAR = 4  # so far a padding, stride or axis may be off for the run to show where that matters
LONGEST = 300  # characters that are shown of a node


def check_structure(graph: GraphFile, model: PackedModel, expected: onnx.ModelProto) -> None:
    """Compare all that decides how much a run takes with the graph that an export of the model writes.

    That is the layers and their shapes; every node's operator and tensors, and its attributes within
    ``NEAR``; names, types and shapes of constants, and those of whole numbers, such as paddings, themselves;
    and what is said of tensors. Values of other constants are for the run to compare.

    Raises:
        VerificationError: names the first that differs; the graph is not to be run.
    """
    _check_layers(graph, model, expected)
    for stored, wanted in zip_longest(graph.proto.graph.node, expected.graph.node):
        if stored is None or wanted is None or not _near(stored, wanted):
            raise VerificationError(_other_node(graph, stored, wanted), made_from(graph, model))
    constants = _constants(expected)
    _check_shapes(graph, model, constants)
    _check_values(graph, model, {name: value for name, value in constants.items() if value.dtype.kind == "i"})
    if _stated(graph.proto) != _stated(expected):
        raise VerificationError(
            f"{graph.path} says other things of its tensors or operators than an export does",
            made_from(graph, model),
        )


def _check_layers(graph: GraphFile, model: PackedModel, expected: onnx.ModelProto) -> None:
    """Compare the image's shape, and of each layer that it is there and its weights have the right shape."""
    if graph.shape != image_shape(model):
        raise VerificationError(
            f"{graph.path} takes samples of shape {graph.shape}, not {image_shape(model)}",
            made_from(graph, model),
        )
    shapes = {tensor.name: tuple(tensor.dims) for tensor in expected.graph.initializer}
    for layer in model.layers:
        stored, name = graph.parameters.get(weight(layer)), preactivation(layer)
        if stored is None or stored.shape != shapes[weight(layer)] or name not in graph.tensors:
            raise VerificationError(
                f"{graph.path} has no layer {layer.name} of {_weights(layer)}", made_from(graph, model)
            )


def check_content(graph: GraphFile, model: PackedModel, expected: onnx.ModelProto) -> None:
    """Compare every constant and every node, once more and exactly, with what an export of the model writes.

    Raises:
        VerificationError: names the first constant and its place, or the first node, that differ.
    """
    _check_values(graph, model, _constants(expected))
    for stored, wanted in zip(graph.proto.graph.node, expected.graph.node, strict=True):
        if stored != wanted:
            raise VerificationError(
                f"{_other_node(graph, stored, wanted)}; no sample showed it", made_from(graph, model)
            )


def made_from(graph: GraphFile, model: PackedModel) -> str:
    """Why a graph may differ from a model: what to tell of its origin."""
    own = digest(model)
    if graph.digest != own:
        return f"the file was made from model {graph.digest[:12] or '?'}, this one is {own[:12]}"
    return "the file was changed since it was exported; export it again"


def _constants(proto: onnx.ModelProto) -> Stages:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def _check_shapes(graph: GraphFile, model: PackedModel, constants: Stages) -> None:
    for name, expected in constants.items():
        stored = graph.parameters.get(name)
        if stored is None or (stored.shape, stored.dtype) != (expected.shape, expected.dtype):
            found = "missing" if stored is None else _kind(stored)
            raise VerificationError(
                f"{graph.path}: {name} is {found}, not {_kind(expected)}", made_from(graph, model)
            )
    if len(graph.proto.graph.initializer) != len(constants):
        raise VerificationError(
            f"{graph.path} holds constants that the model does not have", made_from(graph, model)
        )


def _check_values(graph: GraphFile, model: PackedModel, constants: Stages) -> None:
    for name, expected in constants.items():
        stored = graph.parameters[name]
        if len(wrong := np.argwhere(stored != expected)):
            index = tuple(int(axis) for axis in wrong[0])
            difference = constant_difference(model, name, stored.shape, index, stored[index], expected[index])
            raise VerificationError(
                f"{graph.path} ({graph.kind}): {difference}; no sample showed it",
                made_from(graph, model),
                difference.to_dict(),
            )


def _near(stored: onnx.NodeProto, wanted: onnx.NodeProto) -> bool:
    """Whether a node can be run in place of another, and takes about as much."""
    if any(
        getattr(stored, part) != getattr(wanted, part) for part in ("op_type", "domain", "input", "output")
    ):
        return False
    attributes = {entry.name: entry for entry in wanted.attribute}
    return all(
        _near_attribute(entry, attributes.get(entry.name, onnx.AttributeProto()))
        for entry in stored.attribute
    )


def _near_attribute(stored: onnx.AttributeProto, wanted: onnx.AttributeProto) -> bool:
    numbers = zip_longest((stored.i, *stored.ints), (wanted.i, *wanted.ints), fillvalue=0)
    return stored.s == wanted.s and all(abs(ours - theirs) <= NEAR for ours, theirs in numbers)


def _stated(proto: onnx.ModelProto) -> list[object]:
    """What a file says of its tensors and operators, and the kinds of constants that exports do not have."""
    graph = proto.graph
    parts = (graph.input, graph.output, graph.value_info, graph.sparse_initializer, proto.functions)
    return [list(part) for part in (*parts, proto.opset_import)]


def _other_node(graph: GraphFile, stored: onnx.NodeProto | None, wanted: onnx.NodeProto | None) -> str:
    return f"{graph.path} ({graph.kind}): holds {_shown(stored)}, but the model has {_shown(wanted)}"


def _shown(node: onnx.NodeProto | None) -> str:
    return "no more nodes" if node is None else f"the node {onnx.helper.printable_node(node)[:LONGEST]}"


def _kind(values: NDArray[np.generic]) -> str:
    return f"{values.dtype} of shape {values.shape}"


def _weights(layer: PackedLayer) -> str:
    if layer.convolution is None:
        return f"{layer.inputs} inputs and {layer.outputs} neurons"
    return f"filters {' x '.join(map(str, layer.weight_shape))}"
