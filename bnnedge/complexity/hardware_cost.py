"""Hardware complexity: the LUTs that a layer is expected to take, from its shape and its spanning tree.

An unrolled layer builds each neuron's popcount from another's (:mod:`bnnedge.hardware.unrolled`), so its LUTs
follow the corrections along the minimum spanning tree between neurons, and the popcount of the tree's root:

    log LUTs = constant + tree · log(T + inputs) + neurons · log(neurons) + inputs · log(inputs)

with T the weight of the tree. Other measures, the numbers of distinct aligned patterns among them, explain
next to nothing of what is left. ``scripts/fit_hardware_term`` fits the table below to the generator's
estimates for matrices of many kinds, prints how well it fits, and checks it against Yosys.
"""

from __future__ import annotations

import math

from bnnedge.complexity.measure import Measure, Shared
from bnnedge.complexity.spanning import NeuronTree, neuron_tree
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["COEFFICIENTS", "MEASURES", "hardware_luts", "shape_factor"]

COEFFICIENTS = {"constant": -0.85, "tree": 0.886, "neurons": 0.087, "inputs": 0.139}
"""Of the model above, as scripts/fit_hardware_term prints them: exponents, and the logarithm of a factor."""


def shape_factor(neurons: int, inputs: int) -> float:
    """LUTs of a layer over ``(T + inputs)**COEFFICIENTS["tree"]``."""
    table = COEFFICIENTS
    return math.exp(
        table["constant"] + table["neurons"] * math.log(neurons) + table["inputs"] * math.log(inputs)
    )


def hardware_luts(matrix: PackedMatrix) -> float:
    """Expected LUTs of an unrolled dense layer of (neurons, inputs) weights; NaN without weights."""
    return _luts(neuron_tree(matrix))


def _luts(tree: NeuronTree) -> float:
    if not tree.neurons * tree.inputs:
        return math.nan
    corrections = tree.weight + tree.inputs
    return shape_factor(tree.neurons, tree.inputs) * float(corrections ** COEFFICIENTS["tree"])


MEASURES = (
    Measure(
        key="hardware_luts",
        header="Hardware\ncomplexity",
        unit="LUTs",
        cost="quadratic",
        meaning="LUTs that the layer, unrolled, is expected to take: its spanning tree, in logic",
        of=hardware_luts,
        format=",.0f",
        shared=Shared(neuron_tree, _luts),
    ),
)
