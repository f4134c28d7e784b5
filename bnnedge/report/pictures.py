"""Pictures of packed bits and of their blocks' complexity, as PNG data URIs.

A layer that fits is drawn bit for bit. A larger one is not thinned out, which would invent or hide texture:
each pixel is the mean over a rectangle of weights, and the picture says how large that is.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.ctm import ctm_table
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["COLDEST", "HOTTEST", "Picture", "bits_picture", "heat_colours", "heat_picture"]

COLDEST, HOTTEST = 22.0, 36.0  # the least and the greatest CTM of a 4x4 block lie just inside
LEVELS = 64
MOST_PIXELS_A_SIDE = 1024
SLICE_BITS = 1 << 24

_PAPER, _INK = np.array([250, 250, 247]), np.array([31, 41, 55])

Cells = Callable[[int, int], NDArray[np.uint8] | NDArray[np.float64]]


@dataclass(frozen=True)
class Picture:
    """An image of a matrix.

    Attributes:
        uri: the PNG, as ``data:`` URI.
        rows: of the matrix that the picture covers, from the first.
        columns: the same.
        rows_per_pixel: 1 where nothing was averaged.
        columns_per_pixel: the same.
    """

    uri: str
    rows: int
    columns: int
    rows_per_pixel: int
    columns_per_pixel: int


def bits_picture(matrix: PackedMatrix, most_bytes: int) -> Picture:
    """Bits, +1 dark: one pixel a weight, or the share of +1 in a rectangle.

    Args:
        matrix: the bits.
        most_bytes: that the PNG may take, about.
    """
    tall, wide = _rectangle(matrix.rows, matrix.columns, most_bytes, whole_bytes=1 / 8, mean_bytes=0.6)
    if tall == wide == 1:
        uri = _png(matrix.to_bits().view(np.uint8), np.stack([_PAPER, _INK]), depth=1)
    else:

        def bits(start: int, end: int) -> NDArray[np.uint8]:
            return PackedMatrix(matrix.words[start:end], matrix.columns).to_bits().view(np.uint8)

        share = _means(bits, matrix.rows, matrix.columns, tall, wide)
        ramp = np.linspace(0, 1, 17)[:, None]
        uri = _png(np.rint(16 * share).astype(np.uint8), np.rint(_PAPER + ramp * (_INK - _PAPER)))
    return Picture(uri, matrix.rows, matrix.columns, tall, wide)


def heat_picture(matrix: PackedMatrix, most_bytes: int) -> Picture | None:
    """CTM of the whole 4x4 blocks: one pixel a block, or the mean over a rectangle; None without blocks.

    Args:
        matrix: the bits.
        most_bytes: that the PNG may take, about.
    """
    bands, across = matrix.rows // 4, matrix.columns // 4
    if not bands or not across:
        return None
    tall, wide = _rectangle(bands, across, most_bytes, whole_bytes=0.8, mean_bytes=0.8)

    def ctm(start: int, end: int) -> NDArray[np.float64]:
        return _block_ctm(matrix.bytes[4 * start : 4 * end], across)

    heat = (_means(ctm, bands, across, tall, wide) - COLDEST) / (HOTTEST - COLDEST)
    indices = np.clip(heat * LEVELS, 0, LEVELS - 1).astype(np.uint8)
    return Picture(_png(indices, heat_colours()), 4 * bands, 4 * across, 4 * tall, 4 * wide)


@cache
def heat_colours() -> NDArray[np.float64]:
    """(64, 3) RGB of 0 to 255, from the simplest block to the most complex."""
    from matplotlib import colormaps

    colours: NDArray[np.float64] = np.rint(255 * colormaps["viridis"](np.linspace(0, 1, LEVELS))[:, :3])
    return colours


def _rectangle(
    rows: int, columns: int, most_bytes: int, *, whole_bytes: float, mean_bytes: float
) -> tuple[int, int]:
    """Rows and columns to average in one pixel, from the bytes that a pixel takes alone or as a mean."""
    tall, wide = -(-rows // MOST_PIXELS_A_SIDE), -(-columns // MOST_PIXELS_A_SIDE)
    if tall == wide == 1 and rows * columns * whole_bytes <= most_bytes:
        return 1, 1
    while (high := -(-rows // tall)) * (across := -(-columns // wide)) * mean_bytes > max(most_bytes, 1):
        if high == across == 1:
            break
        tall, wide = (tall + 1, wide) if high > across else (tall, wide + 1)
    return tall, wide


def _means(cells: Cells, rows: int, columns: int, tall: int, wide: int) -> NDArray[np.float64]:
    """Means over rectangles of ``tall`` x ``wide`` cells, those at the edges smaller, a slice at a time."""
    row_starts, column_starts = np.arange(0, rows, tall), np.arange(0, columns, wide)
    sums = np.zeros((row_starts.size, column_starts.size))
    step = max(1, SLICE_BITS // (16 * columns))
    for start in range(0, rows, step):
        end = min(start + step, rows)
        groups = np.arange(start, end) // tall
        firsts = np.flatnonzero(np.diff(groups, prepend=-1))
        part = np.add.reduceat(cells(start, end), firsts, axis=0, dtype=np.float64)
        sums[groups[firsts]] += np.add.reduceat(part, column_starts, axis=1)
    sizes = np.outer(np.diff(row_starts, append=rows), np.diff(column_starts, append=columns))
    means: NDArray[np.float64] = sums / sizes
    return means


def _block_ctm(data: NDArray[np.uint8], across: int) -> NDArray[np.float64]:
    """(bands, across) CTM of the whole blocks of rows of packed bytes: a byte is a row of two blocks."""
    quads = data.reshape(-1, 4, data.shape[1]).astype(np.uint16)
    codes = np.empty((len(quads), 2 * data.shape[1]), dtype=np.uint16)
    for half, shift in enumerate((4, 0)):
        nibbles = quads >> shift & 15
        codes[:, half::2] = nibbles[:, 0] << 12 | nibbles[:, 1] << 8 | nibbles[:, 2] << 4 | nibbles[:, 3]
    return ctm_table((4, 4))[codes[:, :across]]


def _png(indices: NDArray[np.uint8], palette: NDArray[np.float64], depth: int = 8) -> str:
    """An indexed PNG (RFC 2083) as data URI: fewer bytes than any true-colour one, and always the same."""
    height, width = indices.shape
    lines = np.packbits(indices, axis=1) if depth == 1 else indices
    unfiltered = np.zeros((height, lines.shape[1] + 1), dtype=np.uint8)
    unfiltered[:, 1:] = lines
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0),
        b"PLTE": palette.astype(np.uint8).tobytes(),
        b"IDAT": zlib.compress(unfiltered.tobytes(), 9),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    ]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
