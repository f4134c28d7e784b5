"""Neurons and filters that never change, that equal or oppose one another, or that could share a popcount."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding, listed, noun_of, places_of
from bnnedge.analysis.finders.removal import Removal
from bnnedge.analysis.finders.rows import RowGroups, WeightRows, group_rows, repeated
from bnnedge.analysis.finders.signals import LayerFacts
from bnnedge.packed.layer import PackedLayer
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
                f"{noun_of(layer)} {neuron} of {layer.name} is always {facts.outputs.signs[neuron]:+d}: its "
                f"sum stays within {facts.low[neuron]} … {facts.high[neuron]}, and it fires at {comparison} "
                f"{threshold}" + ("" if removable else f"; it stays, {_why_kept(facts, neuron, consumer)}")
            )
        saves = f"a {noun_of(layer)}: its XNORs, popcount and comparator{places_of(layer)}"
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
        going = int(np.count_nonzero(~plan.kept[group]))
        fate = _fate(layer, group, going, consumer) if plan.live.any() else ": no score depends on them"
        yield Finding(
            kind=COMPLEMENTARY if opposite and group.size == 2 else DUPLICATE,
            layer=layer.name,
            neurons=tuple(group.tolist()),
            message=_equal(facts, group, opposite) + fate,
            saves=f"{_counted(group.size - 1, 'popcount')}{places_of(layer)} and what follows: one output "
            f"wired to {group.size} places{', inverted where opposite' * opposite}",
            weight_bits=going
            * (layer.inputs + (consumer.pixels * consumer.layer.outputs if consumer else 0)),
            keeps_function=going > 0,
        )


def shared_popcounts(facts: LayerFacts) -> Iterator[Finding]:
    """Neurons of the same weights up to complement that are not all one function."""
    layer, changing = facts.layer, ~facts.outputs.constant
    for group in repeated(np.where(changing, facts.popcounts.firsts, -1)):
        one_function = (facts.outputs.classes[group] == facts.outputs.classes[group[0]]).all()
        if changing[group[0]] and not one_function:
            advice = " and different thresholds: count once and compare with each"
            names = f"{noun_of(layer)}s", layer.name, advice, places_of(layer)
            yield _one_popcount(facts.popcounts, group, SAME_WEIGHTS, *names)


def alike_rows(tensor: BitTensor) -> Iterator[Finding]:
    """Neurons or filters whose weight bits are the same or complementary, thresholds unknown."""
    noun = "filters" if tensor.is_convolution else "neurons"
    groups = group_rows(WeightRows.of(tensor.matrix))
    advice = (
        ": one popcount serves them; whether they are one function, thresholds tell, which the file's "
        "weights alone do not"
    )
    for group in repeated(groups.firsts):
        yield _one_popcount(groups, group, DUPLICATE, noun, tensor.name, advice)


def _one_popcount(
    rows: RowGroups, group: NDArray[np.intp], kind: str, noun: str, layer: str, advice: str, places: str = ""
) -> Finding:
    """Rows that are the same up to complement; ``kind`` is what they are where they are no opposite pair."""
    opposite = bool((rows.signs[group] != rows.signs[group[0]]).any())
    pair = opposite and group.size == 2
    relation = "complementary weights" if pair else f"the same weights{' up to complement' * opposite}"
    return Finding(
        kind=COMPLEMENTARY if pair else kind,
        layer=layer,
        neurons=tuple(group.tolist()),
        message=f"{noun} {listed(group.tolist())} of {layer} have {relation}{advice}",
        saves=_counted(group.size - 1, "popcount") + places,
        weight_bits=0,
        keeps_function=False,
    )


def _equal(facts: LayerFacts, group: NDArray[np.intp], opposite: bool) -> str:
    last = facts.layer.thresholds is None
    what, does = ("classes", "score") if last else (f"{noun_of(facts.layer)}s", "put out")
    relation = "opposite values" if opposite and group.size == 2 else "the same"
    extent = " up to sign" * (opposite and group.size > 2)
    return f"{what} {listed(group.tolist())} of {facts.layer.name} always {does} {relation}{extent}"


def _why_kept(facts: LayerFacts, neuron: int, consumer: LayerFacts | None) -> str:
    if consumer is not None and not consumer.channels.constant[neuron]:
        return f"as {consumer.layer.name} sees −1 in its place where it pads"
    if consumer is None or consumer.layer.thresholds is not None:
        return f"as a layer has at least one {noun_of(facts.layer)}"
    return f"as {consumer.layer.name} has no thresholds to take it in, and a float32 head would round"


def _fate(layer: PackedLayer, group: NDArray[np.intp], going: int, consumer: LayerFacts | None) -> str:
    if consumer is None:
        return ""
    following = consumer.layer.name
    if going == group.size:
        return f": they cancel in {following}, and all can go"
    if going:
        return f": {following} needs {group.size - going} of them, its weights being ±1 each"
    if np.unique(consumer.channels.classes[group]).size > 1:
        parted = "max-pooling" if layer.convolution and layer.convolution.pool > 1 else "padding"
        return f": count once; {parted} makes different inputs of {following} of them"
    return f": share them in hardware; {following} cannot weigh one 1-bit input {group.size}-fold"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
