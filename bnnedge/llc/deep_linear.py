"""Deep linear networks, whose learning coefficient is known: the truth that estimators are held against.

A network of widths H_0, …, H_L multiplies L matrices; the loss is least where their product is that of the
truth, of rank r. Aoyagi ("Consideration on the learning efficiency of multiple-layered neural networks with
linear units", Neural Networks 172, 2024) gives the learning coefficient at the most singular such point. At
another the local value is larger: half the rank of the Jacobian where the zeros of the loss are smooth, and
with two layers a closed form at every point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError

__all__ = ["LocalValue", "jacobian_rank", "learning_coefficient", "local_value", "normal_crossing"]


def learning_coefficient(widths: Sequence[int], rank: int) -> tuple[Fraction, int]:
    """The global learning coefficient of a deep linear network, and its multiplicity (Aoyagi 2024).

    Args:
        widths: H_0, …, H_L, at least two, each at least 1.
        rank: of the true product, 0 to the least width.

    Returns:
        The real log canonical threshold λ, exactly, and the order m of the pole.

    Raises:
        ConfigError: widths or a rank that cannot be.

    >>> learning_coefficient([10, 10, 10], 5)
    (Fraction(47, 1), 2)
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ConfigError(f"widths {list(widths)} are no network", "expected two or more, each at least 1")
    if not 0 <= rank <= min(widths):
        raise ConfigError(f"no product of these widths has rank {rank}", f"expected 0 to {min(widths)}")
    ends = Fraction(rank * (widths[0] + widths[-1] - rank), 2)
    at_zero, multiplicity = _at_zero(sorted(width - rank for width in widths))
    return ends + at_zero, multiplicity


def _at_zero(excess: list[int]) -> tuple[Fraction, int]:
    """λ and m of a product of matrices at 0, of the sorted dimensions between and around them."""
    if excess[0] == 0:
        return Fraction(0), 1
    for layers in range(1, len(excess)):
        chosen, rest = excess[: layers + 1], excess[layers + 1 :]
        total = sum(chosen)
        if layers * chosen[-1] < total and all(total <= layers * width for width in rest[:1]):
            break
    middle = ceil(Fraction(total, layers))
    over = total - (middle - 1) * layers
    squares = sum(width * width for width in chosen)
    value = (
        Fraction(over * (layers - over), 4 * layers)
        - Fraction((layers - 1) * total * total, 4 * layers)
        + Fraction(total * total - squares, 4)
    )
    return value, over * (layers - over) + 1


def normal_crossing(powers: Sequence[int]) -> tuple[Fraction, int]:
    """λ and m at 0 of a loss ``Π w_i^(2 k_i)`` (Watanabe 2009, section 2.4).

    >>> normal_crossing([1, 1, 2])
    (Fraction(1, 4), 1)
    """
    if not powers or min(powers) < 1:
        raise ConfigError(f"powers {list(powers)} cross nowhere", "expected at least one, each at least 1")
    most = max(powers)
    return Fraction(1, 2 * most), list(powers).count(most)


@dataclass(frozen=True)
class LocalValue:
    """What is known of the learning coefficient at a point.

    Attributes:
        coefficient: λ there; None where no truth is known.
        kind: which truth it is: ``smooth``, half the Jacobian's rank; ``singular``, that and Aoyagi's
            value of the product that is left at 0; ``unknown``.
    """

    coefficient: Fraction | None
    kind: Literal["smooth", "singular", "unknown"]


def local_value(weights: Sequence[NDArray[np.floating]]) -> LocalValue:
    """The local learning coefficient of a deep linear network at its own weights.

    The layers' maps are taken apart into intervals: dimensions that are made at one place, kept through some
    layers and dropped at another. A small change of the weights can join an interval that ends to one that
    has begun and goes on. Where one join leads from inputs to outputs, the product changes at first order:
    such directions are counted by the Jacobian's rank. Where it takes several, through intervals that touch
    neither end, they multiply; if each place of that way is joined to all of the next, this is another deep
    linear network, at 0.

    Args:
        weights: W_1, …, W_L, each (H_i, H_{i−1}).

    Raises:
        ConfigError: shapes that do not follow one another.
    """
    smooth = Fraction(jacobian_rank(weights), 2)
    stages = _stages(_intervals(weights), len(weights))
    if stages is None:
        return LocalValue(None, "unknown")
    if not stages:
        return LocalValue(smooth, "smooth")
    return LocalValue(smooth + _at_zero(sorted(stages))[0], "singular")


