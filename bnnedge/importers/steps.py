"""What stands between two matrix products of a graph: elementwise, monotone steps, evaluated in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.importers.onnx import QUANT_DOMAINS, OnnxGraph, attributes, label

__all__ = [
    "Carried",
    "Float32",
    "Layout",
    "Step",
    "bias_of",
    "compose",
    "levels_of",
    "refusal",
    "run",
    "step_of",
]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_CUSTOM = ("BipolarQuant", "MultiThreshold")
_MULTI_BIT = ("IntQuant", "Quant", "QuantizeLinear", "Trunc")
_BY_CHANNEL = ("BatchNormalization", "MultiThreshold")  # constants are (features,) wherever these lie
_COMPARISONS: dict[str, np.ufunc] = {
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How the tensor that runs through a chain lies, as far as its constants must know.

    Attributes:
        width: features that constants can tell apart: of an image, its channels.
        axis: where those lie, counted from the end: −1, or −3 of an image whose channels come first; 0 where
            they no longer lie along any, as after a flattening, so that a constant is one value for all.
    """

    width: int
    axis: int


@dataclass(frozen=True)
class Carried:
    """What the graph carries for a bit t of −1 or +1, or for a whole number t: ``scale * t + offset``."""

    scale: float
    offset: float


@dataclass(frozen=True, eq=False)
class Step:
    """One node, as a function of the tensor that runs through it, features (of an image: channels) last.

    Attributes:
        node: the node.
        apply: float32 to float32, each operation rounded as the graph rounds it.
        affine: scale and offset in float64, one value or one a feature; None for a sign.
        levels: the two values of a sign, the one below its threshold first; None for an affine step.
        sources: where the step puts features side by side, which of those before each is made of, −1 where it
            is 0; else None.
    """

    node: onnx.NodeProto
    apply: Callable[[Float32], Float32]
    affine: tuple[Float64, Float64] | None = None
    levels: tuple[Float32, Float32] | None = None
    sources: NDArray[np.intp] | None = None


def run(steps: Sequence[Step], values: Float32) -> Float32:
    """The values after all the steps."""
    with np.errstate(all="ignore"):  # what overflows is refused by whoever asks
        for step in steps:
            values = step.apply(values)
    return values


def levels_of(steps: Sequence[Step], width: int) -> tuple[Carried, Float32]:
    """What −1 and +1 are after the steps, the same for every feature; and the value of +1, (width,).

    Raises:
        UnsupportedError: they differ from feature to feature.
    """
    last, levels = max((place, step.levels) for place, step in enumerate(steps) if step.levels)
    ends = [run(steps[last + 1 :], np.broadcast_to(level, (width,)).astype(np.float32)) for level in levels]
    low, high = np.minimum(*ends), np.maximum(*ends)
    if not (low < high).all() or (low != low[0]).any() or (high != high[0]).any():
        raise refusal(steps[last].node, "gives bits that are not the same two values for every neuron")
    return Carried((float(high[0]) - float(low[0])) / 2, (float(high[0]) + float(low[0])) / 2), high


