"""Closed forms of deep linear networks, against the table of the paper, other theorems and one another."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.errors import ConfigError
from bnnedge.llc.deep_linear import jacobian_rank, learning_coefficient, local_value, normal_crossing

HALF = Fraction(1, 2)

TABLE = [
    *(((3, 4), rank, Fraction(6), 1) for rank in range(4)),
    ((1, 1, 1), 0, HALF, 2),
    ((1, 1, 1), 1, HALF, 1),
    ((1, 1, 1, 1, 1), 0, HALF, 4),
    ((2, 2, 2), 0, Fraction(3, 2), 1),
    ((2, 2, 2), 1, Fraction(2), 2),
    ((5, 3, 5), 0, Fraction(13, 2), 2),
    ((5, 4, 5), 0, Fraction(8), 1),
    *((widths, 0, Fraction(6), 1) for widths in ((4, 3, 8), (8, 3, 4), (3, 8, 4))),
    ((10, 10, 10), 0, Fraction(75, 2), 1),
    ((10, 10, 10), 5, Fraction(47), 2),
    ((10, 10, 10, 10, 10), 5, Fraction(91, 2), 4),
]


@pytest.mark.parametrize(("widths", "rank", "coefficient", "multiplicity"), TABLE)
def test_values_that_can_be_checked_by_hand(
    widths: tuple[int, ...], rank: int, coefficient: Fraction, multiplicity: int
) -> None:
    assert learning_coefficient(widths, rank) == (coefficient, multiplicity)


def reduced_rank_regression(inputs: int, hidden: int, outputs: int, rank: int) -> tuple[Fraction, int]:
    """Aoyagi and Watanabe 2005, Neural Networks 18, theorem 1: two layers, in four cases."""
    m, h, n, r = inputs, hidden, outputs, rank
    if n + r <= m + h and m + r <= n + h and h + r <= m + n:
        if (m + h + n + r) % 2 == 0:
            return Fraction(
                -((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n, 8
            ), 1
        squares = -((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n + 1
        return Fraction(squares, 8), 2
    if m + h < n + r:
        return Fraction(h * m - h * r + n * r, 2), 1
    if n + h < m + r:
        return Fraction(h * n - h * r + m * r, 2), 1
    return Fraction(m * n, 2), 1


def test_two_layers_are_reduced_rank_regression_on_every_small_shape() -> None:
    checked = 0
    for inputs in range(1, 9):
        for hidden in range(1, 9):
            for outputs in range(1, 9):
                for rank in range(min(inputs, hidden, outputs) + 1):
                    found = learning_coefficient((inputs, hidden, outputs), rank)
                    assert found == reduced_rank_regression(inputs, hidden, outputs, rank)
                    checked += 1
    assert checked > 1000


widths_and_rank = st.lists(st.integers(1, 12), min_size=2, max_size=7).flatmap(
    lambda widths: st.tuples(st.just(widths), st.integers(0, min(widths)))
)


@given(widths_and_rank)
def test_one_matrix_is_regular(one: tuple[list[int], int]) -> None:
    widths, rank = one
    ends = [widths[0], widths[-1]]
    assert learning_coefficient(ends, min(rank, *ends)) == (Fraction(ends[0] * ends[1], 2), 1)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_at_rank_0_the_order_of_widths_does_not_matter(widths: list[int]) -> None:
    assert len({learning_coefficient(order, 0) for order in permutations(widths)}) == 1


@given(widths_and_rank)
def test_a_layer_that_is_added_raises_neither_the_coefficient_nor_it_above_the_regular(
    one: tuple[list[int], int],
) -> None:
    widths, rank = one
    coefficient, multiplicity = learning_coefficient(widths, rank)
    deeper, _ = learning_coefficient([widths[0], max(widths), *widths[1:]], rank)
    assert deeper <= coefficient <= Fraction(widths[0] * widths[-1], 2)
    assert multiplicity >= 1


def most_singular(widths: list[int], rank: int) -> list[NDArray[np.float64]]:
    """Weights that keep ``rank`` dimensions from the first layer to the last, and are 0 otherwise."""
    return [np.eye(after, before) * (np.arange(after) < rank)[:, None] for before, after in pairwise(widths)]


@given(widths_and_rank, st.integers(0, 2**32 - 1))
def test_the_local_value_at_the_most_singular_point_is_the_global_one(
    one: tuple[list[int], int], seed: int
) -> None:
    widths, rank = one
    weights = most_singular(widths, rank)
    # Another basis of every hidden layer changes nothing.
    rng = np.random.default_rng(seed)
    bases = [np.linalg.qr(rng.normal(size=(width, width)))[0] for width in widths]
    turned = [bases[i + 1] @ weight @ bases[i].T for i, weight in enumerate(weights)]
    expected = learning_coefficient(widths, rank)[0]
    assert local_value(weights).coefficient == local_value(turned).coefficient == expected


def jacobian(weights: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The derivative of the product by every weight, one layer beside another."""
    blocks = []
    for place in range(len(weights)):
        before, after = np.eye(weights[0].shape[1]), np.eye(weights[place].shape[0])
        for weight in weights[:place]:
            before = weight @ before
        for weight in weights[place + 1 :]:
            after = weight @ after
        blocks.append(np.kron(after, before.T))
    return np.hstack(blocks)


