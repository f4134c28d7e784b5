"""How fast folded hardware is if nothing is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import starmap
from math import ceil

from bnnedge.hardware.folded.fold import Fold, cycles_of, fold_for, pace_of_ends
from bnnedge.hardware.folded.memories import weight_words
from bnnedge.hardware.folded.order import weights_in_order
from bnnedge.hardware.units import divisors
from bnnedge.packed.model import PackedModel

__all__ = ["default_cycles", "default_folds"]

PRODUCTS = 128  # of the largest layer in a clock cycle, unless a speed is asked for: 8 neurons x 16 inputs
SLOWEST = 1.25  # times the cycles of so many products


def default_folds(model: PackedModel) -> dict[str, Fold]:
    """The folds if nothing is asked for: of paces near the default one, that of least memory times cycles.

    Weights out of banks (:mod:`bnnedge.nets.banks`) are coded where as many inputs are computed at a time as
    a pattern has, or a multiple of it: that is worth a few cycles. Weights that no coding makes smaller take
    as much memory at any pace, so that the default one is the best.
    """
    names = [layer.name for layer in model.layers]
    weights = dict(zip(names, weights_in_order(model), strict=True))

    @cache
    def memory(layer: str, fold: Fold) -> int:
        return weight_words(weights[layer], fold, "smallest").bits

    paces = ((cycles, fold_for(model, cycles)) for cycles in _paces(model))
    return min(paces, key=lambda pace: pace[0] * sum(starmap(memory, pace[1].items())))[1]


def default_cycles(model: PackedModel) -> int:
    """Clock cycles a sample at the default pace: the largest layer does 128 products at a time.

    More where a layer cannot be so fast: a convolution takes one for each pixel of each window.
    """
    fastest = [cycles_of(layer, Fold(layer.outputs, layer.input_shape[0])) for layer in model.layers]
    largest = max(cycles_of(layer, Fold(1, 1)) for layer in model.layers)
    return max(ceil(largest / PRODUCTS), pace_of_ends(model), *fastest)


def _paces(model: PackedModel) -> Iterator[int]:
    """Clock cycles at which another folding fits, from the default pace to the slowest, fastest first."""
    first = default_cycles(model)
    slower = {
        cycles_of(layer, Fold(pe, simd))
        for layer in model.layers
        for pe in divisors(layer.outputs)
        for simd in divisors(layer.input_shape[0])
    }
    yield first
    yield from sorted(cycles for cycles in slower if first < cycles <= SLOWEST * first)
