"""What can be done to a trained network for nothing: baselines of reproduce_complexity_to_hardware.

None of them trains. ``free inputs`` computes what the network computed, for all training samples; the other
two keep of each layer's blocks of weights no more than so many different ones, as a folded engine's
dictionary has to, and change what it computes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.hardware.folded import Fold, default_folds
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["derived", "free_inputs", "most_frequent", "motif_bank", "projected"]

Bits = NDArray[np.bool_]
Blocks = NDArray[np.float32]
Bank = Callable[[Blocks, int], Blocks]

ROUNDS = 20


def derived(model: PackedModel, family: str, entries: int, samples: NDArray[np.uint8]) -> PackedModel:
    """What a baseline makes of a network.

    Args:
        model: of dense layers.
        family: in complexity_arms.DERIVED.
        entries: of the bank of a layer, if the baseline has one.
        samples: (samples, features) to learn from.
    """
    if family == "free inputs":
        return free_inputs(model, samples)
    return projected(model, entries, {"projected": motif_bank, "subset": most_frequent}[family])


def free_inputs(model: PackedModel, samples: NDArray[np.uint8]) -> PackedModel:
    """The first layer's weights of inputs that never change made equal, or opposite, over neurons.

    The sums that this changes change by a constant, which thresholds take up. Whether a neuron gets weights
    +1 or −1 follows the spanning tree, which compares neurons up to complement.

    Args:
        model: of dense layers; a hidden one at least.
        samples: (samples, features), for which the network computes what it did.
    """
    layer = model.layers[0]
    encoded = model.encoding.encode(samples).reshape(len(samples), -1)
    constant = (encoded == encoded[0]).all(axis=0)
    if layer.thresholds is None or layer.convolution is not None or not constant.any() or constant.all():
        return model
    signs = layer.weights.to_signs().astype(np.int32)
    tree = minimum_spanning_tree(PackedMatrix.from_signs(signs[:, ~constant]))
    made = signs.copy()
    made[:, constant] = _orientations(tree.parents, tree.complemented)[:, None]
    inputs = np.where(encoded[0], 1, -1)[constant]
    moved = (made - signs)[:, constant] @ inputs
    values = layer.thresholds.values + layer.thresholds.directions * moved
    bound = layer.inputs
    # A bound that no sum can reach, or all sums do, stays one.
    thresholds = Thresholds(np.clip(values, -bound, bound + 2).astype(np.int32), layer.thresholds.directions)
    changed = dataclasses.replace(layer, weights=PackedMatrix.from_signs(made), thresholds=thresholds)
    return dataclasses.replace(model, layers=(changed, *model.layers[1:]))


def _orientations(parents: NDArray[np.int64], complemented: Bits) -> NDArray[np.int32]:
    """+1 for neurons that are compared with the root as they are, −1 for complemented ones."""
    found = np.zeros(len(parents), dtype=np.int32)
    found[parents < 0] = 1
    while (found == 0).any():
        reached = (found == 0) & (found[parents] != 0)
        found[reached] = np.where(complemented[reached], -1, 1) * found[parents[reached]]
    return found


def projected(model: PackedModel, entries: int, bank: Bank) -> PackedModel:
    """Each block of one neuron's inputs, as wide as the folded engine reads, replaced by the bank's nearest.

    Args:
        model: of dense layers.
        entries: of the bank of a layer, at most.
        bank: makes it of the layer's blocks.
    """
    folds = default_folds(model)
    layers = []
    for layer in model.layers:
        signs = layer.weights.to_signs().astype(np.float32)
        blocks = signs.reshape(-1, _width(folds, layer.name))
        if len(np.unique(blocks, axis=0)) > entries:
            motifs = bank(blocks, entries)
            blocks = motifs[(blocks @ motifs.T).argmax(axis=1)]
        weights = PackedMatrix.from_signs(blocks.reshape(signs.shape))
        layers.append(dataclasses.replace(layer, weights=weights))
    return dataclasses.replace(model, layers=tuple(layers))


def _width(folds: Mapping[str, Fold], layer: str) -> int:
    return folds[layer].simd


def motif_bank(blocks: Blocks, entries: int) -> Blocks:
    """Blocks that are nearest to all: k-medians of bits, from the most frequent blocks on.

    As MoMos (arXiv 2602.14896) projects on a bank that it learns.

    Args:
        blocks: (blocks, width) of −1 and +1.
        entries: of the bank.
    """
    bank = most_frequent(blocks, entries)
    for _ in range(ROUNDS):
        nearest = (blocks @ bank.T).argmax(axis=1)
        sums = np.zeros_like(bank)
        np.add.at(sums, nearest, blocks)
        moved = np.where(sums == 0, bank, np.sign(sums)).astype(np.float32)
        if (moved == bank).all():
            break
        bank = moved
    return bank


def most_frequent(blocks: Blocks, entries: int) -> Blocks:
    """The most frequent blocks: a subset of all patterns, as in Sub-bit networks (Wang et al. 2021)."""
    found, counts = np.unique(blocks, axis=0, return_counts=True)
    kept: Blocks = found[np.argsort(-counts, kind="stable")[:entries]]
    return kept
