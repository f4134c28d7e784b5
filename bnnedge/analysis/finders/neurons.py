"""Neurons that never change, that equal or oppose one another, or that could share a popcount."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding, listed
from bnnedge.analysis.finders.removal import Removal
from bnnedge.analysis.finders.rows import WeightRows, group_rows, repeated
from bnnedge.analysis.finders.signals import LayerFacts
from bnnedge.packed.weights import BitTensor

__all__ = ["alike_rows", "constant_neurons", "equal_neurons", "shared_popcounts"]

DUPLICATE, COMPLEMENTARY, SAME_WEIGHTS = "duplicate-neurons", "complementary-neurons", "same-weights"


def constant_neurons(facts: LayerFacts, plan: Removal, consumer: LayerFacts | None) -> Iterator[Finding]:
    """Neurons whose threshold no sum reaches, or every sum, one by one; of the last layer, constant scores.

    Args:
        facts: of the layer.
        plan: what becomes of its neurons.
        consumer: the next layer; None for the last.
    """
    layer = facts.layer
    for neuron in np.flatnonzero(facts.outputs.constant).tolist():
        removable = not plan.kept[neuron]
        if layer.thresholds is None:
            message = f"class {neuron} of {layer.name} scores {facts.low[neuron]} whatever the input is"
        else:
            comparison = ">=" if layer.thresholds.directions[neuron] > 0 else "<="
            threshold = layer.thresholds.values[neuron] * layer.thresholds.directions[neuron]
            message = (
                f"neuron {neuron} of {layer.name} is always {facts.outputs.signs[neuron]:+d}: its sum stays "
                f"within {facts.low[neuron]} … {facts.high[neuron]}, and it fires at {comparison} {threshold}"
                + ("" if removable else f"; it stays, {_why_kept(consumer)}")
            )
        saves = "a neuron: its XNORs, popcount and comparator"
        yield Finding(
            kind="constant-neuron",
            layer=layer.name,
            neurons=(neuron,),
            message=message,
            saves=saves if removable else f"{saves}, a wired constant in their place",
            weight_bits=layer.inputs if removable else 0,
            keeps_function=removable,
        )


def equal_neurons(facts: LayerFacts, plan: Removal, consumer: LayerFacts | None) -> Iterator[Finding]:
    """Neurons that compute the same function, or opposite ones; of the last layer, scores.

    Args:
        facts: of the layer.
        plan: what becomes of its neurons.
        consumer: the next layer; None for the last.
    """
    layer, signs = facts.layer, facts.outputs.signs
    for group in repeated(facts.outputs.classes):
        if facts.outputs.constant[group[0]]:
            continue
        opposite = bool((signs[group] != signs[group[0]]).any())
        kind = COMPLEMENTARY if opposite and group.size == 2 else DUPLICATE
        going = int(np.count_nonzero(~plan.kept[group]))
        fate = _fate(group.size, going, consumer) if plan.live.any() else ": no score depends on them"
        yield Finding(
            kind=kind,
            layer=layer.name,
            neurons=tuple(group.tolist()),
            message=_equal(facts, group, opposite) + fate,
            saves=f"{_counted(group.size - 1, 'popcount')} and what follows: one output wired to "
            f"{group.size} places{', inverted where opposite' * opposite}",
            weight_bits=going * (layer.inputs + (consumer.layer.outputs if consumer else 0)),
            keeps_function=going > 0,
        )


def shared_popcounts(facts: LayerFacts) -> Iterator[Finding]:
    """Neurons of the same weights up to complement that are not all one function."""
    layer, popcounts = facts.layer, facts.popcounts
    changing = ~facts.outputs.constant
    for group in repeated(np.where(changing, popcounts.firsts, -1)):
        if not changing[group[0]] or (facts.outputs.classes[group] == facts.outputs.classes[group[0]]).all():
            continue
        opposite = bool((popcounts.signs[group] != popcounts.signs[group[0]]).any())
        pair = opposite and group.size == 2
        relation = "complementary weights" if pair else f"the same weights{' up to complement' * opposite}"
        yield Finding(
            kind=COMPLEMENTARY if pair else SAME_WEIGHTS,
            layer=layer.name,
            neurons=tuple(group.tolist()),
            message=f"neurons {listed(group.tolist())} of {layer.name} have {relation} and different "
            "thresholds: count once and compare with each",
            saves=_counted(group.size - 1, "popcount"),
            weight_bits=0,
            keeps_function=False,
        )


def alike_rows(tensor: BitTensor) -> Iterator[Finding]:
    """Neurons or filters whose weight bits are the same or complementary, thresholds unknown."""
    noun = "filters" if tensor.is_convolution else "neurons"
    groups = group_rows(WeightRows.of(tensor.matrix))
    for group in repeated(groups.firsts):
        opposite = bool((groups.signs[group] < 0).any())
        pair = opposite and group.size == 2
        relation = "complementary weights" if pair else f"the same weights{' up to complement' * opposite}"
        yield Finding(
            kind=COMPLEMENTARY if pair else DUPLICATE,
            layer=tensor.name,
            neurons=tuple(group.tolist()),
            message=f"{noun} {listed(group.tolist())} of {tensor.name} have {relation}: one popcount serves "
            "them; whether they are one function, thresholds tell, which the file's weights alone do not",
            saves=_counted(group.size - 1, "popcount"),
            weight_bits=0,
            keeps_function=False,
        )


def _equal(facts: LayerFacts, group: NDArray[np.intp], opposite: bool) -> str:
    what, does = ("classes", "score") if facts.layer.thresholds is None else ("neurons", "put out")
    relation = "opposite values" if opposite and group.size == 2 else "the same"
    extent = " up to sign" * (opposite and group.size > 2)
    return f"{what} {listed(group.tolist())} of {facts.layer.name} always {does} {relation}{extent}"


def _why_kept(consumer: LayerFacts | None) -> str:
    if consumer is None or consumer.layer.thresholds is not None:
        return "as a layer has at least one neuron"
    return f"as {consumer.layer.name} has no thresholds to take it in, and a float32 head would round"


def _fate(copies: int, going: int, consumer: LayerFacts | None) -> str:
    if consumer is None:
        return ""
    if going == copies:
        return f": they cancel in {consumer.layer.name}, and all can go"
    if going:
        return f": {consumer.layer.name} needs {copies - going} of them, its weights being ±1 each"
    return f": share them in hardware; {consumer.layer.name} cannot weigh one 1-bit input {copies}-fold"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
