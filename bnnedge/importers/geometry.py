"""How nodes of a graph slide, pool, pad and reshape; what a packed model has no word for is refused."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import onnx

from bnnedge.importers.onnx import OnnxGraph, attributes, integers
from bnnedge.importers.steps import refusal

__all__ = ["Sliding", "padding_of", "pooling_of", "reshaped", "sliding_of", "windows_of"]


@dataclass(frozen=True)
class Sliding:
    """How filters slide.

    Attributes:
        kernel: side of a filter.
        stride: pixels from one place to the next.
        padding: pixels of 0 on every side, by the node itself.
    """

    kernel: int
    stride: int
    padding: int


def sliding_of(node: onnx.NodeProto, kernel: tuple[int, ...]) -> Sliding:
    """How a Conv of filters of a shape slides.

    Raises:
        UnsupportedError: groups, dilation, or sides that differ.
    """
    given = attributes(node)
    if given.get("group", 1) != 1 or given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise refusal(node, "has groups, or a padding that its image decides")
    return _sliding(node, kernel, integers(node, "strides", (1, 1)), integers(node, "pads", (0,) * 4))


def windows_of(node: onnx.NodeProto) -> Sliding:
    """How an Im2Col slides.

    Raises:
        UnsupportedError: as above, or padding with something other than 0.
    """
    given = attributes(node)
    if given.get("depthwise", 0) or given.get("pad_value", 0):
        raise refusal(node, "has windows of single channels, or pads with something other than 0")
    kernel, strides = integers(node, "kernel_size"), integers(node, "stride", (1, 1))
    return _sliding(node, kernel, strides, integers(node, "pad_amount", (0,) * 4))


def pooling_of(node: onnx.NodeProto) -> int:
    """Side of the windows of a MaxPool that lie side by side.

    Raises:
        UnsupportedError: they do not, or are padded.
    """
    given, kernel = attributes(node), integers(node, "kernel_shape")
    whole = not given.get("ceil_mode", 0) and given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    undilated = integers(node, "dilations", (1, 1)) == (1, 1)
    unpadded = not any(integers(node, "pads", (0,) * 4))
    square = len(kernel) == 2 and kernel[0] == kernel[1] > 0
    if not square or integers(node, "strides", (1, 1)) != kernel:
        raise refusal(node, "pools windows that are not square and side by side")
    if not (whole and undilated and unpadded):
        raise refusal(node, "pads or dilates what it pools")
    return kernel[0]


def padding_of(graph: OnnxGraph, node: onnx.NodeProto) -> tuple[int, float]:
    """Pixels that a Pad adds on every side of images, channels first, and their value.

    Raises:
        UnsupportedError: it adds something else.
    """
    given = attributes(node)
    sides = list(integers(node, "pads"))
    value = given.get("value", 0.0)
    if len(node.input) > 1:
        names = [name for name in node.input[1:] if name]
        known = [graph.constants[name] for name in names if name in graph.constants]
        if len(known) != len(names) or len(known) > 2:
            raise refusal(node, "pads by what is no constant, or along axes that it chooses")
        sides, value = known[0].ravel().tolist(), known[1].item() if len(known) > 1 else 0.0
    pads = sides[2:4] + sides[6:8]
    alike = len(sides) == 8 and len(set(pads)) == 1 and not any(sides[:2] + sides[4:6])
    if given.get("mode", b"constant") != b"constant" or not alike or pads[0] < 0:
        raise refusal(node, "does not pad images with one value, by the same on every side")
    return int(pads[0]), float(value)


def reshaped(graph: OnnxGraph, node: onnx.NodeProto, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a sample after a node that only reshapes it, in C order; flat where the node does not tell.

    Raises:
        UnsupportedError: samples are mixed with one another.
    """
    if node.op_type in ("Dropout", "Identity"):
        return shape
    target = graph.constants.get(node.input[1]) if node.op_type == "Reshape" else None
    if node.op_type == "Flatten" and attributes(node).get("axis", 1) != 1:
        raise refusal(node, "does not keep samples apart")
    if target is None:
        return (prod(shape),)
    samples, *sizes = (int(size) for size in target.ravel())
    sizes = [shape[axis] if size == 0 and axis < len(shape) else size for axis, size in enumerate(sizes)]
    if sizes.count(-1) == 1 and samples >= 0:
        sizes[sizes.index(-1)] = prod(shape) // -prod(sizes) if prod(sizes) else 0
    if samples not in (-1, 0, 1) or prod(sizes) != prod(shape) or min(sizes, default=0) < 1:
        raise refusal(node, f"makes samples of {target.ravel()[1:].tolist()} of {list(shape)}")
    return tuple(sizes) if len(sizes) == 3 else (prod(shape),)


def _sliding(
    node: onnx.NodeProto, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]
) -> Sliding:
    sizes = (len(kernel), len(strides), len(pads))
    alike = all(len(set(each)) == 1 for each in (kernel, strides, pads))
    if sizes != (2, 2, 4) or not alike or min(*kernel, *strides) < 1 or pads[0] < 0:
        raise refusal(node, "has kernels, strides or padding that differ from side to side")
    if integers(node, "dilations", (1, 1)) != (1, 1):
        raise refusal(node, "dilates its kernels")
    return Sliding(kernel[0], strides[0], pads[0])
