"""A layer's weights as a memory holds them: as they are, or as codes of blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.hardware.folded.fold import Fold

__all__ = ["Bits", "Weights", "blocked"]

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Weights:
    """A layer's weights as a memory holds them.

    Attributes:
        words: (depth, bits) booleans, lowest bit first: weights, or codes of blocks.
        block: (neurons, inputs) of a block; of plain weights, what is computed at a time.
        blocks: (words, bits) of the memory of blocks: a dictionary, an entry a word, or banks, for each group
            of inputs that are computed at a time the entries of all its blocks; None: weights are plain.
        entries: that a code chooses from; 0 where weights are plain.
        copies: of the memory of blocks, since a code of a dictionary may be any other's entry.
        banks: groups of inputs that have entries of their own; 0: a dictionary, or none.
        complements: whether a code has one more bit, its highest, for the complement of its entry.
    """

    words: Bits
    block: tuple[int, int]
    blocks: Bits | None = None
    entries: int = 0
    copies: int = 1
    banks: int = 0
    complements: bool = False

    @property
    def bits(self) -> int:
        """Size of the memories, every copy of a dictionary counted."""
        return self.words.size + (0 if self.blocks is None else self.copies * self.blocks.size)


def blocked(weights: Bits, fold: Fold, block: tuple[int, int]) -> Bits:
    """(depth, bits): for each group of neurons, for each group of inputs, block by block, row by row."""
    outputs, inputs = weights.shape
    high, wide = block
    axes = (outputs // fold.pe, fold.pe // high, high, inputs // fold.simd, fold.simd // wide, wide)
    return weights.reshape(axes).transpose(0, 3, 1, 4, 2, 5).reshape(-1, fold.pe * fold.simd)
