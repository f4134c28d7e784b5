"""A block histogram, with BDM and block entropy, that follows a matrix while it changes.

Between two steps of training few bits flip. Finding them reads both matrices once, which is most of the work,
unless the caller knows which rows changed; only blocks with flipped bits are counted again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.pairs import IN_PAIR, Pairs, bits_in_blocks, codes_that_moved, pairs_of
from bnnedge.complexity.tally import Tally
from bnnedge.errors import DataError
from bnnedge.packed.bits import popcount
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["IncrementalHistogram"]

# Changed words to work on at a time.
_SLICE_WORDS = 1 << 14
# Beyond one in so many changed words, counting everything again is quicker.
_FEW = 16

Places = NDArray[np.intp]


class IncrementalHistogram:
    """The 4x4 block histogram, boundary ``ignore``, of a matrix that changes.

    It equals ``block_histogram`` of the last matrix it was shown. It keeps a copy of the words, so that
    whoever trains may write over the matrix that was handed in, and the codes of all blocks, as many bytes.

    >>> tracked = IncrementalHistogram(PackedMatrix.from_bits(np.zeros((8, 8), dtype=bool)))
    >>> tracked.update(PackedMatrix.from_bits(np.eye(8, dtype=bool)))
    8
    >>> tracked.histogram.distinct, tracked.block_entropy
    (2, 1.0)
    """

    def __init__(self, matrix: PackedMatrix) -> None:
        self._start(matrix)

    def _start(self, matrix: PackedMatrix) -> None:
        self._shape, self._words = matrix.shape, matrix.words.copy()
        counted = block_histogram(matrix)
        self._tally, self._kept, self._dropped = Tally(counted), counted.bits_kept, counted.bits_dropped
        self._in_blocks = bits_in_blocks(matrix.columns)
        rows = self._words[: matrix.rows // 4 * 4].copy()
        rows[:, -1:] &= self._in_blocks
        # One for each byte of each band of four rows.
        bands = rows.view(np.uint8).reshape(len(rows) // 4, 4, 8 * rows.shape[1])
        self._pairs = pairs_of(bands.swapaxes(0, 1)).reshape(-1)

    @property
    def histogram(self) -> BlockHistogram:
        """The present counts; later updates leave them alone."""
        return BlockHistogram({(4, 4): self._tally.counts}, self._kept, self._dropped)

    @property
    def bdm(self) -> float:
        """BDM in bits, as ``bdm_of(histogram)``; NaN without blocks."""
        return self._tally.bdm

    @property
    def block_entropy(self) -> float:
        """Block entropy in bits a block, as ``block_entropy_of(histogram)``; NaN without blocks."""
        return self._tally.block_entropy

    def update(self, new: PackedMatrix, rows: ArrayLike | None = None) -> int:
        """Make the histogram that of ``new``.

        Args:
            new: the matrix as it is now, of the shape it had.
            rows: the rows in which anything may have changed, if the caller knows: no others are looked at.

        Returns:
            Number of bits that flipped.

        Raises:
            DataError: the shape is another, or there is no such row.
        """
        if new.shape != self._shape:
            raise DataError(
                f"cannot follow a matrix of shape {self._shape} with one of shape {new.shape}",
                "start a histogram of its own for each layer",
            )
        if rows is None:
            places = np.flatnonzero(self._words != new.words)
        else:
            chosen, width = self._chosen(rows), self._words.shape[1]
            row, word = np.nonzero(self._words[chosen] != new.words[chosen])
            places = chosen[row] * width + word
        if _FEW * places.size > self._words.size:
            flips = popcount(self._words ^ new.words)
            self._start(new)
            return flips
        slices = range(0, places.size, _SLICE_WORDS)
        return sum(self._update_words(places[start : start + _SLICE_WORDS], new) for start in slices)

    def _chosen(self, rows: ArrayLike) -> Places:
        chosen = np.unique(np.asarray(rows, dtype=np.intp))
        if chosen.size and not 0 <= chosen[0] <= chosen[-1] < self._shape[0]:
            raise DataError(
                f"no rows {chosen[0]} to {chosen[-1]} in a matrix of {self._shape[0]} rows",
                "count rows from 0",
            )
        return chosen

    def _update_words(self, places: Places, new: PackedMatrix) -> int:
        """Follow the changes of the words at some places, which are in order."""
        words, width = self._words.reshape(-1), self._words.shape[1]
        now = new.words.reshape(-1).take(places)
        flipped = now ^ words.take(places)
        words[places] = now
        flips = popcount(flipped)
        if self._shape[1] % 4:  # the last 1 to 3 columns are in no block
            flipped[places % width == width - 1] &= self._in_blocks
        octets = flipped.view(np.uint8)
        changed = np.flatnonzero(octets.astype(bool))
        place = places.take(changed >> 3)
        row = place // width
        band = row >> 2
        pair = (place + (band - row) * width) * 8 + (changed & 7)
        bits = IN_PAIR.take((row & 3) << 8 | octets.take(changed))
        whole = np.searchsorted(band, self._shape[0] // 4)  # the last 1 to 3 rows are in no block
        self._flip(pair[:whole], bits[:whole])
        return flips

    def _flip(self, pair: Places, bits: Pairs) -> None:
        """Flip bits of the pairs of blocks at some places, where one may stand once for each of its rows."""
        before, order = self._pairs.take(pair), np.arange(pair.size, dtype=np.uint32)
        # Whichever is written last keeps the place, and flips the bits of the others that stand for it too.
        self._pairs[pair] = order
        keeper = self._pairs.take(pair)
        keeps = keeper == order
        np.bitwise_xor.at(bits, keeper[~keeps], bits[~keeps])
        after = before ^ bits.take(keeper)
        self._pairs[pair] = after
        _, old, new = codes_that_moved(before[keeps], after[keeps])
        self._tally.move(old, new)