@st.composite
def random_weights(draw: st.DrawFn) -> list[NDArray[np.float64]]:
    """Matrices of any ranks, 0 included."""
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = []
    for before, after in pairwise(widths):
        rank = draw(st.integers(0, min(before, after)))
        weights.append(rng.normal(size=(after, rank)) @ rng.normal(size=(rank, before)))
    return weights


@given(random_weights())
def test_the_rank_of_the_jacobian(weights: list[NDArray[np.float64]]) -> None:
    assert jacobian_rank(weights) == np.linalg.matrix_rank(jacobian(weights), tol=1e-9)


@given(random_weights())
def test_a_local_value_lies_between_the_global_one_and_the_regular(
    weights: list[NDArray[np.float64]],
) -> None:
    widths = [weights[0].shape[1], *(len(weight) for weight in weights)]
    rank = int(np.linalg.matrix_rank(np.linalg.multi_dot([*weights[::-1], np.eye(widths[0])])))
    found = local_value(weights)
    smooth = Fraction(jacobian_rank(weights), 2)
    if found.kind == "unknown":
        assert found.coefficient is None
        return
    assert found.coefficient is not None
    assert learning_coefficient(widths, rank)[0] <= found.coefficient <= Fraction(widths[0] * widths[-1], 2)
    assert (found.coefficient == smooth) == (found.kind == "smooth")


def test_a_smooth_point_of_a_truth_of_low_rank() -> None:
    rng = np.random.default_rng(0)
    low = rng.normal(size=(10, 5)) @ rng.normal(size=(5, 10))
    found = local_value([low, rng.normal(size=(10, 10))])
    assert found.kind == "smooth"
    assert found.coefficient == 50
    assert local_value([low, low.T]).coefficient == learning_coefficient((10, 10, 10), 5)[0] == 47


def test_normal_crossings() -> None:
    assert normal_crossing([1]) == (HALF, 1)
    assert normal_crossing([1, 1]) == (HALF, 2)
    assert normal_crossing([3, 1, 3]) == (Fraction(1, 6), 2)


@pytest.mark.parametrize(("widths", "rank"), [((3,), 0), ((3, 0), 0), ((3, 4), 4), ((3, 4), -1)])
def test_networks_that_cannot_be(widths: tuple[int, ...], rank: int) -> None:
    with pytest.raises(ConfigError):
        learning_coefficient(widths, rank)


def test_powers_and_shapes_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="cross nowhere"):
        normal_crossing([])
    with pytest.raises(ConfigError, match="are no network"):
        local_value([np.eye(3), np.eye(4)])
