"""Weights as patterns out of banks: for each few inputs, all neurons' weights are some of a few patterns.

In a clock cycle all neurons look at the same inputs, so that one word holds all patterns that any of them
can take, and each chooses by its own code. A dictionary, which every neuron reads where it wants, needs a
copy for each; a bank is stored once. It is what weights trained with ``[[net.banks]]`` are made of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.hardware.folded.fold import Fold
from bnnedge.hardware.folded.weights import Bits, Weights
from bnnedge.hardware.units import divisors

__all__ = ["smallest_banks"]

# Inputs of a block: fewer save nothing, more do not fit the numbers that stand for blocks here.
NARROWEST, WIDEST = 3, 62


def smallest_banks(weights: Bits, fold: Fold) -> list[Weights]:
    """The smallest memory of banks, of blocks of any width that divides what is computed at a time.

    Args:
        weights: (outputs, inputs), inputs in the order in which they arrive.
        fold: of the layer.

    Returns:
        One memory; none, where no width is to be had.
    """
    widths = [width for width in divisors(fold.simd) if NARROWEST <= width <= WIDEST]
    found = [_banked(weights, fold, width, turns) for width in widths for turns in (False, True)]
    return sorted(found, key=lambda memory: memory.bits)[:1]


def _banked(weights: Bits, fold: Fold, width: int, complements: bool) -> Weights:
    """Banks of blocks of one width; with ``complements`` a pattern stands for its complement, too."""
    outputs, inputs = weights.shape
    blocks = weights.reshape(outputs, inputs // width, width).transpose(1, 0, 2)
    turned = blocks[:, :, 0] & complements
    patterns = blocks ^ turned[:, :, None]
    codes, entries = _numbered(patterns)
    beats, groups = inputs // fold.simd, fold.simd // width
    banks = np.zeros((len(blocks), entries, width), dtype=bool)
    banks[np.arange(len(blocks))[:, None], codes] = patterns
    digits = max(1, (entries - 1).bit_length())
    planes = (codes[:, :, None] >> np.arange(digits) & 1).astype(bool)
    if complements:
        planes = np.concatenate((planes, turned[:, :, None]), axis=2)
    lanes = planes.reshape(beats, groups, outputs // fold.pe, fold.pe, -1).transpose(2, 0, 3, 1, 4)
    return Weights(
        words=lanes.reshape(-1, fold.pe * groups * planes.shape[2]),
        block=(1, width),
        blocks=banks.reshape(beats, -1),
        entries=entries,
        banks=beats,
        complements=complements,
    )


def _numbered(patterns: Bits) -> tuple[NDArray[np.int64], int]:
    """Numbers of (groups, outputs, width) patterns within their groups, and the most that a group has."""
    keys = patterns @ (1 << np.arange(patterns.shape[2], dtype=np.int64))
    order = np.argsort(keys, axis=1, kind="stable")
    ranked = np.take_along_axis(keys, order, axis=1)
    ranks = np.zeros_like(keys)
    ranks[:, 1:] = np.cumsum(ranked[:, 1:] != ranked[:, :-1], axis=1)
    codes = np.empty_like(keys)
    np.put_along_axis(codes, order, ranks, axis=1)
    return codes, int(ranks.max()) + 1
