"""Total variation along the minimum spanning tree between neurons: the tree that training can make light.

At probabilities 0 and 1 this is the weight of the spanning tree, as :mod:`bnnedge.soft.tree` has it. In
between the two differ in what they take for the distance of two bits. Independent bits with the probabilities
p and q are expected to differ in ``p (1 − q) + (1 − p) q``, which is 1/2 where both are undecided, however
equal: that pushes bits to decide. Here their distance is the total variation ``|p − q|``, 0 wherever neurons
are equal. It is the fused lasso (Tibshirani et al. 2005) on a tree: its pull has the same force however near
two weights have come, so that most of them become equal, and then the gradients of the task move them
together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bnnedge.soft.sampling import WHOLE, Sampling
from bnnedge.soft.tree import lightest_edges

__all__ = ["tree_variation"]


def tree_variation(probabilities: Tensor, sampling: Sampling = WHOLE) -> Tensor:
    """Bits in which the neurons of a layer vary along the tree of its most likely bits, a scalar.

    A neuron is compared with its parent or with the parent's complement, whichever is nearer in bits; which
    tree is lightest, and which of the two is nearer, has no gradient.

    Args:
        probabilities: (outputs, inputs) of P(weight = +1).
        sampling: of the inputs, for the same tree: their variation, scaled, is without bias.
    """
    scale, columns = 1.0, sampling.draw(probabilities.shape[1])
    if columns is not None:
        scale = probabilities.shape[1] / len(columns)
    weight: Tensor = _Variation.apply(probabilities, columns)  # type: ignore[no-untyped-call]
    return weight * scale


class _Variation(torch.autograd.Function):
    """Variation in the columns given, or in all, with its gradient."""

    @staticmethod
    def forward(ctx: Any, probabilities: Tensor, columns: Tensor | None) -> Tensor:
        signs = 2 * probabilities - 1
        bits = torch.ge(signs, 0, out=torch.empty_like(signs)).mul_(2).sub_(1)
        products = bits @ bits.T
        first, second = torch.from_numpy(lightest_edges(-products.abs().cpu().numpy())).to(signs.device)
        turned = torch.where(products[first, second] < 0, -1.0, 1.0).to(signs.dtype)[:, None]
        taken = signs if columns is None else signs[:, columns.to(signs.device)]
        differences = taken[second].mul_(-turned).add_(taken[first])
        pull = differences.sign()
        gradient = torch.zeros_like(taken).index_add_(0, first, pull)
        gradient.index_add_(0, second, pull.mul_(-turned))
        if columns is not None:
            gradient = torch.zeros_like(signs).index_copy_(1, columns.to(signs.device), gradient)
        ctx.save_for_backward(gradient)
        return differences.abs_().sum() / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.saved_tensors[0] * upstream, None