def jacobian_rank(weights: Sequence[NDArray[np.floating]]) -> int:
    """Rank of the derivative of ``W_L … W_1`` by all weights.

    A layer moves the product within the images of the layers after it times the row space of those before
    it. The first grow and the second shrink from layer to layer, so that their dimensions tell the sum's.
    """
    ranks, layers = _ranks(weights), len(weights)
    after = [0, *(ranks[place, layers] for place in range(1, layers + 1))]
    return sum((after[i] - after[i - 1]) * ranks[0, i - 1] for i in range(1, layers + 1))


Interval = tuple[int, int]


def _ranks(weights: Sequence[NDArray[np.floating]]) -> dict[Interval, int]:
    """Rank of the product from the outputs of layer i to those of layer j, for i <= j; 0 are the inputs."""
    shapes = [weight.shape for weight in weights]
    if (
        not shapes
        or any(len(shape) != 2 for shape in shapes)
        or any(before[0] != after[1] for before, after in pairwise(shapes))
    ):
        raise ConfigError(f"matrices of shapes {shapes} are no network", "expected (H_i, H_(i-1)) one by one")
    ranks = {(0, 0): shapes[0][1]} | {(i, i): shape[0] for i, shape in enumerate(shapes, start=1)}
    for start in range(len(weights)):
        product = np.eye(shapes[start][1])
        for end in range(start + 1, len(weights) + 1):
            product = weights[end - 1].astype(np.float64) @ product
            ranks[start, end] = int(np.linalg.matrix_rank(product))
    return ranks


def _intervals(weights: Sequence[NDArray[np.floating]]) -> dict[Interval, int]:
    """How many dimensions are made at i and last kept at j, where there are any."""
    ranks = _ranks(weights)
    found = {
        (i, j): rank - ranks.get((i - 1, j), 0) - ranks.get((i, j + 1), 0) + ranks.get((i - 1, j + 1), 0)
        for (i, j), rank in ranks.items()
    }
    return {interval: many for interval, many in found.items() if many}


def _joins(one: Interval, other: Interval) -> bool:
    """Whether a change of one layer leads from where an interval ends into another."""
    return one[0] < other[0] <= one[1] + 1 <= other[1]


def _stages(intervals: dict[Interval, int], layers: int) -> list[int] | None:
    """Dimensions of the product at 0 that is left at second order, if any; None: what is left is none."""
    inner = {one for one in intervals if one[0] > 0 and one[1] < layers}
    ends = {one for one in intervals if one[0] > 0 and one[1] == layers}
    stage = {one for one in intervals if one[0] == 0 and one[1] < layers}
    # What matters are ways of at least two joins, from the inputs through inner ones to the outputs.
    leading = _leading(inner, ends)
    stage = {one for one in stage if any(_joins(one, other) for other in leading)}
    ends = _reached(stage, leading, ends)
    if not stage:
        return []
    if any(_joins(one, other) for one in stage for other in ends):
        return None
    dimensions, reachable = [], leading | ends
    while stage != ends:
        dimensions.append(sum(intervals[one] for one in stage))
        following = [{other for other in reachable if _joins(one, other)} for one in stage]
        if any(one != following[0] for one in following) or (following[0] & ends and following[0] != ends):
            return None
        stage = following[0]
    return [*dimensions, sum(intervals[one] for one in ends)]


def _leading(inner: set[Interval], ends: set[Interval]) -> set[Interval]:
    """The inner intervals from which joins lead to the outputs."""
    found: set[Interval] = set()
    while more := {one for one in inner - found if any(_joins(one, other) for other in found | ends)}:
        found |= more
    return found


def _reached(stage: set[Interval], leading: set[Interval], ends: set[Interval]) -> set[Interval]:
    """The ends to which joins lead through inner intervals."""
    found: set[Interval] = set()
    while more := {other for other in leading - found if any(_joins(one, other) for one in stage | found)}:
        found |= more
    return {other for other in ends if any(_joins(one, other) for one in found)}
