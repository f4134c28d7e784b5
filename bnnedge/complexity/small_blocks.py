"""Entropy of small blocks, 1x4, 2x2 and 3x3, side by side: of so few patterns that layers show each often.

There are 65,536 blocks of 4x4, but only 16 of 1x4 and of 2x2 and 512 of 3x3. The entropy of counts is too
low by about (patterns − 1) / (2 ln 2 · blocks) bits (Miller 1955): in a random layer of 64 x 64 by 0.01 for
the 1,024 blocks of 1x4, but by 0.9 for the 441 of 3x3. What is left at the edges is in no block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import BlockHistogram, Counts
from bnnedge.complexity.measure import Measure
from bnnedge.errors import ConfigError
from bnnedge.packed.bits import WORD_BITS, pack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = [
    "MEASURES",
    "SMALL_BLOCKS",
    "block_entropy_1x4",
    "block_entropy_2x2",
    "block_entropy_3x3",
    "entropy_1x4_of_blocks",
    "entropy_2x2_of_blocks",
    "small_block_histogram",
]

SMALL_BLOCKS = ((1, 4), (2, 2), (3, 3))

# Words (or groups of 24 bits) to work on at a time: what one operation leaves for the next stays in L2 cache.
_SLICE = 1 << 14


def block_entropy_1x4(matrix: PackedMatrix) -> float:
    """Entropy of four neighbouring inputs of a neuron, bits a block, 0 to 4; NaN without a whole block.

    >>> block_entropy_1x4(PackedMatrix.from_bits([[True] * 4 + [False] * 4]))
    1.0
    """
    return block_entropy_of(small_block_histogram(matrix, (1, 4)))


def block_entropy_2x2(matrix: PackedMatrix) -> float:
    """Entropy of two inputs of two neurons, bits a block, 0 to 4; NaN without a whole block."""
    return block_entropy_of(small_block_histogram(matrix, (2, 2)))


def block_entropy_3x3(matrix: PackedMatrix) -> float:
    """Entropy of three inputs of three neurons, bits a block, 0 to 9; NaN without a whole block."""
    return block_entropy_of(small_block_histogram(matrix, (3, 3)))


def entropy_1x4_of_blocks(histogram: BlockHistogram) -> float:
    """The same as :func:`block_entropy_1x4`, off whole 4x4 blocks: each is four rows of 1x4."""
    rows = histogram.counts[4, 4].reshape(16, 16, 16, 16)
    return _entropy(sum(np.moveaxis(rows, row, 0).reshape(16, -1).sum(axis=1) for row in range(4)))


def entropy_2x2_of_blocks(histogram: BlockHistogram) -> float:
    """The same as :func:`block_entropy_2x2`, off whole 4x4 blocks: each is four squares of 2x2."""
    halves = histogram.counts[4, 4].reshape(4, 4, 4, 4, 4, 4, 4, 4)  # left and right half of each row
    squares = ((0, 2), (1, 3), (4, 6), (5, 7))
    return _entropy(sum(np.moveaxis(halves, pair, (0, 1)).reshape(16, -1).sum(axis=1) for pair in squares))


def _entropy(counts: NDArray[np.int64]) -> float:
    return block_entropy_of(BlockHistogram({(4,): counts}, 0, 0))


def small_block_histogram(matrix: PackedMatrix, shape: tuple[int, int]) -> BlockHistogram:
    """Count the whole blocks, side by side, of one of :data:`SMALL_BLOCKS`.

    Args:
        matrix: the bits.
        shape: (1, 4), (2, 2) or (3, 3).

    Returns:
        (2**bits,) int64 counts under that shape, by block code as in :mod:`bnnedge.complexity.histogram`.

    Raises:
        ConfigError: no such shape.

    >>> histogram = small_block_histogram(PackedMatrix.from_signs([[1, -1, 1], [-1, -1, 1]]), (2, 2))
    >>> int(histogram.counts[2, 2][0b1000]), histogram.bits_kept, histogram.bits_dropped
    (1, 4, 2)
    """
    if shape not in SMALL_BLOCKS:
        raise ConfigError(
            f"no small blocks of shape {shape}", f"there are {', '.join(map(str, SMALL_BLOCKS))}"
        )
    height, width = shape
    down, across = matrix.rows // height, matrix.columns // width
    blocks = down * across
    counts = np.zeros(1 << height * width, dtype=np.int64)
    if blocks:
        counts = (
            _count_3x3(matrix, down, across) if height == 3 else _count_nibbles(matrix, down, across, height)
        )
        # Padding, and columns that fill no block, were read as blocks of zeros.
        counts[0] -= int(counts.sum()) - blocks
    kept = blocks * height * width
    return BlockHistogram({shape: counts}, kept, matrix.bits - kept)


def _count_nibbles(matrix: PackedMatrix, down: int, across: int, height: int) -> Counts:
    """Blocks of 1x4 (height 1) or 2x2 (height 2): each a nibble, counted four at a time as 16-bit numbers."""
    columns = across * 4 // height
    width = -(-columns // WORD_BITS)
    bands = matrix.words[: down * height, :width].reshape(down, height, width)
    in_blocks = pack_bits(np.arange(WORD_BITS) < columns - WORD_BITS * (width - 1))[0]
    quads = np.zeros(1 << 16, dtype=np.int64)
    indices = np.empty(4 * height * min(_SLICE, down * width), dtype=np.intp)
    for word in range(0, width, _SLICE):
        step = max(1, _SLICE // (width - word))
        for band in range(0, down, step):
            fields = bands[band : band + step, :, word : word + _SLICE].copy()
            if word + _SLICE >= width:
                fields[..., -1] &= in_blocks
            if height == 2:
                _pair_rows(fields)
            codes = fields.view(np.uint16).ravel()
            np.copyto(indices[: codes.size], codes)
            np.add.at(quads, indices[: codes.size], 1)
    octets = quads.reshape(256, 256)
    nibbles = (octets.sum(axis=0) + octets.sum(axis=1)).reshape(16, 16)
    folded: Counts = nibbles.sum(axis=0) + nibbles.sum(axis=1)
    return folded


def _pair_rows(fields: NDArray[np.uint64]) -> None:
    """Make each nibble of (bands, 2, words) a 2x2 block's code, in place.

    The low two bits of the upper row's nibble change places with the high two of the lower row's. Which block
    ends up where depends on the machine's byte order, but a histogram does not ask.
    """
    upper, lower = fields[:, 0], fields[:, 1]
    moving = (lower >> np.uint64(2) ^ upper) & np.uint64(0x3333333333333333)
    upper ^= moving
    lower ^= moving << np.uint64(2)


def _count_3x3(matrix: PackedMatrix, down: int, across: int) -> Counts:
    """Blocks of 3x3, eight at a time: three bytes of each of a band's three rows."""
    counts = np.zeros(512, dtype=np.int64)
    groups = -(-across // 8)
    for group in range(0, groups, _SLICE):
        some = min(_SLICE, groups - group)
        in_blocks = np.packbits(np.arange(24 * some) < 3 * across - 24 * group)
        step = max(1, _SLICE // some)
        for band in range(0, down, step):
            bands = min(step, down - band)
            rows = matrix.bytes[3 * band : 3 * (band + bands), 3 * group : 3 * (group + some)]
            taken = np.zeros((3 * bands, 3 * some), dtype=np.uint8)
            np.bitwise_and(rows, in_blocks[: rows.shape[1]], out=taken[:, : rows.shape[1]])
            triples = _spread(taken.reshape(bands, 3, some, 3))
            np.add.at(counts, _codes_3x3(triples).astype(np.intp), 1)
    return counts


def _spread(groups: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The eight triples of bits of (..., 3) bytes, each in a byte of its own of one word, (...)."""
    words = groups[..., 0].astype(np.uint64)
    for byte in (1, 2):
        words <<= np.uint64(8)
        words |= groups[..., byte]
    for by, kept in ((20, 0x00000FFF00000FFF), (10, 0x003F003F003F003F), (5, 0x0707070707070707)):
        words |= words << np.uint64(by)
        words &= np.uint64(kept)
    return words


def _codes_3x3(triples: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Block codes, (8 * bands * groups,), of (bands, 3, groups) words of triples."""
    every_other = np.uint64(0x00FF00FF00FF00FF)
    two_rows = triples[:, 0] << np.uint64(3) | triples[:, 1]
    bottom = triples[:, 2]
    codes = np.empty((2, *bottom.shape), dtype=np.uint64)
    for half, by in enumerate((np.uint64(0), np.uint64(8))):
        codes[half] = (two_rows >> by & every_other) << np.uint64(3) | bottom >> by & every_other
    return codes.view(np.uint16).ravel()


MEASURES = (
    Measure(
        key="block_entropy_1x4_bits",
        header="Entropy\n1x4",
        unit="bits a block",
        cost="linear",
        meaning="below four times the bit entropy: neighbouring inputs of a neuron go together",
        of=block_entropy_1x4,
        of_blocks=entropy_1x4_of_blocks,
    ),
    Measure(
        key="block_entropy_2x2_bits",
        header="Entropy\n2x2",
        unit="bits a block",
        cost="linear",
        meaning="below four times the bit entropy: neighbouring inputs or neurons go together",
        of=block_entropy_2x2,
        of_blocks=entropy_2x2_of_blocks,
    ),
    Measure(
        key="block_entropy_3x3_bits",
        header="Entropy\n3x3",
        unit="bits a block",
        cost="streaming",
        meaning="below nine times the bit entropy: 3x3 patterns recur; small for edges and fills of one sign",
        of=block_entropy_3x3,
    ),
)
