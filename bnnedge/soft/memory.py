"""Bits that a folded engine stores for a layer's weights as a dictionary of 4x4 blocks.

As :mod:`bnnedge.hardware.folded.memories` lays it out: each block is a word of the dictionary, ``⌈log2 E⌉``
bits (at least one) for E entries of 16 bits, with a copy of the dictionary for each block that is read at a
time. Weights at the edges, in no whole block, are stored as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["dictionary_bits", "edge_bits"]

_SIDE = 4
_BLOCK_BITS = _SIDE * _SIDE


def edge_bits(layer: Tensor) -> int:
    """Weights of a (outputs, inputs) layer that are in no whole block."""
    rows, columns = (size // _SIDE * _SIDE for size in layer.shape)
    return layer.numel() - rows * columns


def dictionary_bits(distinct: Tensor, blocks: int, *, lanes: int = 1) -> Tensor:
    """Bits of the words and the dictionary: ``N ⌈log2 E⌉ + 16 lanes E``, a scalar.

    The step of ⌈log2 E⌉ has no useful slope: the gradient is that of ``N log2 E + 16 lanes E``.

    Args:
        distinct: E, expected number of distinct blocks, a scalar; taken for 1 where a sample says less.
        blocks: N.
        lanes: blocks read at a time, PE · SIMD / 16 of the folding.
    """
    entries = distinct.clamp(min=1)
    width = entries.log2()
    with torch.no_grad():
        mantissa, exponent = torch.frexp(entries)  # exact, where a logarithm may be just above a whole number
        whole = (exponent - (mantissa == 0.5).int()).clamp(min=1).to(entries.dtype)
    return blocks * (whole + width - width.detach()) + _BLOCK_BITS * lanes * entries
