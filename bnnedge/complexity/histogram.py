"""How often each block occurs: the one pass over packed words that BDM and block entropy are read off.

A block's code reads its bits row by row as one binary number, the first bit the most significant; a
histogram counts codes. How the edges of a matrix are treated, where whole blocks no longer fit, is its
boundary rule, and the rules are pybdm's:

- ``ignore``: blocks side by side; what is left at the edges is in no block.
- ``correlated``: every position of a sliding block, so that blocks overlap.
- ``recursive``: as ``ignore``, then each leftover piece in smaller blocks, as large as fit in it, down to 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError
from bnnedge.packed.bits import WORD_BITS, Words, pack_bits, unpack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["BLOCK_SHAPES", "BOUNDARIES", "BlockHistogram", "block_histogram"]

BOUNDARIES = ("ignore", "correlated", "recursive")
BLOCK_SHAPES: tuple[tuple[int, ...], ...] = ((4, 4), (12,))

Counts = NDArray[np.int64]
CountsByShape = dict[tuple[int, ...], Counts]

_BLOCKS_PER_WORD = WORD_BITS // 4
# Words of each of a band's four rows to work on at a time. Fewer, and what a NumPy call costs shows; more,
# and what one operation leaves for the next is no longer in the L2 cache.
_SLICE_WORDS = 1 << 14

_LOW_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_LOW_BYTES = np.uint64(0x00FF00FF00FF00FF)


@dataclass(frozen=True, eq=False)
class BlockHistogram:
    """Counts of blocks by shape and code; histograms of several matrices add up to a pooled one.

    Attributes:
        counts: for each block shape (2**bits,) int64, indexed by block code.
        bits_kept: bits that lie in some block.
        bits_dropped: bits that lie in none.
    """

    counts: CountsByShape
    bits_kept: int
    bits_dropped: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return sum(int(counts.sum()) for counts in self.counts.values())

    @property
    def distinct(self) -> int:
        """Number of different blocks."""
        return sum(int(np.count_nonzero(counts)) for counts in self.counts.values())

    def __add__(self, other: BlockHistogram) -> BlockHistogram:
        """All the blocks of both.

        Raises:
            DataError: one is of squares and the other of strings.
        """
        if len({len(shape) for shape in self.counts.keys() | other.counts.keys()}) > 1:
            raise DataError(
                f"cannot pool blocks of shapes {list(self.counts)} and {list(other.counts)}",
                "take every histogram with the same block_shape",
            )
        counts = dict(self.counts)
        for shape, more in other.counts.items():
            counts[shape] = counts[shape] + more if shape in counts else more
        return BlockHistogram(
            counts, self.bits_kept + other.bits_kept, self.bits_dropped + other.bits_dropped
        )


def block_histogram(
    matrix: PackedMatrix, boundary: str = "ignore", block_shape: tuple[int, ...] = (4, 4)
) -> BlockHistogram:
    """Count the blocks of a matrix.

    Args:
        matrix: the bits.
        boundary: ``ignore``, ``correlated`` or ``recursive``, as at the top of this file.
        block_shape: (4, 4), or (12,), which reads the matrix row after row as one string.

    Raises:
        ConfigError: no such boundary rule or block shape.

    >>> matrix = PackedMatrix.from_bits(np.ones((9, 10), dtype=bool))
    >>> histogram = block_histogram(matrix)
    >>> histogram.blocks, histogram.distinct, histogram.bits_kept, histogram.bits_dropped
    (4, 1, 64, 26)
    >>> int(histogram.counts[4, 4][0b1111_1111_1111_1111])
    4
    """
    if boundary not in BOUNDARIES:
        raise ConfigError(f"no boundary rule {boundary!r}", f"there are {', '.join(BOUNDARIES)}")
    if block_shape not in BLOCK_SHAPES:
        raise ConfigError(
            f"no histogram of blocks of shape {block_shape}",
            f"there are {', '.join(map(str, BLOCK_SHAPES))}",
        )
    count = _count_squares if block_shape == (4, 4) else _count_strings
    counts = count(matrix, boundary)
    kept = sum(int(some.sum()) * int(np.prod(shape)) for shape, some in counts.items())
    if boundary == "correlated":
        kept = matrix.bits if kept else 0
    return BlockHistogram(counts, kept, matrix.bits - kept)


def _no_counts(*shape: int) -> Counts:
    return np.zeros(1 << int(np.prod(shape)), dtype=np.int64)


def _codes(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Codes of (..., size) bits."""
    codes: NDArray[np.int64] = bits @ (1 << np.arange(bits.shape[-1])[::-1])
    return codes


