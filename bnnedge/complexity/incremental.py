"""A block histogram that follows a matrix while it changes: only the blocks that changed are counted again.

Between two steps of training few bits flip. Finding them reads both matrices once, which is most of the work,
unless the caller knows which rows changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnedge.complexity.histogram import BlockHistogram, block_histogram, codes_in_place
from bnnedge.errors import DataError
from bnnedge.packed.bits import WORD_BITS, Words, pack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["IncrementalHistogram"]

# Quads of words, one above the other, to work on at a time: what one operation leaves for the next stays in
# the L2 cache.
_SLICE_QUADS = 1 << 12


class IncrementalHistogram:
    """The 4x4 block histogram, boundary ``ignore``, of a matrix that changes.

    It equals ``block_histogram`` of the last matrix it was shown. It keeps a copy of the words, so that
    whoever trains may write over the matrix that was handed in.

    >>> tracked = IncrementalHistogram(PackedMatrix.from_bits(np.zeros((8, 8), dtype=bool)))
    >>> tracked.update(PackedMatrix.from_bits(np.eye(8, dtype=bool)))
    2
    >>> tracked.histogram.distinct
    2
    """

    def __init__(self, matrix: PackedMatrix) -> None:
        self._shape = matrix.shape
        self._quads = _quads(matrix).copy()
        counted = block_histogram(matrix)
        self._counts = counted.counts[4, 4]
        self._kept, self._dropped = counted.bits_kept, counted.bits_dropped

    @property
    def histogram(self) -> BlockHistogram:
        """The present counts; later updates leave them alone."""
        return BlockHistogram({(4, 4): self._counts.copy()}, self._kept, self._dropped)

    def update(self, new: PackedMatrix, rows: ArrayLike | None = None) -> int:
        """Make the histogram that of ``new``.

        Args:
            new: the matrix as it is now, of the shape it had.
            rows: the rows in which anything may have changed, if the caller knows: no others are looked at.

        Returns:
            Number of blocks that changed.

        Raises:
            DataError: the shape is another, or there is no such row.
        """
        if new.shape != self._shape:
            raise DataError(
                f"cannot follow a matrix of shape {self._shape} with one of shape {new.shape}",
                "start a histogram of its own for each layer",
            )
        old, quads = self._quads, _quads(new)
        if rows is None:
            return self._recount(old, quads)
        bands = self._bands(rows)
        changed = self._recount(old[bands], quads[bands])
        old[bands] = quads[bands]
        return changed

    def _bands(self, rows: ArrayLike) -> NDArray[np.intp]:
        """The bands of four rows that hold some of the rows."""
        chosen = np.asarray(rows, dtype=np.intp).reshape(-1)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < self._shape[0]:
            raise DataError(
                f"no rows {chosen.min()} to {chosen.max()} in a matrix of {self._shape[0]} rows",
                "count rows from 0",
            )
        bands = np.unique(chosen // 4)
        return bands[bands < len(self._quads)]

    def _recount(self, old: Words, new: Words) -> int:
        """Move the blocks in which (bands, 4, words) differ to their new counts, and the words to ``old``."""
        differ = old != new
        places = np.flatnonzero(differ[:, 0] | differ[:, 1] | differ[:, 2] | differ[:, 3])
        changed = 0
        for start in range(0, places.size, _SLICE_QUADS):
            changed += self._recount_at(
                places[start : start + _SLICE_QUADS], old.reshape(-1), new.reshape(-1)
            )
        return changed

    def _recount_at(self, places: NDArray[np.intp], old: Words, new: Words) -> int:
        width = self._quads.shape[2]
        band, word = np.divmod(places, width)
        rows = 4 * width * band + word + width * np.arange(4)[:, None]
        fields = np.empty((4, 2, places.size), dtype=np.uint64)
        fields[:, 0], fields[:, 1] = old.take(rows), new.take(rows)
        old[rows] = fields[:, 1]
        if self._shape[1] % 4:
            # The last 1 to 3 columns are in no block; padding is the same in both, and so never counts.
            in_blocks = np.arange(WORD_BITS) < self._shape[1] // 4 * 4 - WORD_BITS * (width - 1)
            fields[..., word == width - 1] &= pack_bits(in_blocks)[0]
        codes = codes_in_place(fields, np.empty(fields.size // 2, dtype=np.uint64))
        before, after = codes[:, 0].ravel(), codes[:, 1].ravel()
        moved = np.flatnonzero(before != after)
        np.subtract.at(self._counts, before[moved].astype(np.intp), 1)
        np.add.at(self._counts, after[moved].astype(np.intp), 1)
        return moved.size


def _quads(matrix: PackedMatrix) -> Words:
    """(bands, 4, words) view of the rows that are in bands of four."""
    bands = matrix.rows // 4
    return matrix.words[: 4 * bands].reshape(bands, 4, matrix.words.shape[1])
