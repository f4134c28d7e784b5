"""Inputs that tell a layer nothing: constant by proof, read by nobody, or constant over some data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding, listed
from bnnedge.analysis.finders.removal import Removal
from bnnedge.analysis.finders.signals import LayerFacts
from bnnedge.packed.infer import check_inputs, trace
from bnnedge.packed.model import PackedModel

__all__ = ["constant_over_data", "dead_inputs", "still_inputs"]

SLICE_SAMPLES = 4096

Booleans = NDArray[np.bool_]


def dead_inputs(facts: LayerFacts, plan: Removal, sources: Removal | None) -> Iterator[Finding]:
    """Inputs that never change, and inputs of a layer none of whose neurons matters.

    Args:
        facts: of the layer.
        plan: what becomes of its neurons.
        sources: what becomes of the neurons that feed it; None for the first layer, whose inputs stay.
    """
    constant = facts.inputs.constant
    kept = sources.kept if sources else np.ones(constant.size, dtype=bool)
    origin = "the neurons before are" if sources else "the input threshold is 0"
    absorbed = "the thresholds take in their sum" if facts.layer.thresholds else "they cancel in every score"
    yield from _dead(facts, constant & ~kept, f"constant, as {origin}; {absorbed}")
    yield from _dead(facts, constant & kept, f"constant, as {origin}", fixed=False)
    if not plan.live.any():
        reason = "read by no neuron that changes and that a score depends on"
        yield from _dead(facts, ~constant & ~kept, reason)
        yield from _dead(facts, ~constant & kept, reason, fixed=False)


def still_inputs(facts: LayerFacts, still: Booleans, samples: int) -> Iterator[Finding]:
    """Inputs that are constant over the given data and not by proof."""
    reason = f"the same in the {samples:,} samples given, which proves nothing of others"
    yield from _dead(facts, still & ~facts.inputs.constant, reason, fixed=False)


def constant_over_data(model: PackedModel, inputs: NDArray[np.uint8]) -> tuple[Booleans, ...]:
    """For each layer, (inputs,) which of its inputs are the same in every sample.

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    inputs = check_inputs(model.encoding, inputs)
    lowest: list[NDArray[np.generic]] = []
    highest: list[NDArray[np.generic]] = []
    for start in range(0, len(inputs), SLICE_SAMPLES):
        values = _layer_inputs(model, inputs[start : start + SLICE_SAMPLES])
        least, greatest = [v.min(axis=0) for v in values], [v.max(axis=0) for v in values]
        lowest = [np.minimum(a, b) for a, b in zip(lowest or least, least, strict=True)]
        highest = [np.maximum(a, b) for a, b in zip(highest or greatest, greatest, strict=True)]
    return tuple(a == b for a, b in zip(lowest, highest, strict=True))


def _layer_inputs(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.generic]]:
    bipolar = model.encoding.kind == "bipolar"
    values: list[NDArray[np.generic]] = [inputs >= model.encoding.threshold if bipolar else inputs]
    preactivations, _ = trace(model, inputs)
    for layer, sums in zip(model.layers, preactivations, strict=True):
        if layer.thresholds is not None:
            values.append(layer.thresholds(sums))
    return values


def _dead(facts: LayerFacts, marked: Booleans, reason: str, *, fixed: bool = True) -> Iterator[Finding]:
    indices = np.flatnonzero(marked).tolist()
    if not indices:
        return
    layer = facts.layer
    bits = len(indices) * layer.outputs
    yield Finding(
        kind="dead-inputs",
        layer=layer.name,
        neurons=tuple(indices),
        message=f"input{'s' * (len(indices) > 1)} {listed(indices)} of {layer.name}: {reason}",
        saves=f"the XNORs and adders of {bits:,} weights",
        weight_bits=bits if fixed else 0,
        keeps_function=fixed,
    )
