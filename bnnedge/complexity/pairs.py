"""Codes of 4x4 blocks two at a time: a byte of each of four rows, one above the other, is two blocks.

Counting a whole matrix works on words (:mod:`bnnedge.complexity.histogram`); whoever looks at few places, in
a matrix that changes, looks at bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.packed.bits import WORD_BITS, Words, pack_bits

__all__ = ["IN_PAIR", "Pairs", "bits_in_blocks", "codes_that_moved", "pairs_of"]

Codes = NDArray[np.intp]
Pairs = NDArray[np.uint32]

_BYTES = np.arange(256, dtype=np.uint32)
IN_PAIR = np.stack([(_BYTES >> 4 << 16 | _BYTES & 15) << shift for shift in (12, 8, 4, 0)])
"""(4, 256) uint32: what a byte of each of the four rows puts into a pair of codes."""


def pairs_of(octets: NDArray[np.uint8]) -> Pairs:
    """Pairs of codes of (4, ...) bytes, the four rows first: (...) uint32.

    >>> hex(pairs_of(np.array([0x10, 0x20, 0x30, 0x4F], dtype=np.uint8)))
    '0x1234000f'
    """
    pairs: Pairs = IN_PAIR[0].take(octets[0])
    for row in range(1, 4):
        pairs |= IN_PAIR[row].take(octets[row])
    return pairs


def codes_that_moved(before: Pairs, after: Pairs) -> tuple[Codes, Codes, Codes]:
    """The single codes that differ between (pairs,) and (pairs,): of which pair, the old one, the new one."""
    old, new = before.view(np.uint16), after.view(np.uint16)
    moved = np.flatnonzero(old != new)
    return moved >> 1, old.take(moved).astype(np.intp), new.take(moved).astype(np.intp)


def bits_in_blocks(columns: int) -> Words:
    """The mask, of shape (1,), of the bits of a row's last word that whole blocks of four columns hold."""
    beyond = WORD_BITS * max(0, -(-columns // WORD_BITS) - 1)
    return pack_bits(np.arange(WORD_BITS) < columns // 4 * 4 - beyond)
