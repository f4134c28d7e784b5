"""The expected 4x4 block histogram of weights that are +1 with given probabilities.

Weights are independent, so the distribution of a block over its 65,536 patterns is the outer product of those
of its upper and its lower eight bits, 256 numbers each, and the expected histogram of N blocks is one matrix
product, ``H = Lᵀ R`` of (N, 256) and (N, 256). It is exact; its gradient is two more products.

Block codes and the boundary rule are those of :mod:`bnnedge.complexity.histogram`, ``ignore``: blocks side by
side, what is left at the edges is in no block.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bnnedge.soft.distributions import gradient_of_bits, levels
from bnnedge.soft.sampling import WHOLE, Sampling

__all__ = ["PATTERNS", "blocks_of", "expected_histogram", "place_values"]

SIDE = 4
PATTERNS = 1 << SIDE * SIDE
# Blocks to hold the two factors of at a time: 16 MiB in float32.
_CHUNK = 1 << 13


def blocks_of(probabilities: Sequence[Tensor]) -> Tensor:
    """The whole 4x4 blocks of all layers: (blocks, 16), the bits in the order of a block's code.

    Args:
        probabilities: a (outputs, inputs) tensor of P(weight = +1) for each layer.
    """
    return torch.cat([_blocks(layer) for layer in probabilities])


def place_values(blocks: Tensor) -> Tensor:
    """(16,) what a one at each place of a block adds to its code, of the type and device of (blocks, 16)."""
    return _place_values(blocks.dtype, blocks.device)


@cache
def _place_values(dtype: torch.dtype, device: torch.device) -> Tensor:
    return 2.0 ** torch.arange(SIDE * SIDE - 1, -1, -1, dtype=dtype, device=device)


def expected_histogram(blocks: Tensor, sampling: Sampling = WHOLE) -> Tensor:
    """Expected number of blocks of each code; differentiable once.

    Of a sample, the histogram of the most likely patterns of all blocks is corrected by what the drawn blocks
    differ from it: ``C + N/n Σ (distribution − most likely pattern)``. That is unbiased, and where all
    probabilities are 0 or 1 it is exact, whatever is drawn. What a curved function reads off it is biased:
    BDM and block entropy of a sample, unlike CTM, are in the mean not those of the whole.

    Args:
        blocks: (blocks, 16) probabilities of ones, as ``blocks_of`` gives them.
        sampling: of the blocks.

    Returns:
        (65536,) of the type of the blocks; of a sample, numbers may be negative.
    """
    drawn = sampling.draw(len(blocks))
    if drawn is None:
        return _product(blocks)
    drawn = drawn.to(blocks.device)
    codes = _likely_codes(blocks)
    scale = len(blocks) / len(drawn)
    counts = torch.bincount(codes, minlength=PATTERNS).to(blocks.dtype)
    counts.sub_(torch.bincount(codes[drawn], minlength=PATTERNS), alpha=scale)
    return torch.add(counts, _product(blocks[drawn]), alpha=scale)


def _likely_codes(blocks: Tensor) -> Tensor:
    """(blocks,) int64 codes of the most likely pattern of each block; an even chance is a 1."""
    return ((blocks.detach() >= 0.5).to(blocks.dtype) @ place_values(blocks)).long()


def _product(blocks: Tensor) -> Tensor:
    histogram: Tensor = _Product.apply(blocks)  # type: ignore[no-untyped-call]
    return histogram


class _Product(torch.autograd.Function):
    """``Lᵀ R`` of blocks, a chunk at a time; the factors are made again for the gradient."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor) -> Tensor:
        ctx.save_for_backward(blocks)
        histogram = blocks.new_zeros(256, 256)
        for chunk in torch.split(blocks, _CHUNK):
            factors = levels(chunk, 2)[-1]
            histogram.addmm_(factors[:, 0].T, factors[:, 1])
        return histogram.flatten()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (blocks,) = ctx.saved_tensors
        upstream = upstream.view(256, 256)
        return torch.cat([_chunk_gradient(chunk, upstream) for chunk in torch.split(blocks, _CHUNK)])


def _chunk_gradient(blocks: Tensor, upstream: Tensor) -> Tensor:
    """(blocks, 16) gradients, of that of the histogram as (256, 256)."""
    *below, last = levels(blocks, 2)
    factors = torch.stack((last[:, 1] @ upstream.T, last[:, 0] @ upstream), dim=1)
    return gradient_of_bits(below, factors)


def _blocks(layer: Tensor) -> Tensor:
    rows, columns = (size - size % SIDE for size in layer.shape)
    tiles = layer[:rows, :columns].reshape(rows // SIDE, SIDE, columns // SIDE, SIDE)
    return tiles.transpose(1, 2).reshape(-1, SIDE * SIDE)
