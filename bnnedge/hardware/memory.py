"""How many memory blocks hold a memory, as FINN counts them."""

from __future__ import annotations

from math import ceil

__all__ = ["block_rams", "lutram_of_smallest"]

# (name, bits wide, words deep) of what FINN+ weighs for small tables, in its order.
_PRIMITIVES = (
    ("URAM", 72, 4096),
    ("URAM", 36, 8192),
    ("URAM", 18, 16384),
    ("URAM", 9, 32768),
    ("BRAM", 36, 512),
    ("BRAM", 18, 1024),
    ("BRAM", 9, 2048),
    ("LUTRAM", 1, 64),
)


def block_rams(width: int, depth: int) -> int:
    """18 Kbit block RAMs of a memory, in simple dual-port mode (FINN-R, Blott et al. 2018, section 4).

    Args:
        width: bits a word.
        depth: words.

    >>> block_rams(36, 512), block_rams(1, 16385), block_rams(40, 600)
    (1, 2, 3)
    """
    if width == 1:
        return ceil(depth / 16384)
    if width == 2:
        return ceil(depth / 8192)
    if width <= 4:
        return ceil(depth / 4096)
    if width <= 9:
        return ceil(depth / 2048)
    if width <= 18 or depth > 512:
        return ceil(depth / 1024) * ceil(width / 18)
    return ceil(depth / 512) * ceil(width / 36)


def lutram_of_smallest(width: int, depth: int) -> tuple[int, int]:
    """(LUTs, 18 Kbit block RAMs) of a table in the primitive that wastes the fewest bits.

    FINN+ weighs UltraRAM on every part; where that wins, neither is counted.
    """

    def count(primitive: tuple[str, int, int]) -> int:
        return ceil(width / primitive[1]) * ceil(depth / primitive[2])

    best = min(_PRIMITIVES, key=lambda kind: count(kind) * kind[1] * kind[2])
    return (count(best) if best[0] == "LUTRAM" else 0, count(best) if best[0] == "BRAM" else 0)
