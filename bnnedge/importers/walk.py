"""A graph that is one chain, cut at its products: what slides how, and the steps between, in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.importers.branches import Branches, find_branches, joined, repeating
from bnnedge.importers.geometry import Sliding, padding_of, pooling_of, reshaped, sliding_of, windows_of
from bnnedge.importers.onnx import OnnxGraph, attributes
from bnnedge.importers.onnx_weights import LINEAR, Weight, repeated_features, weights
from bnnedge.importers.steps import Layout, Step, bias_of, refusal, step_of
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Padding", "Pooling", "Segment", "segments_of"]

MOST_STEPS = 64  # between two products: each is evaluated for every step of a threshold's search
RESHAPING = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
CHOOSING = ("ArgMax", "TopK")
CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


@dataclass(frozen=True, eq=False)
class Pooling:
    """A MaxPool: windows of ``size`` x ``size``, before the step of that number."""

    node: onnx.NodeProto
    step: int
    size: int


@dataclass(frozen=True, eq=False)
class Padding:
    """Pixels of a value around what the next product takes, put there before the step of that number."""

    node: onnx.NodeProto
    step: int
    width: int
    value: float


def _no_inputs() -> PackedMatrix:
    return PackedMatrix.from_bits(np.zeros((1, 0), dtype=bool))


@dataclass(eq=False)
class Segment:
    """A product, none before the first, and what follows up to the next.

    Attributes:
        shape: of a sample that enters the product; of the first segment, of the image.
        weight: of the product.
        sliding: how its filters slide; None for a dense one.
        steps: elementwise, in order.
        pooling: among the steps.
        padding: for the next product.
        blank: weights of inputs that are always −1 and do not count among those of ``weight``.
    """

    shape: tuple[int, ...]
    weight: Weight | None = None
    sliding: Sliding | None = None
    steps: list[Step] = field(default_factory=list)
    pooling: Pooling | None = None
    padding: Padding | None = None
    blank: PackedMatrix = field(default_factory=_no_inputs)

    @property
    def product(self) -> Weight:
        """The weights of a segment that is not the first.

        Raises:
            UnsupportedError: it is the first.
        """
        if self.weight is None:
            raise UnsupportedError("what comes before the first layer has no weights")
        return self.weight

    @property
    def has_sign(self) -> bool:
        """Whether bits leave it."""
        return any(step.levels for step in self.steps)


def segments_of(graph: OnnxGraph) -> list[Segment]:
    """The graph cut at its products; nodes that only work out shapes are passed over.

    Raises:
        UnsupportedError: it is no chain, or a node is none of those that a 1-bit network is made of.
    """
    if len(graph.inputs) != 1:
        raise UnsupportedError(f"{graph.name} has {len(graph.inputs)} inputs", "a packed model has one")
    walk = _Walk(graph)
    for node in graph.nodes:
        walk.take(node)
    return walk.segments


class _Walk:
    """Where the walk is: the tensor that runs through the chain, the shape of its samples, how they lie.

    Attributes:
        segments: those passed, the current one last.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._products = {weight.node.output[0]: weight for weight in weights(graph)[0]}
        self._known = graph.constants.keys() | graph.opaque.keys()
        self._tensor, self._past = graph.inputs[0].name, set[str]()
        self._shape = self._image()
        self._layout = self._layout_of(self._shape)
        self._windows: Sliding | None = None
        self._branches = find_branches(graph)
        self.segments = [Segment(self._shape)]

    def take(self, node: onnx.NodeProto) -> None:
        """Go on through a node, unless it does not touch the chain, or lies on a branch."""
        if self._branches is not None and node is self._branches.node:
            self._join(self._branches)
        elif self._branches is None or node.output[0] not in self._branches.inner:
            self._follow(node)

    def _follow(self, node: onnx.NodeProto) -> None:
        moving = [name for name in node.input if name and name not in self._known]
        if self._past.intersection(moving) and node.op_type != "Shape":
            raise refusal(node, "takes a tensor that another node takes too, so the graph is no chain")
        if self._tensor not in moving or node.op_type == "Shape":
            return
        if len(moving) > 1 and node.op_type != "Reshape":
            raise refusal(node, "takes two tensors that depend on the input")
        if self._windows is not None and node.op_type not in LINEAR:
            raise refusal(node, "takes windows of an image, and is no product")
        self._past.add(self._tensor)
        self._go_through(node)
        self._tensor = node.output[0] if node.op_type not in CHOOSING else ""

    def _go_through(self, node: onnx.NodeProto) -> None:
        match node.op_type:
            case operator if operator in CHOOSING:
                _check_choice(node)
                self._past.update(node.output)
            case operator if operator in LINEAR:
                self._multiply(node)
            case operator if operator in RESHAPING:
                self._reshape(node)
            case "Transpose":
                self._transpose(node)
            case "Im2Col" if len(self._shape) == 3 and self._layout.axis == -1:
                self._windows = windows_of(node)
            case "MaxPool" if self._layout.axis == -3:
                self._pool(node)
            case "Pad" if self._layout.axis == -3:
                self._pad(node, *padding_of(self._graph, node))
            case _:
                self._check_axis(node)
                if len(self.segments[-1].steps) >= MOST_STEPS:
                    raise refusal(node, f"follows {MOST_STEPS} others since the last product")
                self.segments[-1].steps.append(step_of(self._graph, node, self._tensor, self._layout))

    def _image(self) -> tuple[int, ...]:
        """The shape of a sample; where the graph does not say, flat, as its first product takes it."""
        declared = self._graph.inputs[0].type.tensor_type.shape.dim[1:]
        shape = tuple(size.dim_value for size in declared)
        if shape and all(shape):
            return shape if len(shape) == 3 else (prod(shape),)
        inputs = [weight.matrix.columns for weight in self._products.values() if len(weight.shape) == 2]
        return (inputs[0],) if inputs else (0,)

    @staticmethod
    def _layout_of(shape: tuple[int, ...]) -> Layout:
        return Layout(shape[0], -len(shape))

    def _multiply(self, node: onnx.NodeProto) -> None:
        weight = self._products.get(node.output[0])
        if weight is None:
            self._repeat(node, repeated_features(self._graph, node))
            return
        if node.input[0] != self._tensor:
            raise refusal(node, "multiplies its weights with the input, not the input with them")
        entering, sliding = self._shape, None
        if len(weight.shape) == 4:
            sliding = self._sliding(node, weight)
            grown = (side + 2 * self._padded() for side in entering[1:])
            places = ((side - sliding.kernel) // sliding.stride + 1 for side in grown)
            self._shape = (weight.shape[0], *places)
        elif self._padded():
            raise refusal(node, "takes what is padded, and is no convolution")
        elif entering != (weight.matrix.columns,):
            taken = " x ".join(map(str, entering))
            raise refusal(node, f"takes {weight.matrix.columns} inputs of {taken}")
        else:
            self._shape = (weight.matrix.rows,)
        in_windows, self._windows = self._windows is not None, None
        self._layout = Layout(self._shape[0], -1 if in_windows else -len(self._shape))
        self.segments.append(Segment(entering, weight, sliding))
        _check_gemm(node)
        bias = bias_of(self._graph, node, self._shape[0])
        self.segments[-1].steps += [bias] if bias else []

    def _sliding(self, node: onnx.NodeProto, weight: Weight) -> Sliding:
        """How a convolution slides; that it pads with 0 by itself is noted where any other padding is."""
        sliding = self._windows or sliding_of(node, weight.shape[2:])
        if len(self._shape) != 3 or weight.shape[1] != self._shape[0]:
            taken = " x ".join(map(str, self._shape))
            raise refusal(node, f"takes images of {weight.shape[1]} channels of {taken}")
        if sliding.padding:
            self._pad(node, sliding.padding, 0.0)
        return replace(sliding, padding=0)

    def _padded(self) -> int:
        padding = self.segments[-1].padding
        return padding.width if padding else 0

    def _repeat(self, node: onnx.NodeProto, source: NDArray[np.intp] | None) -> None:
        """Features that a first segment repeats, for a threshold each."""
        if source is None or len(self.segments) > 1 or self._layout.axis not in (-1, -3):
            raise refusal(node, "is no layer of 1-bit weights")
        if node.op_type == "Conv" and sliding_of(node, (1, 1)) != Sliding(1, 1, 0):
            raise refusal(node, "repeats pixels and leaves some out")
        if int(source.max()) >= self._shape[0]:
            raise refusal(node, f"takes {int(source.max()) + 1} features of {self._shape[0]}")
        self._rearrange(repeating(node, source))

    def _join(self, branches: Branches) -> None:
        """Bits of several thresholds, or the image several times over, side by side."""
        node = branches.node
        axis = attributes(node).get("axis")
        first = len(self.segments) == 1 and self._layout.axis in (-1, -3)
        if self._tensor != branches.root or not first or axis not in (1, -len(self._shape)):
            raise refusal(node, "puts tensors together that are no bits of the input")
        self._past |= branches.inner | {branches.root}
        self._rearrange(joined(self._graph, branches, self._layout))
        self._tensor = node.output[0]

    def _rearrange(self, step: Step) -> None:
        self.segments[-1].steps.append(step)
        width = len(step.sources) if step.sources is not None else self._shape[0]
        self._shape = (width, *self._shape[1:])
        self._layout = replace(self._layout, width=width)

    def _reshape(self, node: onnx.NodeProto) -> None:
        shape = reshaped(self._graph, node, self._shape)
        if shape == self._shape:
            return
        if len(self._shape) == 3 and self._layout.axis == -1:
            raise refusal(node, "reshapes an image whose channels come last")
        self._shape = shape
        if len(self.segments) == 1 and not self.segments[0].steps:
            self.segments[0].shape, self._layout = shape, self._layout_of(shape)
        elif shape[0] == self._layout.width:
            self._layout = replace(self._layout, axis=-len(shape))
        else:
            self._layout = replace(self._layout, axis=0)

    def _transpose(self, node: onnx.NodeProto) -> None:
        order = attributes(node).get("perm")
        turns = {-3: (CHANNELS_LAST, -1), -1: (CHANNELS_FIRST, -3)}
        wanted, axis = turns.get(self._layout.axis, ([], 0))
        if len(self._shape) != 3 or order != wanted:
            raise refusal(node, "moves more than the channels of an image")
        self._layout = replace(self._layout, axis=axis)

    def _check_axis(self, node: onnx.NodeProto) -> None:
        """Two operators say themselves, or mean, where channels lie."""
        last = len(self._shape) == 3 and self._layout.axis == -1
        says_last = attributes(node).get("data_layout", b"NCHW") == b"NHWC"
        spatial = len(self._shape) == 3 and node.op_type in ("BatchNormalization", "MultiThreshold")
        if spatial and last != says_last:
            raise refusal(node, "takes its channels along another axis than they lie")

    def _pool(self, node: onnx.NodeProto) -> None:
        segment, size = self.segments[-1], pooling_of(node)
        if segment.weight is None or segment.pooling or segment.padding:
            raise refusal(node, "pools the input, what is pooled, or padding")
        segment.pooling = Pooling(node, len(segment.steps), size)
        self._shape = (self._shape[0], *(side // size for side in self._shape[1:]))

    def _pad(self, node: onnx.NodeProto, width: int, value: float) -> None:
        segment = self.segments[-1]
        if segment.padding:
            raise refusal(node, "pads what is padded")
        if width:
            segment.padding = Padding(node, len(segment.steps), width, value)


def _check_choice(node: onnx.NodeProto) -> None:
    given = attributes(node)
    axis = given.get("axis", -1 if node.op_type == "TopK" else 0)
    if axis not in (1, -1) or not given.get("largest", 1) or given.get("select_last_index", 0):
        raise refusal(node, "does not choose the first of the largest classes")


def _check_gemm(node: onnx.NodeProto) -> None:
    given = attributes(node)
    if given.get("alpha", 1) != 1 or given.get("beta", 1) != 1 or given.get("transA", 0):
        raise refusal(node, "scales or transposes what it multiplies")
