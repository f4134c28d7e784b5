"""Weight of the minimum spanning tree between neurons, by its edges: corrections that an unrolled layer adds.

A neuron's popcount is its tree parent's and a correction where the two differ, or agree, if that is less.
With s = 2 P(weight = +1) − 1 neurons i and k are expected to differ in ``(n − s_i · s_k) / 2`` of n inputs,
up to complement in ``(n − |s_i · s_k|) / 2``. The lightest tree is found for the probabilities as they are,
and its weight is differentiated edge by edge: almost everywhere a small step does not change which tree is
lightest, so this is the gradient of the minimum itself. At probabilities 0 and 1 the weight is the hard one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from bnnedge.soft.sampling import WHOLE, Sampling

__all__ = ["lightest_edges", "spanning_tree_weight"]


def spanning_tree_weight(probabilities: Tensor, sampling: Sampling = WHOLE) -> Tensor:
    """Expected bits in which the neurons of a layer differ from their parents, a scalar; 0 for one neuron.

    Args:
        probabilities: (outputs, inputs).
        sampling: of the neurons; the tree over those, scaled to the number of edges of the whole, is biased
            upwards, since each has fewer others to be near to.
    """
    drawn = sampling.draw(len(probabilities))
    neurons = probabilities
    if drawn is not None and len(drawn) > 1:
        neurons = probabilities[drawn.to(probabilities.device)]
    weight: Tensor = _Weight.apply(neurons)  # type: ignore[no-untyped-call]
    return weight * ((len(probabilities) - 1) / max(1, len(neurons) - 1))


class _Weight(torch.autograd.Function):
    """The lightest tree's weight, with the gradients of its edges alone."""

    @staticmethod
    def forward(ctx: Any, probabilities: Tensor) -> Tensor:
        signs = 2 * probabilities - 1
        products = signs @ signs.T
        edges = torch.from_numpy(lightest_edges(-products.abs().cpu().numpy())).to(signs.device)
        first, second = edges
        along = products[first, second]
        turned = along.sign()[:, None]
        gradient = torch.zeros_like(signs)
        gradient.index_add_(0, first, turned * signs[second], alpha=-1)
        gradient.index_add_(0, second, turned * signs[first], alpha=-1)
        ctx.save_for_backward(gradient)
        return (signs.shape[1] - along.abs()).sum() / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (gradient,) = ctx.saved_tensors
        scaled: Tensor = gradient * upstream
        return scaled


def lightest_edges(distances: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """A minimum spanning tree, as (2, nodes − 1) ends of edges, of symmetric (nodes, nodes) distances.

    Borůvka's algorithm, which takes log2(nodes) rounds of a few whole-array operations: each component takes
    the lightest edge that leaves it. Of edges as light the one with lower ends comes first, so that no cycle
    can close. The diagonal is not read; ``distances`` is overwritten.
    """
    nodes = np.arange(len(distances))
    component, count = nodes, len(nodes)
    edges: list[NDArray[np.int64]] = [np.empty((2, 0), dtype=np.int64)]
    while count > 1:
        distances[component[:, None] == component] = np.inf
        nearest = distances.argmin(axis=1)
        lower = np.minimum(nodes, nearest) * len(nodes) + np.maximum(nodes, nearest)
        order = np.lexsort((lower, distances[nodes, nearest], component))
        of = component[order]
        first = order[np.flatnonzero(np.append(True, of[1:] != of[:-1]))]
        component, count, kept = _joined(component, component[nearest[first]])
        edges.append(np.stack((first, nearest[first]))[:, kept])
    return np.concatenate(edges, axis=1)


def _joined(
    component: NDArray[np.int64], target: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int, NDArray[np.bool_]]:
    """Components after each has joined the one it is lightest connected to.

    Args:
        component: (nodes,) the component of each node, from 0.
        target: (components,) the component that each joins.

    Returns:
        (nodes,) new components, from 0, their number, and (components,) whose edge is new: two that join each
        other do so by one edge.
    """
    own = np.arange(len(target))
    mutual = target[target] == own
    root = np.where(mutual & (own < target), own, target)
    while (root[root] != root).any():
        root = root[root]
    labels = np.cumsum(root == own) - 1
    return labels[root[component]], int(labels[-1]) + 1, ~mutual | (own < target)
