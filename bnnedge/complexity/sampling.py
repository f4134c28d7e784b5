"""Measures on layers of any size: whole where their cost allows it, on seeded tiles where not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bnnedge.complexity.histogram import BlockHistogram
from bnnedge.complexity.measure import Cost, Measure
from bnnedge.packed.bits import WORD_BITS
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Value", "take"]

# Bits up to which a measure of each cost is taken of a whole layer, and the side of the tiles beyond that:
# about a second a layer at most.
WHOLE_BITS: dict[Cost, float] = {"linear": math.inf, "streaming": 2**22, "quadratic": 2**22, "slow": 2**16}
TILE_SIDES: dict[Cost, int] = {"linear": 2**20, "streaming": 1024, "quadratic": 512, "slow": 256}
# Sides beyond which pairs of rows or columns are too many, however few the bits: 10 x 18,000, say.
LONGEST_SIDES: dict[Cost, int] = {"quadratic": 4096, "slow": 4096}
TILES = 4
HUGE_BITS = 2**26  # beyond this one tile has to do, so that an audit stays near the time of reading the file


@dataclass(frozen=True)
class Value:
    """One measure of one layer.

    Attributes:
        value: the number; NaN where there is none.
        note: why it is NaN, or on which tiles it was taken; empty for a whole layer's value.
    """

    value: float
    note: str = ""

    def to_dict(self) -> dict[str, float | str | None]:
        """Plain values for JSON; a NaN becomes None, and ``note`` says why."""
        return {"value": None if math.isnan(self.value) else self.value, "note": self.note}


def take(
    measure: Measure,
    matrix: PackedMatrix,
    seed: int,
    *,
    whole: bool = False,
    blocks: BlockHistogram | None = None,
) -> Value:
    """The measure of a matrix, or its mean over seeded tiles where the matrix is too large for its cost.

    Args:
        measure: what to take.
        matrix: of what.
        seed: of the tiles' places.
        whole: take it of the whole matrix, however long that lasts.
        blocks: the matrix's 4x4 histogram, where it is at hand: some measures need nothing else.
    """
    if measure.of_blocks is not None and blocks is not None and blocks.blocks and not blocks.bits_dropped:
        return Value(measure.of_blocks(blocks))
    longest = LONGEST_SIDES.get(measure.cost, math.inf)
    if whole or (matrix.bits <= WHOLE_BITS[measure.cost] and max(matrix.shape) <= longest):
        value = measure.of(matrix)
        return Value(value, "the layer is too small" if math.isnan(value) else "")
    tiles = _tiles(matrix, TILE_SIDES[measure.cost], np.random.default_rng(seed))
    size = f"{tiles[0].rows:,} x {tiles[0].columns:,}"
    note = f"mean of {len(tiles)} tiles of {size}" if len(tiles) > 1 else f"of one tile of {size}"
    return Value(float(np.mean([measure.of(tile) for tile in tiles])), note)


def _tiles(matrix: PackedMatrix, side: int, rng: np.random.Generator) -> list[PackedMatrix]:
    """Some windows of at most ``side`` squared bits, starting at whole words so that nothing is repacked.

    A matrix lower (or narrower) than the side gives windows that are wider (or higher), up to four sides.
    """
    words_across = matrix.words.shape[1]
    rows = min(matrix.rows, 4 * side, max(side, side * side // (WORD_BITS * words_across)))
    words = max(1, min(words_across, 4 * side // WORD_BITS, side * side // (WORD_BITS * rows)))
    tiles = []
    for _ in range(TILES if matrix.bits <= HUGE_BITS else 1):
        row = int(rng.integers(matrix.rows - rows + 1))
        word = int(rng.integers(words_across - words + 1))
        columns = min(WORD_BITS * words, matrix.columns - WORD_BITS * word)
        tiles.append(PackedMatrix(matrix.words[row : row + rows, word : word + words], columns))
    return tiles
