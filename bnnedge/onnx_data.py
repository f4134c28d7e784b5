"""Whether an ONNX file would have others read: every place where it can keep a tensor is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

__all__ = ["has_external_data"]


def has_external_data(graph: onnx.GraphProto) -> bool:
    """Whether a tensor of a graph names another file for its values."""
    return any(tensor.external_data or tensor.data_location for tensor in _tensors(graph))


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a graph, those in attributes and in graphs inside it included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)
