"""A layer as a module: the ways to build its sums, and the one that costs least."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.unrolled.circuit import Circuit, Number
from bnnedge.hardware.unrolled.groups import group_neurons, group_sums
from bnnedge.hardware.unrolled.matrices import LayerMatrix
from bnnedge.hardware.unrolled.popcount import LONG_CHAIN, Weaver, terms_of
from bnnedge.hardware.unrolled.trees import Weights, spanning_tree

__all__ = ["Built", "Sums", "best_layer", "nonzero"]

Sums = list[tuple[Number, bool]]
"""Each neuron's sum, and whether it is that of its complement."""

GROUP_SIZES = (3, 4, 5, 6)
HOPS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Built:
    """One way to build a layer's sums.

    Attributes:
        method: in words.
        circuit: statements and costs.
        sums: what the neurons compare, or give.
        modules: SystemVerilog of modules that the statements use.
    """

    method: str
    circuit: Circuit
    sums: Sums
    modules: str = ""

    @property
    def depth(self) -> int:
        """Adders and compressors, one after another."""
        return max(number.level for number, _ in self.sums)


def best_layer(name: str, matrix: LayerMatrix, max_depth: int | None) -> Built:
    """The cheapest way to build a layer, of those that are not deeper than asked for.

    Raises:
        UnsupportedError: none is as shallow as that.
    """
    best, least = None, sys.maxsize
    for way in _ways(matrix, max_depth):
        built = way()
        least = min(least, built.depth)
        if (max_depth is None or built.depth <= max_depth) and (
            best is None or built.circuit.cost < best.circuit.cost
        ):
            best = built
    if best is None:
        raise UnsupportedError(
            f"layer {name} cannot be built with {max_depth} adders one after another",
            f"the least is {least}: raise --max-depth",
        )
    return best


def _ways(matrix: LayerMatrix, max_depth: int | None) -> Iterator[Callable[[], Built]]:
    """Trees with and without Steiner points, groups, neurons alone; shallower ones where asked for."""
    shapes = [(LONG_CHAIN, True)]
    hops = [len(matrix.weights)]
    if max_depth is not None:
        shapes += [(chain, False) for chain in range(LONG_CHAIN + 1)]
        hops += [limit for limit in HOPS if limit < hops[0]]
    for chain, serial in shapes:
        yield partial(_alone, matrix, chain, serial)
        for limit in hops:
            for shared in (False, True):
                yield partial(_tree, matrix, chain, serial, limit, shared)
        if (np.abs(matrix.weights) == 1).all():
            for size in GROUP_SIZES:
                if size <= len(matrix.weights):
                    yield partial(_groups, matrix, chain, serial, size)


def _alone(matrix: LayerMatrix, chain: int, serial: bool) -> Built:
    weaver = Weaver(Circuit(matrix.sum_bits), chain, serial)
    sums: Sums = []
    for neuron, weights in enumerate(matrix.weights):
        weaver.circuit.comment(f"Neuron {neuron}, by itself.")
        sums.append((weaver.sum(f"neuron{neuron}", terms_of(nonzero(weights), matrix.planes)), False))
    return Built("neurons by themselves", weaver.circuit, sums)


def _tree(matrix: LayerMatrix, chain: int, serial: bool, hops: int, shared: bool) -> Built:
    weaver = Weaver(Circuit(matrix.sum_bits), chain, serial)
    tree = spanning_tree(matrix.weights, hops, shared=shared)
    numbers: dict[int, Number] = {}
    for node in tree.order:
        parent = int(tree.parents[node])
        own, name = tree.weights[node], _node(node, len(matrix.weights))
        wanted = own if parent < 0 else own - tree.weights[parent]
        changes = nonzero(wanted)
        origin = "from nothing" if parent < 0 else f"from {_node(parent, len(matrix.weights))}"
        turned = ", complemented" if tree.complemented[node] else ""
        weaver.circuit.comment(f"{name}{turned}: {origin}, {len(changes)} inputs.")
        numbers[node] = weaver.sum(name, terms_of(changes, matrix.planes), numbers.get(parent))
    points = len(tree.order) - len(matrix.weights)
    method = f"spanning tree, {points} Steiner points" if points else "spanning tree"
    return Built(
        method, weaver.circuit, [(numbers[j], bool(tree.complemented[j])) for j in range(len(matrix.weights))]
    )


def _groups(matrix: LayerMatrix, chain: int, serial: bool, size: int) -> Built:
    weaver = Weaver(Circuit(matrix.sum_bits), chain, serial)
    sums: dict[int, tuple[Number, bool]] = {}
    for group in group_neurons(matrix.weights, size):
        weaver.circuit.comment(f"Neurons {', '.join(map(str, group))}.")
        made = group_sums(weaver, f"group{group[0]}", matrix.weights[group], matrix.planes)
        sums.update(zip(group, made, strict=True))
    return Built(f"groups of {size} neurons", weaver.circuit, [sums[j] for j in range(len(sums))])


def _node(node: int, neurons: int) -> str:
    return f"neuron{node}" if node < neurons else f"shared{node - neurons}"


def nonzero(weights: Weights) -> dict[int, int]:
    """The weights that are not 0, by input."""
    return {int(position): int(weights[position]) for position in np.flatnonzero(weights)}
