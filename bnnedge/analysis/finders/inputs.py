"""Inputs that tell a layer nothing: constant by proof, read by nobody, or constant over some data.

Those of a convolution are channels; those of a dense layer are single values, of an image pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding, listed, noun_of, places_of
from bnnedge.analysis.finders.removal import Removal
from bnnedge.analysis.finders.signals import LayerFacts
from bnnedge.packed.infer import activations, check_inputs, samples_in, trace
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["constant_over_data", "dead_inputs", "still_inputs"]

SLICE_ENTRIES = 1 << 22  # pre-activations of a layer that are looked at together

Booleans = NDArray[np.bool_]


def dead_inputs(
    facts: LayerFacts, plan: Removal, before: tuple[LayerFacts, Removal] | None
) -> Iterator[Finding]:
    """Inputs that never change, and inputs of a layer none of whose neurons matters.

    Args:
        facts: of the layer.
        plan: what becomes of its neurons.
        before: the layer that feeds it, and what becomes of that; None for the first, whose inputs stay.
    """
    constant = facts.channels.constant
    kept = before[1].kept if before else np.ones(constant.size, dtype=bool)
    origin = f"the {noun_of(before[0].layer)}s before are" if before else "the input threshold is 0"
    absorbed = "the thresholds take in their sum" if facts.layer.thresholds else "they cancel in every score"
    yield from _dead(facts, constant & ~kept, f"constant, as {origin}; {absorbed}")
    yield from _dead(facts, constant & kept, f"constant, as {origin}", fixed=False)
    if not plan.live.any():
        reason = f"read by no {noun_of(facts.layer)} that changes and that a score depends on"
        yield from _dead(facts, ~constant & ~kept, reason)
        yield from _dead(facts, ~constant & kept, reason, fixed=False)


def still_inputs(facts: LayerFacts, still: Booleans, samples: int) -> Iterator[Finding]:
    """Inputs that are constant over the given data and not by proof.

    Args:
        facts: of the layer.
        still: as :func:`constant_over_data` has them.
        samples: how many were given.
    """
    reason = f"the same in the {samples:,} samples given, which proves nothing of others"
    yield from _dead_inputs(facts, still & ~_of_inputs(facts, facts.channels.constant), reason, fixed=False)


def constant_over_data(model: PackedModel, inputs: NDArray[np.uint8]) -> tuple[Booleans, ...]:
    """For each layer, (inputs,) which inputs are the same in every sample; of a convolution (channels,).

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    inputs = check_inputs(model.encoding, inputs)
    lowest: list[NDArray[np.generic]] = []
    highest: list[NDArray[np.generic]] = []
    step = samples_in(model, SLICE_ENTRIES)
    for start in range(0, len(inputs), step):
        values = _layer_inputs(model, inputs[start : start + step])
        least, greatest = [v.min(axis=0) for v in values], [v.max(axis=0) for v in values]
        lowest = [np.minimum(a, b) for a, b in zip(lowest or least, least, strict=True)]
        highest = [np.maximum(a, b) for a, b in zip(highest or greatest, greatest, strict=True)]
    return tuple(a == b for a, b in zip(lowest, highest, strict=True))


def _layer_inputs(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.generic]]:
    """What enters each layer: (samples, inputs), or (samples · pixels, channels) with what pads them."""
    encoding = model.encoding
    shaped = inputs.reshape(len(inputs), *encoding.shape)
    entering: NDArray[np.generic] = shaped if encoding.thresholds is None else encoding.encode(inputs)
    values = [_as_inputs(model.layers[0], entering)]
    preactivations, _ = trace(model, inputs)
    for layer, sums, following in zip(model.layers, preactivations, model.layers[1:], strict=False):
        fired = activations(layer, np.moveaxis(sums, 1, -1))
        values.append(_as_inputs(following, np.moveaxis(fired, -1, 1)))
    return values


def _as_inputs(layer: PackedLayer, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """(samples, channels, …) as a layer takes them."""
    if layer.convolution is None:
        return values.reshape(len(values), -1)
    pixels = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
    padding = np.zeros((1 if layer.convolution.padding else 0, pixels.shape[1]), dtype=pixels.dtype)
    return np.concatenate([pixels, padding])


def _of_inputs(facts: LayerFacts, of_channels: Booleans) -> Booleans:
    """What is so of channels, of each of a dense layer's inputs."""
    return of_channels.repeat(1 if facts.layer.convolution else facts.pixels)


def _dead(facts: LayerFacts, channels: Booleans, reason: str, *, fixed: bool = True) -> Iterator[Finding]:
    yield from _dead_inputs(facts, _of_inputs(facts, channels), reason, fixed=fixed)


def _dead_inputs(facts: LayerFacts, marked: Booleans, reason: str, *, fixed: bool) -> Iterator[Finding]:
    indices = np.flatnonzero(marked).tolist()
    if not indices:
        return
    layer = facts.layer
    noun = "input" if layer.convolution is None else "input channel"
    bits = len(indices) * layer.outputs * (facts.pixels if layer.convolution else 1)
    yield Finding(
        kind="dead-inputs",
        layer=layer.name,
        neurons=tuple(indices),
        message=f"{noun}{'s' * (len(indices) > 1)} {listed(indices)} of {layer.name}: {reason}",
        saves=f"the XNORs and adders of {bits:,} weights{places_of(layer)}",
        weight_bits=bits if fixed else 0,
        keeps_function=fixed,
    )
