"""Bits in words: the one place that says how they lie.

Bit 1 is the weight (or activation) +1, bit 0 is −1. A row of bits fills bytes from the most significant
bit down, so column ``c`` is bit ``7 − c % 8`` of byte ``c // 8``; the row is padded with zeros to whole
64-bit words. Words are views of those bytes in the machine's own byte order: XOR, AND and popcount do not
care, and nothing else may look at a word's value. Padding bits are always 0 and never counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["WORD_BITS", "Words", "pack_bits", "popcount", "unpack_bits", "words_per_row"]

WORD_BITS = 64
SLICE_WORDS = 1 << 18

Words = NDArray[np.uint64]


def words_per_row(columns: int) -> int:
    """Number of 64-bit words that hold one row of ``columns`` bits."""
    return -(-columns // WORD_BITS)


def pack_bits(bits: ArrayLike) -> Words:
    """Pack the last axis of a boolean array into words.

    Args:
        bits: (..., columns) booleans.

    Returns:
        (..., words_per_row(columns)) words, C-contiguous, padding bits 0.

    >>> pack_bits([True] + [False] * 7).view(np.uint8)[0]
    np.uint8(128)
    """
    bits = np.asarray(bits, dtype=bool)
    packed = np.packbits(bits, axis=-1)
    padded = np.zeros((*bits.shape[:-1], 8 * words_per_row(bits.shape[-1])), dtype=np.uint8)
    padded[..., : packed.shape[-1]] = packed
    return padded.view(np.uint64)


def unpack_bits(words: Words, columns: int) -> NDArray[np.bool_]:
    """The first ``columns`` bits of each row: the inverse of :func:`pack_bits`."""
    return np.unpackbits(words.view(np.uint8), axis=-1, count=columns).view(bool)


def popcount(words: Words) -> int:
    """Number of 1 bits in all the words together, in slices, so that memory stays bounded."""
    flat = words.reshape(-1)
    slices = (flat[start : start + SLICE_WORDS] for start in range(0, flat.size, SLICE_WORDS))
    return sum(int(np.bitwise_count(part).sum(dtype=np.int64)) for part in slices)