def compose(
    steps: Sequence[Step], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Affine steps one after another, after a first scale and offset.

    Raises:
        UnsupportedError: one is not affine.
    """
    for step in steps:
        if step.sources is not None:
            raise refusal(step.node, "repeats numbers, not for a threshold each")
        if step.affine is None:
            raise refusal(step.node, "ends the network with a sign, which leaves no scores")
        scale, offset = scale * step.affine[0], offset * step.affine[0] + step.affine[1]
    return scale, offset


def step_of(graph: OnnxGraph, node: onnx.NodeProto, tensor: str, layout: Layout) -> Step:
    """The step that a node is for ``tensor``.

    Raises:
        UnsupportedError: it is none, or its constants are not one value or one a feature.
    """
    if node.op_type in _MULTI_BIT:
        raise refusal(node, "quantises to more than two values")
    operands = [_operand(graph, node, name, layout) for name in node.input if name and name != tensor]
    position = list(node.input).index(tensor)
    custom = node.op_type in _CUSTOM
    if node.domain in (QUANT_DOMAINS if custom else ("", "ai.onnx")):
        step = _sign_of(node, operands, position) or _affine_of(node, operands, position)
        if step is not None:
            return step
    raise refusal(node, "is no step that a 1-bit layer is made of")


def bias_of(graph: OnnxGraph, node: onnx.NodeProto, outputs: int) -> Step | None:
    """What a Gemm or a Conv adds to its product; None where it adds nothing."""
    names = [name for name in node.input[2:3] if name]
    if not names:
        return None
    bias = _operand(graph, node, names[0], Layout(outputs, -1))
    return _affine(node, lambda x: x + bias, 1, bias)


def _sign_of(node: onnx.NodeProto, operands: list[Float32], position: int) -> Step | None:
    given = attributes(node)
    zero, one = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)
    match node.op_type, operands:
        case "BipolarQuant", [c] if position == 0:
            return Step(node, lambda x: np.where(x >= 0, c, -c), levels=(-c, c))
        case "MultiThreshold", [c] if position == 0:
            scale, bias = np.float32(given.get("out_scale", 1)), np.float32(given.get("out_bias", 0))
            return Step(node, lambda x: scale * (x >= c) + bias, levels=(zero + bias, one * scale + bias))
        case ("Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual") as name, [c]:
            compare = _COMPARISONS[name]
            if position == 0:
                return Step(node, lambda x: compare(x, c).astype(np.float32), levels=(zero, one))
            return Step(node, lambda x: compare(c, x).astype(np.float32), levels=(zero, one))
    return None


def _affine_of(node: onnx.NodeProto, operands: list[Float32], position: int) -> Step | None:
    given = attributes(node)
    match node.op_type, operands:
        case "Cast", [] if given.get("to") == onnx.TensorProto.FLOAT:
            return _affine(node, lambda x: x, 1, 0)
        case "Neg", []:
            return _affine(node, np.negative, -1, 0)
        case "Add", [c]:
            return _affine(node, lambda x: x + c, 1, c)
        case "Sub", [c]:
            if position == 0:
                return _affine(node, lambda x: x - c, 1, -c)
            return _affine(node, lambda x: c - x, -1, c)
        case "Mul", [c]:
            return _affine(node, lambda x: x * c, c, 0)
        case "Div", [c] if position == 0 and c.all():
            return _affine(node, lambda x: x / c, 1 / c.astype(np.float64), 0)
        case "BatchNormalization", [scale, offset, mean, variance] if position == 0:
            return _batch_norm(node, scale, offset, mean, variance)
    return None


def refusal(node: onnx.NodeProto, reason: str) -> UnsupportedError:
    """Which node keeps a graph from being a packed model."""
    return UnsupportedError(
        f"{label(node)} {reason}",
        "a packed model is a chain of 1-bit convolutions, then dense layers, with batch-norms and signs "
        "between them; bnnedge audit reads the weights of any graph",
    )


def _operand(graph: OnnxGraph, node: onnx.NodeProto, name: str, layout: Layout) -> Float32:
    """A constant as (1,) or (width,) float32."""
    values = graph.constants.get(name)
    if values is None or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise refusal(node, f"takes {name!r}, which is no finite constant")
    width, axis = layout.width, layout.axis
    if node.op_type in _BY_CHANNEL:
        axis = -1 if axis else 0
        if node.op_type == "MultiThreshold" and values.ndim == 2:
            number = values.shape[1]
            if number != 1:
                raise refusal(node, f"has {number} thresholds a neuron, which makes more than one bit")
            values = values.T
    along = axis < 0 and values.ndim >= -axis and values.shape[axis] == values.size == width
    if values.size != 1 and not along:
        raise refusal(
            node, f"takes a constant of shape {values.shape}, which is not one value a feature of {width}"
        )
    return values.reshape(-1).astype(np.float32)


def _affine(
    node: onnx.NodeProto,
    apply: Callable[[Float32], Float32],
    scale: Float64 | Float32 | int,
    offset: Float64 | Float32 | int,
) -> Step:
    return Step(node, apply, affine=(np.atleast_1d(np.float64(scale)), np.atleast_1d(np.float64(offset))))


def _batch_norm(
    node: onnx.NodeProto, scale: Float32, offset: Float32, mean: Float32, variance: Float32
) -> Step:
    """In float32 as onnxruntime has it: one multiplication and one addition with prepared constants."""
    given = attributes(node)
    epsilon = np.float32(given.get("epsilon", 1e-5))
    if given.get("training_mode", 0) or not (variance + epsilon > 0).all():
        raise refusal(node, "is in training mode, or has a variance that is not positive")
    factor = scale * (np.float32(1) / np.sqrt(variance + epsilon))
    shift = offset - mean * factor
    exact = scale / np.sqrt(variance.astype(np.float64) + float(epsilon))
    return _affine(node, lambda x: x * factor + shift, exact, offset - mean * exact)
