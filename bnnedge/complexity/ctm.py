"""Complexity of single blocks, by the Coding Theorem Method: the tables that BDM looks up.

A block's CTM value is −log2 of how often small Turing machines, run on a blank tape, halt with just that
block on it (strings: Soler-Toscano et al., PLoS ONE 9(5) e96223, 2014; squares, by machines on a plane: Zenil
et al., PeerJ Computer Science 1:e23, 2015). The values are pybdm's, to the bit; scripts/build_ctm makes the
shipped file from an installed pybdm and checks it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError

__all__ = ["CTM_SHAPES", "ctm_table"]

CTM_SHAPES: tuple[tuple[int, ...], ...] = ((4, 4), (3, 3), (2, 2), *((bits,) for bits in range(12, 1, -1)))


@cache
def ctm_table(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """CTM values of all the blocks of one shape, in bits, indexed by block code.

    A block's code reads its bits row by row as one binary number, the first bit the most significant. A
    block and its complement have the same value. The table is read on first use and kept; it is read-only.

    Args:
        shape: (4, 4), (3, 3), (2, 2), or (n,) with n from 12 down to 2.

    Returns:
        (2**bits,) float64, bits being the block's size.

    Raises:
        ConfigError: there is no table for that shape.

    >>> table = ctm_table((4, 4))
    >>> [round(float(table[code]), 4) for code in (0b0000_0000_0000_0000, 0b1101_0001_0110_0011)]
    [22.0067, 31.3124]
    """
    if shape not in CTM_SHAPES:
        raise ConfigError(
            f"no CTM table for blocks of shape {shape}",
            f"there are tables for {', '.join(map(str, CTM_SHAPES))}",
        )
    with np.load(Path(__file__).with_name("ctm.npz"), allow_pickle=False) as file:
        table: NDArray[np.float64] = file["x".join(map(str, shape))]
    table.setflags(write=False)
    return table
