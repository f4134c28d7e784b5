"""What is wrong with a network's weights, or could be cheaper: every finder, layer by layer.

A finding says what is so for every input, by proof from bits, thresholds and the input encoding; only what
is found with sample data holds for that data, and says so. See :mod:`bnnedge.analysis.finders`: ``signals``
for the proofs, ``removal`` for what a 1-bit network lets go of.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding
from bnnedge.analysis.finders.inputs import constant_over_data, dead_inputs, still_inputs
from bnnedge.analysis.finders.neurons import alike_rows, constant_neurons, equal_neurons, shared_popcounts
from bnnedge.analysis.finders.patterns import rows_outside_blocks, shared_patterns
from bnnedge.analysis.finders.removal import Removal, plan_removal
from bnnedge.analysis.finders.signals import LayerFacts, analyse
from bnnedge.errors import DataError
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import WeightSet

__all__ = ["Finding", "find", "find_in_weights"]


def find(model: PackedModel, inputs: NDArray[np.uint8] | None = None) -> tuple[Finding, ...]:
    """Everything found in a whole network, layer by layer.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers, to also find inputs that do not change over them.

    Raises:
        DataError: inputs that do not fit the model, or none at all.

    >>> from bnnedge import load
    >>> [finding.kind for finding in find(load("digits-tfc")) if finding.layer == "fc4"]
    ['shared-patterns', 'rows-outside-blocks']
    """
    facts = analyse(model)
    plans = plan_removal(facts)
    still = _still(model, inputs)
    found: list[Finding] = []
    for position, layer in enumerate(facts):
        found += _in_layer(facts, plans, position)
        if inputs is not None:
            found += still_inputs(layer, still[position], len(inputs))
    return tuple(found)


def find_in_weights(weights: WeightSet) -> tuple[Finding, ...]:
    """What weight bits alone tell, layer by layer: rows alike, shared patterns, rows outside blocks.

    The filters of a convolution are rows of (inputs · height · width) bits.
    """
    found: list[Finding] = []
    for tensor in weights.tensors:
        found += alike_rows(tensor)
        found += shared_patterns(tensor.name, tensor.matrix)
        found += rows_outside_blocks(tensor.name, tensor.matrix)
    return tuple(found)


def _in_layer(facts: tuple[LayerFacts, ...], plans: tuple[Removal, ...], position: int) -> Iterator[Finding]:
    layer, plan = facts[position], plans[position]
    consumer = facts[position + 1] if position + 1 < len(facts) else None
    yield from constant_neurons(layer, plan, consumer)
    yield from equal_neurons(layer, plan, consumer)
    yield from shared_popcounts(layer)
    before = (facts[position - 1], plans[position - 1]) if position else None
    yield from dead_inputs(layer, plan, before)
    yield from shared_patterns(layer.layer.name, layer.layer.weights)
    yield from rows_outside_blocks(layer.layer.name, layer.layer.weights)


def _still(model: PackedModel, inputs: NDArray[np.uint8] | None) -> tuple[NDArray[np.bool_], ...]:
    if inputs is None:
        return ()
    if not len(inputs):
        raise DataError("no samples to find still inputs in", "give at least one, or leave inputs out")
    return constant_over_data(model, inputs)
