"""Compressed size of the bits by zlib, LZMA and Zstandard: upper bounds that everybody can check.

The bits are read row after row, eight a byte, without padding, and compressed as a raw stream: without the
containers' magic numbers and checksums. What is left of overhead, beyond the code itself, is

- zlib (level 9, window 32 KiB): 5 bytes for every 16 to 64 KiB that do not compress, and a Huffman table of
  some 50 bytes for every block that does;
- LZMA2 (preset 6, dictionary 8 MiB at most): 1 byte, and 3 to 6 for every 64 KiB;
- Zstandard (level 19, tuned to the size): 2 bytes, and 3 for every 128 KiB.

i.i.d. bits therefore score just above 1, and not 1. All three match whole bytes: what recurs a few bits
further on, as between the rows of a layer whose inputs are no multiple of 8, they hardly see. Another version
of a library may find a slightly shorter code.
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import zstandard

from bnnedge.complexity.measure import Measure
from bnnedge.packed.bits import unpack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "MINIMUM_BITS", "lzma_per_bit", "zlib_per_bit", "zstd_per_bit"]

# Below 64 bytes the formats' own bytes would be a good part of what is measured.
MINIMUM_BITS = 512

# Bytes to hand over at a time, so that no more than these are held unpadded.
_SLICE_BYTES = 1 << 20


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def zlib_per_bit(matrix: PackedMatrix) -> float:
    """Bits of raw DEFLATE (RFC 1951, as in gzip and PNG) a weight bit; NaN below :data:`MINIMUM_BITS`."""
    return _per_bit(matrix, zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 8))


def lzma_per_bit(matrix: PackedMatrix) -> float:
    """Bits of raw LZMA2 (as in xz) a weight bit; NaN below :data:`MINIMUM_BITS`."""
    # No larger than the data: it is cleared before it is used, which takes longer than most layers do.
    dictionary = min(1 << 23, max(1 << 12, -(-matrix.bits // 8)))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": dictionary}]
    return _per_bit(matrix, lzma.LZMACompressor(lzma.FORMAT_RAW, filters=filters))


def zstd_per_bit(matrix: PackedMatrix) -> float:
    """Bits of Zstandard (RFC 8878, without magic number) a weight bit; NaN below :data:`MINIMUM_BITS`."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19,
        source_size=-(-matrix.bits // 8),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
        write_dict_id=False,
    )
    return _per_bit(matrix, zstandard.ZstdCompressor(compression_params=parameters).compressobj())


def _per_bit(matrix: PackedMatrix, compressor: _Compressor) -> float:
    if matrix.bits < MINIMUM_BITS:
        return math.nan
    size = sum(len(compressor.compress(data)) for data in _unpadded(matrix)) + len(compressor.flush())
    return 8 * size / matrix.bits


def _unpadded(matrix: PackedMatrix) -> Iterator[bytes]:
    """The bits row after row in bytes, the last one filled up with zeros, some rows at a time."""
    whole, left = divmod(matrix.columns, 8)
    step = 8 * max(1, _SLICE_BYTES // matrix.columns)  # so that every slice fills its bytes
    for row in range(0, matrix.rows, step):
        if left:
            yield np.packbits(unpack_bits(matrix.words[row : row + step], matrix.columns)).tobytes()
        else:
            yield matrix.bytes[row : row + step, :whole].tobytes()


MEASURES = (
    Measure(
        key="zlib_per_bit",
        header="zlib",
        unit="bits a bit",
        cost="streaming",
        meaning="compressed by packed size: 1 for random bits, small where bytes recur within 32 KiB",
        of=zlib_per_bit,
    ),
    Measure(
        key="lzma_per_bit",
        header="LZMA",
        unit="bits a bit",
        cost="slow",
        meaning="compressed by packed size: 1 for random bits, small where bytes recur, however far apart",
        of=lzma_per_bit,
    ),
    Measure(
        key="zstd_per_bit",
        header="zstd",
        unit="bits a bit",
        cost="streaming",
        meaning="compressed by packed size: as LZMA, at more speed",
        of=zstd_per_bit,
    ),
)
