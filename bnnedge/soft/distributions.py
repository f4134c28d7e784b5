"""The distribution of a word of bits over its patterns: the outer product of those of its halves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["distributions", "gradient_of_bits", "levels"]


def distributions(bits: Tensor) -> Tensor:
    """(words, bits) probabilities of ones, bits a power of two, to (words, 2**bits); differentiable once.

    A pattern's place reads its bits as a binary number, the first bit the most significant.

    >>> distributions(torch.tensor([[1.0, 0.25]]))
    tensor([[0.0000, 0.0000, 0.7500, 0.2500]])
    """
    made: Tensor = _Distributions.apply(bits)  # type: ignore[no-untyped-call]
    return made


def levels(bits: Tensor, words: int) -> list[Tensor]:
    """Distributions of single bits, of pairs, of fours and so on: (rows, bits, 2), (rows, bits / 2, 4), more.

    Args:
        bits: (rows, bits) probabilities of ones.
        words: parts of a row at which to stop.
    """
    found = [torch.stack((1 - bits, bits), dim=-1)]
    while found[-1].shape[1] > words:
        last = found[-1]
        found.append((last[:, 0::2, :, None] * last[:, 1::2, None, :]).flatten(2))
    return found


def gradient_of_bits(below: list[Tensor], upstream: Tensor) -> Tensor:
    """(rows, bits) gradients of probabilities, of that of the last level.

    Args:
        below: all the levels before it.
        upstream: of the shape of the last level.
    """
    for level in reversed(below):
        first, second = level[:, 0::2], level[:, 1::2]
        wide = upstream.reshape(*first.shape, level.shape[2])
        # Matrix products, which take less time than to multiply and to sum up.
        halves = ((wide @ second[..., None])[..., 0], (first[..., None, :] @ wide)[..., 0, :])
        upstream = torch.stack(halves, dim=2).flatten(1, 2)
    return upstream[..., 1] - upstream[..., 0]


class _Distributions(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bits: Tensor) -> Tensor:
        *below, last = levels(bits, 1)
        ctx.save_for_backward(*below)
        return last[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return gradient_of_bits(list(ctx.saved_tensors), upstream[:, None])