# 4x4 blocks, on words.


def _count_squares(matrix: PackedMatrix, boundary: str) -> CountsByShape:
    counts: CountsByShape = {(4, 4): _no_counts(4, 4)}
    if boundary == "correlated":
        _count_sliding(matrix, counts[4, 4])
        return counts
    _count_words(matrix.words, matrix.columns, counts[4, 4])
    if boundary == "recursive":
        counts |= {(3, 3): _no_counts(3, 3), (2, 2): _no_counts(2, 2)}
        for pieces in _edges(matrix):
            _count_pieces(pieces, counts)
    return counts


def _count_words(words: Words, columns: int, counts: Counts) -> None:
    """Add to counts the whole 4x4 blocks, side by side, of (rows, words) words, a slice at a time."""
    bands, across = len(words) // 4, columns // 4
    width = -(-across // _BLOCKS_PER_WORD)
    quads = words[: 4 * bands, :width].reshape(bands, 4, width)
    in_blocks = pack_bits(np.arange(WORD_BITS) < 4 * across - WORD_BITS * (width - 1))[0]
    size = min(_SLICE_WORDS, bands * width)
    buffer, spare = np.empty(4 * size, dtype=np.uint64), np.empty(2 * size, dtype=np.uint64)
    indices = np.empty(_BLOCKS_PER_WORD * size, dtype=np.intp)
    for word in range(0, width, _SLICE_WORDS):
        step = max(1, _SLICE_WORDS // (width - word))
        for band in range(0, bands, step):
            part = quads[band : band + step, :, word : word + _SLICE_WORDS].swapaxes(0, 1)
            fields = buffer[: part.size].reshape(part.shape)
            np.copyto(fields, part)
            if word + _SLICE_WORDS >= width:
                # Surplus blocks, of padding and of 1 to 3 columns, all get code 0, and are taken out below.
                fields[..., -1] &= in_blocks
            codes = _codes_in_place(fields, spare).ravel()
            np.copyto(indices[: codes.size], codes)
            # With indices of this type and counts of int64, add.at is as quick as bincount and adds in place.
            np.add.at(counts, indices[: codes.size], 1)
    counts[0] -= bands * (_BLOCKS_PER_WORD * width - across)


def _codes_in_place(fields: Words, spare: Words) -> NDArray[np.uint16]:
    """The codes of the 4x4 blocks of (4, ..., words), a band's four rows first, over the words themselves.

    Over the four rows, once with nibbles of bytes and once with bytes of 16-bit fields, halves change places:
    that puts each block's nibbles side by side, and every 16-bit field is a block's code. Which field holds
    which block depends on the machine's byte order, but a histogram does not ask.

    Args:
        fields: what is overwritten.
        spare: room for half as many words.

    Returns:
        (4, ..., 4 * words) view.
    """
    _exchange(fields[0::2], fields[1::2], 4, _LOW_NIBBLES, spare)
    _exchange(fields[:2], fields[2:], 8, _LOW_BYTES, spare)
    return fields.view(np.uint16)


def _exchange(a: Words, b: Words, shift: int, low: np.uint64, spare: Words) -> None:
    """Swap the low half of each field of ``a`` with the high half of the same field of ``b``, in place."""
    by, moving = np.uint64(shift), spare[: a.size].reshape(a.shape)
    np.right_shift(b, by, out=moving)
    np.bitwise_xor(moving, a, out=moving)
    np.bitwise_and(moving, low, out=moving)
    np.bitwise_xor(a, moving, out=a)
    np.left_shift(moving, by, out=moving)
    np.bitwise_xor(b, moving, out=b)


def _count_sliding(matrix: PackedMatrix, counts: Counts) -> None:
    """Every position of a 4x4 block: blocks side by side, from each of 16 origins."""
    if matrix.columns < 4:
        return
    step = 4 * max(1, _SLICE_WORDS // matrix.words.shape[1])
    for row in range(0, matrix.rows - 3, step):
        rows = matrix.bytes[row : row + step + 3]
        for right in range(4):
            words = _shift_left(rows, right).view(np.uint64)
            for down in range(4):
                _count_words(words[down : down + step], matrix.columns - right, counts)


def _shift_left(rows: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """Rows of packed bits without their first ``by`` < 8 columns."""
    shifted = rows << np.uint8(by)
    shifted[:, :-1] |= rows[:, 1:] >> np.uint8(8 - by)
    return shifted


def _edges(matrix: PackedMatrix) -> Iterator[NDArray[np.bool_]]:
    """What the whole 4x4 blocks leave: (pieces, height, width) bits at the right, the bottom, the corner."""
    bottom, right = matrix.rows % 4, matrix.columns % 4
    rows, columns = matrix.rows - bottom, matrix.columns - right
    if right:
        byte = np.unpackbits(matrix.bytes[:rows, columns // 8, None], axis=1).view(bool)
        yield byte[:, columns % 8 :][:, :right].reshape(-1, 4, right)
    if bottom:
        strip = unpack_bits(matrix.words[rows:], matrix.columns)
        yield strip[:, :columns].reshape(bottom, -1, 4).swapaxes(0, 1)
        yield strip[None, :, columns:]


def _count_pieces(pieces: NDArray[np.bool_], counts: CountsByShape) -> None:
    """Add the square blocks of pieces less than 4 wide or high, as large as fit.

    pybdm would go on to what they leave, but that is never more than one bit wide, and it stops below 2.
    """
    height, width = pieces.shape[1:]
    side = min(height, width)
    if side >= 2:
        down, across = height // side, width // side
        tiles = pieces[:, : down * side, : across * side].reshape(-1, down, side, across, side)
        tiles = tiles.swapaxes(2, 3).reshape(-1, side * side)
        np.add.at(counts[side, side], _codes(tiles), 1)


# 12-bit blocks, on bytes.


def _count_strings(matrix: PackedMatrix, boundary: str) -> CountsByShape:
    counts: CountsByShape = {(12,): _no_counts(12)}
    stream = _stream(matrix)
    if boundary == "correlated":
        _count_24s(stream, 1, range(12, 4, -1), matrix.bits - 11, counts[12,])
        return counts
    _count_24s(stream, 3, (12, 0), matrix.bits // 12, counts[12,])
    rest = matrix.bits % 12
    if boundary == "recursive" and rest >= 2:
        start = matrix.bits - rest
        last = np.unpackbits(stream[start // 8 :]).view(bool)[start % 8 :][:rest]
        counts[rest,] = _no_counts(rest)
        counts[rest,][_codes(last)] = 1
    return counts


def _stream(matrix: PackedMatrix) -> NDArray[np.uint8]:
    """The bits row after row without padding, in bytes, and two bytes of zeros."""
    stream = np.zeros(-(-matrix.bits // 8) + 2, dtype=np.uint8)
    step = 8 * max(1, 8 * _SLICE_WORDS // max(1, matrix.columns))  # so that every slice starts a byte
    for row in range(0, matrix.rows, step):
        packed = np.packbits(unpack_bits(matrix.words[row : row + step], matrix.columns))
        stream[row * matrix.columns // 8 :][: packed.size] = packed
    return stream


def _count_24s(
    stream: NDArray[np.uint8], stride: int, shifts: Sequence[int], blocks: int, counts: Counts
) -> None:
    """Add the first ``blocks`` 12-bit blocks of 24-bit groups, one every ``stride`` bytes, at some shifts."""
    groups = -(-blocks // len(shifts))
    for group in range(0, groups, _SLICE_WORDS):
        some = min(_SLICE_WORDS, groups - group)
        high, middle, low = (
            stream[stride * group + byte :][: stride * some : stride].astype(np.intp) for byte in range(3)
        )
        bits = high << 16 | middle << 8 | low
        for position, shift in enumerate(shifts):
            whole = -(-(blocks - position) // len(shifts)) - group
            np.add.at(counts, bits[:whole] >> shift & 0xFFF, 1)
