"""A matrix of bits, packed: what every measure and every generator works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnedge.errors import DataError
from bnnedge.packed.bits import Words, pack_bits, popcount, unpack_bits, words_per_row

__all__ = ["PackedMatrix"]


@dataclass(frozen=True, eq=False)
class PackedMatrix:
    """A rows x columns matrix over {−1, +1}, one bit an entry, laid out as ``packed.bits`` says.

    Attributes:
        words: (rows, words_per_row(columns)) uint64, C-contiguous, padding bits 0.
        columns: number of columns that count.

    Raises:
        DataError: the words do not fit the columns, or a padding bit is set.

    >>> weights = PackedMatrix.from_signs([[1, -1, -1], [-1, 1, 1]])
    >>> weights.shape, weights.ones
    ((2, 3), 3)
    >>> weights.to_signs()
    array([[ 1, -1, -1],
           [-1,  1,  1]], dtype=int8)
    """

    words: Words
    columns: int

    def __post_init__(self) -> None:
        words = self.words
        fit = words.ndim == 2 and self.columns >= 0 and words.shape[1] == words_per_row(self.columns)
        if not fit or words.dtype != np.uint64:
            raise DataError(
                f"{words.dtype} words of shape {words.shape} cannot hold rows of {self.columns} bits",
                f"expected uint64 words of shape (rows, {words_per_row(self.columns)})",
            )
        if not words.flags.c_contiguous:
            object.__setattr__(self, "words", np.ascontiguousarray(words))
        if self.columns % 64 and self.rows:
            padding = np.bitwise_and(self.words[:, -1], ~_valid_bits_of_last_word(self.columns))
            if padding.any():
                row = int(np.flatnonzero(padding)[0])
                raise DataError(
                    f"row {row} has bits set beyond its {self.columns} columns",
                    "padding bits must be 0; build matrices with from_signs or from_bits",
                )

    @classmethod
    def from_bits(cls, bits: ArrayLike) -> PackedMatrix:
        """Pack a (rows, columns) boolean array; True is the weight +1."""
        bits = np.asarray(bits, dtype=bool)
        if bits.ndim != 2:
            raise DataError(f"an array of shape {bits.shape} is no matrix", "expected (rows, columns)")
        return cls(pack_bits(bits), bits.shape[1])

    @classmethod
    def from_signs(cls, values: ArrayLike) -> PackedMatrix:
        """Pack the signs of a (rows, columns) real array; > 0 is bit 1 (so 0 becomes −1)."""
        return cls.from_bits(np.asarray(values) > 0)

    @classmethod
    def from_bytes(cls, data: NDArray[np.uint8], columns: int) -> PackedMatrix:
        """View (rows, 8 * words_per_row(columns)) uint8 as a matrix, without copying when aligned."""
        if data.ndim != 2 or data.shape[1] != 8 * words_per_row(columns):
            raise DataError(
                f"bytes of shape {data.shape} cannot hold rows of {columns} bits",
                f"expected (rows, {8 * words_per_row(columns)})",
            )
        return cls(np.require(np.ascontiguousarray(data).view(np.uint64), requirements="A"), columns)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.words.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def bits(self) -> int:
        """Number of bits, padding not counted."""
        return self.rows * self.columns

    @property
    def ones(self) -> int:
        """Number of 1 bits, that is of weights +1."""
        return popcount(self.words)

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """(rows, 8 * words_per_row(columns)) view, most significant bit first."""
        return self.words.view(np.uint8)

    def to_bits(self) -> NDArray[np.bool_]:
        """(rows, columns) booleans."""
        return unpack_bits(self.words, self.columns)

    def to_signs(self) -> NDArray[np.int8]:
        """(rows, columns) int8 of −1 and +1."""
        return 2 * self.to_bits().view(np.int8) - np.int8(1)

    def complement_rows(self, rows: NDArray[np.bool_]) -> PackedMatrix:
        """The matrix with the marked rows negated; ``rows`` is (rows,) booleans."""
        mask = np.full(self.words.shape[1], ~np.uint64(0))
        if self.columns % 64:
            mask[-1] = _valid_bits_of_last_word(self.columns)
        return PackedMatrix(np.where(rows[:, None], self.words ^ mask, self.words), self.columns)

    def __xor__(self, other: PackedMatrix) -> PackedMatrix:
        """Bit 1 where the two differ.

        Raises:
            DataError: the shapes differ.
        """
        if self.shape != other.shape:
            raise DataError(f"cannot compare a matrix of shape {self.shape} with one of shape {other.shape}")
        return PackedMatrix(self.words ^ other.words, self.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedMatrix):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.words, other.words)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PackedMatrix({self.rows} x {self.columns})"


def _valid_bits_of_last_word(columns: int) -> np.uint64:
    """The mask of the bits that count in the last word of a row."""
    return np.uint64(pack_bits(np.ones(columns % 64 or 64, dtype=bool))[0])
