"""Numbers and bits as hexadecimal words, one a line, as ``$readmemh`` and ``$fscanf`` read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bits_of", "hex_lines"]


def bits_of(numbers: ArrayLike, width: int) -> NDArray[np.bool_]:
    """(depth, numbers) whole numbers as (depth, numbers · width) bits, lowest first, two's complement."""
    planes = np.asarray(numbers, dtype=np.int64)[:, :, None] >> np.arange(width) & 1
    return planes.astype(bool).reshape(len(planes), -1)


def hex_lines(words: NDArray[np.bool_]) -> str:
    r"""Words of (depth, bits) booleans, lowest bit first.

    >>> hex_lines(np.array([[True, False, False, False, True]]))
    '11\n'
    """
    digits = -(-words.shape[1] // 4)
    padded = np.zeros((len(words), 4 * digits), dtype=bool)
    padded[:, : words.shape[1]] = words
    nibbles = np.packbits(padded[:, ::-1].reshape(len(words), digits, 4), axis=2)[:, :, 0] >> 4
    return "".join(f"{''.join(map('{:x}'.format, line))}\n" for line in nibbles.tolist())
