"""What the paper did not control: other measures of the same bits, and the same measure in other orders.

A permutation of the pixels, the same through a whole run, with that of the first layer's columns leaves every
function that the network ever was as it is; so does one of a layer's neurons with that of the next layer's
columns. A measure of the function should not care. Block entropy of 4x4 blocks is close to the logarithm of
the number of blocks in networks of this size, whatever they learnt: smaller blocks leave it room to move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.compressors import zlib_per_bit
from bnnedge.complexity.entropy import block_entropy_of, entropy_of_share
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.lz76 import lz76_normalised
from bnnedge.complexity.neighbours import agreement_inputs
from bnnedge.complexity.nulls import score_nulls
from bnnedge.complexity.seriation import seriated_bdm
from bnnedge.complexity.small_blocks import small_block_histogram
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.studies.series import RunSeries

__all__ = ["CONTROLS", "SIGNED", "controlled"]

# Matrices drawn from a null model, for a z-score; fixed, so that a score changes with the weights alone.
_DRAWS, _SEED = 30, 0

Layers = Sequence[PackedMatrix]
Orders = Sequence[NDArray[np.intp]]


def _pooled(
    layers: Layers, count: Callable[[PackedMatrix], BlockHistogram] = block_histogram
) -> BlockHistogram:
    return reduce(add, map(count, layers))


def _reordered(layers: Layers, orders: Orders) -> list[PackedMatrix]:
    """Layers whose pixels and neurons are put in an order each; that of the classes stays."""
    return [
        PackedMatrix.from_bits(layer.to_bits()[np.ix_(rows, columns)])
        for layer, columns, rows in zip(layers, orders[:-1], orders[1:], strict=True)
    ]


def _pixels_alone(orders: Orders) -> Orders:
    return [orders[0], *(np.arange(len(order)) for order in orders[1:])]


def _neurons_alone(orders: Orders) -> Orders:
    return [np.arange(len(orders[0])), *orders[1:]]


def _z(first: PackedMatrix, null: str) -> float:
    scores = score_nulls(first, first_layer=True, draws=_DRAWS, seed=_SEED)
    (score,) = [one for one in scores if (one.null, one.measure) == (null, "bdm_bits")]
    return score.z


CONTROLS: Mapping[str, Callable[[Layers, Orders], float]] = {
    "BDM": lambda layers, _: bdm_of(_pooled(layers)),
    "BDM, first layer": lambda layers, _: bdm_of(block_histogram(layers[0])),
    "BDM, other layers": lambda layers, _: bdm_of(_pooled(layers[1:])),
    "BDM, pixels permuted": lambda layers, orders: bdm_of(_pooled(_reordered(layers, _pixels_alone(orders)))),
    "BDM, neurons permuted": lambda layers, orders: bdm_of(
        _pooled(_reordered(layers, _neurons_alone(orders)))
    ),
    "BDM's z beside shuffles, first layer": lambda layers, _: _z(layers[0], "shuffle"),
    "BDM's z beside other pixels, first layer": lambda layers, _: _z(layers[0], "inputs"),
    "BDM, seriated": lambda layers, _: sum(map(seriated_bdm, layers)),
    "block entropy 4x4": lambda layers, _: block_entropy_of(_pooled(layers)),
    "block entropy 2x2": lambda layers, _: block_entropy_of(
        _pooled(layers, lambda layer: small_block_histogram(layer, (2, 2)))
    ),
    "block entropy 1x4": lambda layers, _: block_entropy_of(
        _pooled(layers, lambda layer: small_block_histogram(layer, (1, 4)))
    ),
    "bit entropy": lambda layers, _: entropy_of_share(
        sum(layer.ones for layer in layers) / sum(layer.bits for layer in layers)
    ),
    "neighbours agree, first layer": lambda layers, _: agreement_inputs(layers[0]),
    "LZ76, first layer": lambda layers, _: lz76_normalised(layers[0]),
    "zlib, first layer": lambda layers, _: zlib_per_bit(layers[0]),
}
"""Measures of a network's layers, by name; the orders, of the pixels and then of each layer's neurons, are
those that a permuted one uses."""


SIGNED = frozenset(name for name in CONTROLS if "'s z " in name)
"""Those that are below 0, of which no logarithm is taken."""


def controlled(run: RunSeries, widths: Sequence[int], epochs: int) -> dict[str, NDArray[np.float64]]:
    """Every control of a run's weight bits at the ends of its first epochs.

    Args:
        run: the run.
        widths: of the input, the hidden layers and the output.
        epochs: how many.

    Returns:
        (epochs,) by the name of the control.
    """
    rng = np.random.default_rng((run.seed, 4))
    orders = [*map(rng.permutation, widths[:-1]), np.arange(widths[-1])]
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    states = [run.weights(epoch, shapes) for epoch in range(1, epochs + 1)]
    return {
        name: np.array([measure(layers, orders) for layers in states]) for name, measure in CONTROLS.items()
    }
