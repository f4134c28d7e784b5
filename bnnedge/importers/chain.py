"""A graph that is one chain of 1-bit layers, as a packed model; any other graph is refused by node.

Between two products a graph has elementwise steps: batch-norm in one node or four, a bias, and at last a sign
(BipolarQuant, a MultiThreshold of one threshold, or a comparison). Every step is monotone, so that
``fold_sign`` finds the integer threshold of the whole segment by evaluating it, in float32 as the graph does.
What a bit is in the graph, −1 and +1, 0 and 1, or ± a scale, is carried along and goes into the next segment.

Max-pooling may stand anywhere among the steps from where on they do not fall: it is OR of the bits then. What
pads an image must come out as what −1 is there; a Conv's own zeros do where bits are 0 and 1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError, UnsupportedError
from bnnedge.importers.entrance import entrance
from bnnedge.importers.onnx import OnnxGraph
from bnnedge.importers.steps import Carried, Float32, compose, levels_of, refusal, run
from bnnedge.importers.walk import Segment, segments_of
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["ASSUMPTIONS", "model_of"]

ASSUMPTIONS = "a whole one; an input neither uint8 nor annotated UINTn is taken for pixels x / 255, 0 … 1"


def model_of(graph: OnnxGraph, provenance: dict[str, object]) -> PackedModel:
    """The packed model of a graph of convolutions, then dense layers.

    An input that is annotated ``UINTn``, or of type uint8, is whole numbers; any other is taken for pixels
    scaled to 0 … 1 (x / 255), as image tensors are. Where a scale is no power of two, the graph's own sums
    round; the packed model multiplies exact sums.

    Raises:
        UnsupportedError: the graph is something else; the message names the node.
    """
    try:
        first, *layers = segments_of(graph)
        if not layers:
            raise UnsupportedError(f"{graph.name} has no 1-bit layer on the way from its input")
        encoding, carried, layers[0] = entrance(graph, first, layers[0])
        lattice = encoding.lattice(layers[0].product.matrix.columns)
        padding = _padding(first, carried, encoding)
        packed = []
        for segment, following in pairwise(layers):
            if not segment.has_sign:
                raise refusal(following.product.node, "follows a layer without a sign")
            thresholds, after = _threshold(segment, _entry(segment, carried), lattice)
            packed.append(_layer(segment, thresholds, padding))
            carried, lattice = after, Lattice(following.product.matrix.columns, 2)
            padding = _padding(segment, carried)
        packed.append(_layer(layers[-1], None, padding))
        head = _head(layers[-1], _entry(layers[-1], carried))
        return PackedModel(encoding, tuple(packed), head, provenance)
    except DataError as error:
        raise UnsupportedError(f"{graph.name}: {error.message}", error.hint) from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UnsupportedError(
            f"{graph.name} has a node that lacks an operand, or attributes of the wrong type: {error}"
        ) from error


def _entry(segment: Segment, carried: Carried) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and offset, (outputs,) each, from a layer's ±1 sums to the graph's own values of its product."""
    weight, blank = segment.product, segment.blank
    sums, always = _sums(weight.matrix), _sums(blank)
    if weight.node.op_type == "XnorPopcountMatMul":
        if carried != Carried(0.5, 0.5):
            raise refusal(weight.node, "counts XNORs of inputs that are not 0 and 1")
        return np.full(sums.size, 0.5), (weight.matrix.columns + blank.columns - always) / 2
    scale = weight.scale.astype(np.float64)
    return scale * carried.scale, scale * (carried.offset * (sums + always) - carried.scale * always)


def _sums(matrix: PackedMatrix) -> NDArray[np.int64]:
    """(rows,) sum of each row's ±1."""
    ones: NDArray[np.int64] = np.bitwise_count(matrix.words).sum(axis=1, dtype=np.int64)
    return 2 * ones - matrix.columns


def _layer(segment: Segment, thresholds: Thresholds | None, padding: int) -> PackedLayer:
    """A layer of a segment; ``padding`` is what the segment before puts around its images."""
    weight, convolution = segment.product, None
    if segment.sliding is not None:
        channels, height, width = segment.shape
        pool = segment.pooling.size if segment.pooling else 1
        kernel, stride = segment.sliding.kernel, segment.sliding.stride
        convolution = Convolution((channels, height, width), kernel, stride, padding, pool)
    return PackedLayer(weight.name, weight.matrix, thresholds, convolution)


def _padding(segment: Segment, carried: Carried, encoding: InputEncoding | None = None) -> int:
    """Pixels of −1 that a segment puts around what the next takes; ``encoding`` is of the first segment."""
    padding = segment.padding
    if padding is None:
        return 0
    if encoding is not None and encoding.kind == "integer":
        raise refusal(padding.node, "pads whole numbers, and only bits can be padded, with −1")
    width = encoding.encoded_shape[0] if encoding else segment.product.matrix.rows
    values = run(segment.steps[padding.step :], np.full(width, padding.value, dtype=np.float32))
    if (values != carried.offset - carried.scale).any():
        raise refusal(padding.node, f"pads with {padding.value:g}, which is not what −1 is there")
    return padding.width


def _threshold(
    segment: Segment, entry: tuple[NDArray[np.float64], NDArray[np.float64]], lattice: Lattice
) -> tuple[Thresholds, Carried]:
    """A hidden layer's thresholds, and what its bits are in the graph."""
    (scale, offset), steps = entry, segment.steps
    carried, high = levels_of(steps, scale.size)
    sign = next(position for position, step in enumerate(steps) if step.levels)

    def product(preactivations: NDArray[np.int32]) -> Float32:
        return (scale * preactivations + offset).astype(np.float32)

    def fires(preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        fired: NDArray[np.bool_] = run(steps, product(preactivations)) == high
        return fired

    ends = np.full((2, scale.size), lattice.bound, dtype=np.int32) * np.array([[-1], [1]], dtype=np.int32)
    if not np.isfinite(run(steps[:sign], product(ends))).all():
        raise refusal(steps[sign].node, "compares numbers that overflow float32")
    if segment.pooling is not None:
        reach, rest = run(steps[: segment.pooling.step], product(ends)), steps[segment.pooling.step :]
        if ((run(rest, reach.min(axis=0)) == high) & (run(rest, reach.max(axis=0)) != high)).any():
            raise refusal(segment.pooling.node, "pools before a sign that falls, so that it is no OR of bits")
    below, above = fires(ends[0]), fires(ends[1])
    directions = np.where(below & ~above, -1, 1).astype(np.int8)
    return fold_sign(fires, directions, lattice), carried


def _head(segment: Segment, entry: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Affine:
    """Scale and offset of the logits, computed in float64, rounded once; one for all where they are equal."""
    scale, offset = np.broadcast_arrays(*compose(segment.steps, *entry))
    if (scale == scale[0]).all() and (offset == offset[0]).all():
        scale, offset = scale[:1], offset[:1]
    return Affine(scale.astype(np.float32), offset.astype(np.float32))
