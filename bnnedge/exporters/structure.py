"""What lies in a graph file, node by node and constant by constant, against what an export writes.

Running a graph shows what its samples reach; here is found what they do not: a threshold that no sum falls
on, a weight of an input that is always 0, a padding that no filter noticed.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import onnx
from onnx import numpy_helper

from bnnedge.errors import VerificationError
from bnnedge.exporters.difference import constant_difference
from bnnedge.exporters.execution import GraphFile, Stages
from bnnedge.exporters.graph import image_shape, preactivation, weight
from bnnedge.packed.file import digest
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["check_content", "check_layers", "made_from"]


def check_layers(graph: GraphFile, model: PackedModel, expected: onnx.ModelProto) -> None:
    """Compare the image's shape, and of each layer that it is there and its weights have the right shape.

    Raises:
        VerificationError: the graph is of a network of another shape.
    """
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
    """Compare every constant and every node with the graph that an export of the model writes.

    Raises:
        VerificationError: names the first constant and its place, or the first node, that differ.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in expected.graph.initializer}
    _check_constants(graph, model, constants)
    for stored, wanted in zip_longest(graph.proto.graph.node, expected.graph.node):
        if stored != wanted:
            raise VerificationError(
                f"{graph.path} ({graph.kind}): holds {_shown(stored)}, but the model has {_shown(wanted)}; "
                "no sample showed it",
                made_from(graph, model),
            )


def made_from(graph: GraphFile, model: PackedModel) -> str:
    """Why a graph may differ from a model: what to tell of its origin."""
    own = digest(model)
    if graph.digest != own:
        return f"the file was made from model {graph.digest[:12] or '?'}, this one is {own[:12]}"
    return "the file was changed since it was exported; export it again"


def _check_constants(graph: GraphFile, model: PackedModel, constants: Stages) -> None:
    for name, expected in constants.items():
        stored = graph.parameters.get(name)
        if stored is None or stored.shape != expected.shape:
            found = "missing" if stored is None else f"of shape {stored.shape}"
            raise VerificationError(
                f"{graph.path}: {name} is {found}, not {expected.shape}", made_from(graph, model)
            )
        if len(wrong := np.argwhere(stored != expected)):
            index = tuple(int(axis) for axis in wrong[0])
            difference = constant_difference(model, name, stored.shape, index, stored[index], expected[index])
            raise VerificationError(
                f"{graph.path} ({graph.kind}): {difference}; no sample showed it",
                made_from(graph, model),
                difference.to_dict(),
            )


def _shown(node: onnx.NodeProto | None) -> str:
    return "no more nodes" if node is None else f"the node {onnx.helper.printable_node(node)}"


def _weights(layer: PackedLayer) -> str:
    if layer.convolution is None:
        return f"{layer.inputs} inputs and {layer.outputs} neurons"
    return f"filters {' x '.join(map(str, layer.weight_shape))}"
