"""The transpose of packed bits: what a measure of neurons says of inputs, it says of the transpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.packed.bits import words_per_row
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["transpose"]

# A tile of 4,096 x 512 bits at a time: what one step leaves for the next stays in the L2 cache.
_TILE_ROWS = 1 << 12
_TILE_BYTES = 1 << 6

# Hacker's Delight, 7-3: exchange single bits of 2x2, then 2x2 squares of 4x4, then 4x4 squares of 8x8.
_EXCHANGES = ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))


def transpose(matrix: PackedMatrix) -> PackedMatrix:
    """Columns as rows; beyond the result itself, memory stays bounded.

    Args:
        matrix: (rows, columns) bits.

    Returns:
        (columns, rows) bits.

    >>> transpose(PackedMatrix.from_signs([[1, -1, -1], [1, 1, -1]])).to_signs()
    array([[ 1,  1],
           [-1,  1],
           [-1, -1]], dtype=int8)
    """
    octets = -(-matrix.columns // 8)
    flipped = np.zeros((8 * octets, 8 * words_per_row(matrix.rows)), dtype=np.uint8)
    for row in range(0, matrix.rows, _TILE_ROWS):
        for octet in range(0, octets, _TILE_BYTES):
            tile = _transposed(matrix.bytes[row : row + _TILE_ROWS, octet : min(octet + _TILE_BYTES, octets)])
            height, width = tile.shape
            flipped[8 * octet : 8 * octet + height, row // 8 : row // 8 + width] = tile
    return PackedMatrix.from_bytes(flipped[: matrix.columns], matrix.rows)


def _transposed(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, octets) bytes as (8 * octets, rows in bytes): squares of 8x8 bits, each in one number."""
    rows, octets = tile.shape
    down = -(-rows // 8)
    padded = np.zeros((8 * down, octets), dtype=np.uint8)
    padded[:rows] = tile
    squares = padded.reshape(down, 8, octets).transpose(2, 0, 1)
    numbers = np.ascontiguousarray(squares).view(">u8")[..., 0].astype(np.uint64)
    for by, kept in _EXCHANGES:
        moving = (numbers >> np.uint64(by) ^ numbers) & np.uint64(kept)
        numbers ^= moving ^ moving << np.uint64(by)
    columns = numbers.astype(">u8").view(np.uint8).reshape(octets, down, 8)
    return columns.transpose(0, 2, 1).reshape(8 * octets, down)
