"""Measures on layers of any size: whole where their cost allows it, on seeded tiles where not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

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
# A matrix lower than a tile gives wider tiles, up to this; less so where cost goes by pairs of columns.
LONGEST_TILE_SIDES: dict[Cost, int] = {"linear": 2**20, "streaming": 4096, "quadratic": 512, "slow": 512}
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
    measures: Iterable[Measure],
    matrix: PackedMatrix,
    seed: int,
    *,
    whole: bool = False,
    blocks: BlockHistogram | None = None,
) -> dict[str, Value]:
    """Measures of a matrix, or their means over seeded tiles where the matrix is too large for their cost.

    Args:
        measures: what to take.
        matrix: of what.
        seed: of the tiles' places.
        whole: take all of the whole matrix, however long that lasts.
        blocks: the matrix's 4x4 histogram, where it is at hand: some measures need nothing else.

    Returns:
        The values by the measures' keys.
    """
    sampled: dict[Cost, tuple[list[PackedMatrix], str]] = {}
    readings: dict[tuple[Callable[[PackedMatrix], Any], Cost], list[Any]] = {}
    values = {}
    for measure in measures:
        if measure.of_blocks and blocks and blocks.blocks and not blocks.bits_dropped:
            values[measure.key] = Value(measure.of_blocks(blocks))
            continue
        cost = measure.cost
        if cost not in sampled:
            sampled[cost] = _sample(matrix, cost, seed, whole)
        parts, note = sampled[cost]
        if shared := measure.shared:
            if (shared.read, cost) not in readings:
                readings[shared.read, cost] = [shared.read(part) for part in parts]
            each = [shared.of(reading) for reading in readings[shared.read, cost]]
        else:
            each = [measure.of(part) for part in parts]
        value = float(np.mean(each))
        values[measure.key] = Value(value, note or ("the layer is too small" if math.isnan(value) else ""))
    return values


def _sample(matrix: PackedMatrix, cost: Cost, seed: int, whole: bool) -> tuple[list[PackedMatrix], str]:
    """The matrix, or tiles of it, and which; nothing to say of a whole one."""
    longest = LONGEST_SIDES.get(cost, math.inf)
    if whole or (matrix.bits <= WHOLE_BITS[cost] and max(matrix.shape) <= longest):
        return [matrix], ""
    tiles = _tiles(matrix, TILE_SIDES[cost], LONGEST_TILE_SIDES[cost], np.random.default_rng(seed))
    size = f"{tiles[0].rows:,} x {tiles[0].columns:,}"
    return tiles, f"mean of {len(tiles)} tiles of {size}" if len(tiles) > 1 else f"of one tile of {size}"


def _tiles(matrix: PackedMatrix, side: int, longest: int, rng: np.random.Generator) -> list[PackedMatrix]:
    """Some windows of at most ``side`` squared bits, starting at whole words so that nothing is repacked.

    A matrix lower (or narrower) than the side gives windows that are wider (or higher), up to the longest.
    """
    words_across = matrix.words.shape[1]
    rows = min(matrix.rows, longest, max(side, side * side // (WORD_BITS * words_across)))
    words = max(1, min(words_across, longest // WORD_BITS, side * side // (WORD_BITS * rows)))
    tiles = []
    for _ in range(TILES if matrix.bits <= HUGE_BITS else 1):
        row = int(rng.integers(matrix.rows - rows + 1))
        word = int(rng.integers(words_across - words + 1))
        columns = min(WORD_BITS * words, matrix.columns - WORD_BITS * word)
        tiles.append(PackedMatrix(matrix.words[row : row + rows, word : word + words], columns))
    return tiles
