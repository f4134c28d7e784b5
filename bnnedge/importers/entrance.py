"""What stands before the first layer of a graph, as an input encoding."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.importers.onnx import OnnxGraph
from bnnedge.importers.steps import Carried, compose, levels_of, refusal, run
from bnnedge.importers.walk import Segment
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["entrance"]

UNIT = 255  # an input that is not whole numbers is taken for pixels / 255


def entrance(graph: OnnxGraph, segment: Segment, layer: Segment) -> tuple[InputEncoding, Carried, Segment]:
    """What the first layer sees, from the steps before it, evaluated at every value of every feature.

    Args:
        graph: the graph.
        segment: what stands before the first layer.
        layer: the first layer.

    Returns:
        The encoding, what its bits or numbers are in the graph, and the layer without channels that are −1
        always, as no feature makes them: FINN graphs of bnnedge put such a one beside a single channel.

    Raises:
        UnsupportedError: the steps are no encoding.
    """
    maximum, width, steps = _whole_numbers(graph), segment.shape[0], segment.steps
    if not segment.has_sign:
        scale, offset = compose(steps, np.ones(1) if maximum else np.array([1 / UNIT]), np.zeros(1))
        if scale.size > 1 or offset.size > 1 or not scale[0]:
            raise refusal(steps[0].node, "treats features differently")
        encoding = InputEncoding.integer(segment.shape, maximum or UNIT)
        return encoding, Carried(float(scale[0]), float(offset[0])), layer
    counts = np.arange((maximum or UNIT) + 1, dtype=np.float32)[:, None]
    pixels = counts if maximum else counts / np.float32(UNIT)
    values = run(steps, np.broadcast_to(pixels, (counts.size, width)))
    carried, high = levels_of(steps, values.shape[1])
    fires, blank = values == high, _sources(segment) < 0
    if fires[:, blank].any():
        raise refusal(steps[-1].node, "makes +1 of no feature")
    fires = fires[:, ~blank]
    limits = fires.argmax(axis=0)
    if not fires[-1].all() or (fires != (counts >= limits)).any():
        taken = "whole numbers" if maximum else "real numbers 0 … 1, being neither uint8 nor annotated UINT8"
        raise refusal(steps[-1].node, f"is no threshold that inputs reach, {taken}")
    limits = limits.reshape(-1, width)
    thresholds = limits[:, :1] if (limits == limits[:, :1]).all() else limits
    encoding = InputEncoding.thermometer(segment.shape, maximum or UNIT, thresholds)
    return encoding, carried, _without(layer, blank) if blank.any() else layer


def _sources(segment: Segment) -> NDArray[np.intp]:
    """Which feature each value that leaves the first segment is made of; −1 where of none."""
    width = segment.shape[0]
    sources = np.arange(width)
    for step in segment.steps:
        if step.sources is not None:
            sources = np.where(step.sources < 0, -1, sources[step.sources])
    features = sources[sources >= 0]
    if not features.size or features.size % width or (features != np.arange(features.size) % width).any():
        raise refusal(segment.steps[-1].node, "takes features in another order than the image has them")
    return sources


def _without(layer: Segment, blank: NDArray[np.bool_]) -> Segment:
    """A layer whose blank channels are apart from its weights."""
    weight, (channels, *sides) = layer.product, layer.shape
    inputs = blank.repeat(weight.matrix.columns // channels)
    bits = weight.matrix.to_bits()
    kept = replace(weight, matrix=PackedMatrix.from_bits(bits[:, ~inputs]))
    shape = (int(np.count_nonzero(~blank)), *sides)
    return replace(layer, weight=kept, shape=shape, blank=PackedMatrix.from_bits(bits[:, inputs]))


def _whole_numbers(graph: OnnxGraph) -> int:
    """The largest value of an input of whole numbers; 0 where it is real."""
    image = graph.inputs[0]
    annotated = re.fullmatch(r"UINT([1-8])", graph.datatypes.get(image.name, ""))
    if annotated:
        return (1 << int(annotated[1])) - 1
    return UNIT if int(image.type.tensor_type.elem_type) == int(onnx.TensorProto.UINT8) else 0
