"""What stands between two matrix products of a graph: elementwise, monotone steps, evaluated in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.importers.onnx import QUANT_DOMAINS, OnnxGraph, attributes, label

__all__ = ["Float32", "Step", "refusal", "run", "step_of"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_CUSTOM = ("BipolarQuant", "MultiThreshold")
_COMPARISONS: dict[str, np.ufunc] = {
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Step:
    """One node, as a function of the tensor that runs through it, features last.

    Attributes:
        node: the node.
        apply: float32 to float32, each operation rounded as the graph rounds it.
        affine: scale and offset in float64, one value or one a feature; None for a sign.
        levels: the two values of a sign, the one below its threshold first; None for an affine step.
    """

    node: onnx.NodeProto
    apply: Callable[[Float32], Float32]
    affine: tuple[Float64, Float64] | None = None
    levels: tuple[Float32, Float32] | None = None


def run(steps: Sequence[Step], values: Float32) -> Float32:
    """The values after all the steps."""
    with np.errstate(all="ignore"):  # what overflows is refused by whoever asks
        for step in steps:
            values = step.apply(values)
    return values


def step_of(graph: OnnxGraph, node: onnx.NodeProto, tensor: str, width: int) -> Step:
    """The step that a node is for ``tensor`` of ``width`` features.

    Raises:
        UnsupportedError: it is none, or its constants are not one value or one a feature.
    """
    operands = [_operand(graph, node, name, width) for name in node.input if name and name != tensor]
    position = list(node.input).index(tensor)
    custom = node.op_type in _CUSTOM
    if node.domain in (QUANT_DOMAINS if custom else ("", "ai.onnx")):
        step = _sign_of(node, operands, position) or _affine_of(node, operands, position)
        if step is not None:
            return step
    raise refusal(node, "is no step that a 1-bit layer is made of")


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
        "a packed model is a chain of dense layers of 1-bit weights with batch-norms and signs between them; "
        "bnnedge audit reads the weights of any graph",
    )


def _operand(graph: OnnxGraph, node: onnx.NodeProto, name: str, width: int) -> Float32:
    """A constant as (1,) or (width,) float32."""
    values = graph.constants.get(name)
    if values is None or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise refusal(node, f"takes {name!r}, which is no finite constant")
    if node.op_type == "MultiThreshold" and values.ndim == 2:
        if values.shape[1] != 1:
            raise refusal(node, f"has {values.shape[1]} thresholds a neuron, which makes more than one bit")
        values = values.T
    if values.size != 1 and (values.ndim == 0 or values.shape[-1] != width or values.size != width):
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
