"""BDM as plain loops over packed words, for numba to compile: the practical limit of scripts/bench."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.packed.bits import Words

__all__ = ["LOOPS"]


def bdm_loop(words: Words, ctm: NDArray[np.float64]) -> float:
    """BDM of rows of whole words, block by block, for numba to compile."""
    counts = np.zeros(ctm.size, dtype=np.int64)
    low = np.uint64(0xF)
    for top in range(0, words.shape[0] - 3, 4):
        for word in range(words.shape[1]):
            a, b, c, d = words[top, word], words[top + 1, word], words[top + 2, word], words[top + 3, word]
            for shift in range(0, 64, 4):
                by = np.uint64(shift)
                high = (a >> by & low) << np.uint64(12) | (b >> by & low) << np.uint64(8)
                counts[high | (c >> by & low) << np.uint64(4) | d >> by & low] += 1
    bits = 0.0
    for code in range(ctm.size):
        if counts[code]:
            bits += ctm[code] + math.log2(counts[code])
    return bits


def bdm_word_loop(words: Words, ctm: NDArray[np.float64]) -> float:
    """The same, with bnnedge's own way to make the codes of four words' blocks at once."""
    counts = np.zeros(ctm.size, dtype=np.int64)
    nibbles, octets, code = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x00FF00FF00FF00FF), np.uint64(0xFFFF)
    for top in range(0, words.shape[0] - 3, 4):
        for word in range(words.shape[1]):
            a, b, c, d = words[top, word], words[top + 1, word], words[top + 2, word], words[top + 3, word]
            moving = (b >> np.uint64(4) ^ a) & nibbles
            a, b = a ^ moving, b ^ moving << np.uint64(4)
            moving = (d >> np.uint64(4) ^ c) & nibbles
            c, d = c ^ moving, d ^ moving << np.uint64(4)
            moving = (c >> np.uint64(8) ^ a) & octets
            a, c = a ^ moving, c ^ moving << np.uint64(8)
            moving = (d >> np.uint64(8) ^ b) & octets
            b, d = b ^ moving, d ^ moving << np.uint64(8)
            for fields in (a, b, c, d):
                counts[fields & code] += 1
                counts[fields >> np.uint64(16) & code] += 1
                counts[fields >> np.uint64(32) & code] += 1
                counts[fields >> np.uint64(48)] += 1
    bits = 0.0
    for each in range(ctm.size):
        if counts[each]:
            bits += ctm[each] + math.log2(counts[each])
    return bits


# What numba makes of a function has no type that mypy could follow.
LOOPS: dict[str, Callable[..., Any]] = {
    "numba, block by block": bdm_loop,
    "numba, word by word": bdm_word_loop,
}
