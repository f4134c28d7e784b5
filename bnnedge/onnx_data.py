"""ONNX files as strangers may write them: how much they make of few bytes, and what other files they name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

__all__ = ["has_external_data", "parse_model"]

MOST_MESSAGES = 500_000  # nodes, attributes, tensors, dimensions…: each takes about a hundred bytes
_VARINT, _LENGTH = 0, 2  # wire types
_FIXED = {1: 8, 5: 4}  # bytes of others


def parse_model(content: bytes) -> onnx.ModelProto:
    """A model out of a file's bytes.

    Two bytes are an empty message, of which protobuf makes fifty times as much: messages are counted first.

    Raises:
        DecodeError: it is no model, or one of more than ``MOST_MESSAGES`` messages.
    """
    if next(islice(_messages(content), MOST_MESSAGES, None), None) is not None:
        raise DecodeError(f"it has more than {MOST_MESSAGES:,} messages")
    return onnx.load_model_from_string(content)


def _messages(content: bytes) -> Iterator[Any]:
    """The types of all messages inside a model, as far as its bytes make sense."""
    waiting = [(0, len(content), onnx.ModelProto.DESCRIPTOR)]
    while waiting:
        place, end, kind = waiting.pop()
        while place < end:
            key, place = _varint(content, place)
            wire = key & 7
            if wire == _LENGTH:
                length, place = _varint(content, place)
                field = kind.fields_by_number.get(key >> 3)
                if field is not None and field.message_type is not None:
                    yield field.message_type
                    waiting.append((place, min(end, place + length), field.message_type))
                place += length
            elif wire == _VARINT:
                _, place = _varint(content, place)
            elif wire in _FIXED:
                place += _FIXED[wire]
            else:
                break  # no field of ONNX is of another kind: the parser will say so


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, and where it ends; past the end there are zeros."""
    value = shift = 0
    for place in range(place, place + 10):  # noqa: B020
        byte = content[place] if place < len(content) else 0
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place + 1


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
