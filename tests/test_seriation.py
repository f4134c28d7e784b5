"""Seriation: the tree by hand, the same bits reordered, one value for all orders, edges, frozen values."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.linalg import hadamard

import bnnedge
from bnnedge import PackedMatrix, bdm
from bnnedge.complexity.seriation import MEASURES, seriate, seriate_rows, seriated_bdm

Bits = NDArray[np.bool_]

bit_arrays = st.tuples(st.integers(0, 20), st.integers(0, 70)).flatmap(lambda shape: arrays(bool, shape))


def disguised(bits: Bits, rng: np.random.Generator) -> Bits:
    """The same layer: neurons and inputs in another order, some complemented."""
    same = rng.permutation(rng.permutation(bits), axis=1)
    flipped: Bits = same ^ (rng.random((len(bits), 1)) < 0.5) ^ (rng.random((1, bits.shape[1])) < 0.5)
    return flipped


def up_to_complement(bits: Bits) -> Counter[tuple[bool, ...]]:
    return Counter(min(tuple(row), tuple(~row)) for row in bits)


def distance(a: Bits, b: Bits) -> int:
    differing = int(np.sum(a != b))
    return min(differing, len(a) - differing)


def chained(bits: Bits) -> list[int]:
    """Average linkage, step by step: the two chains of least mean distance meet at their nearest ends."""
    chains = [[row] for row in range(len(bits))]
    apart = np.array([[distance(a, b) for b in bits] for a in bits])
    while len(chains) > 1:
        pairs = [(a, b) for a in range(len(chains)) for b in range(a)]
        a, b = min(pairs, key=lambda pair: float(apart[np.ix_(chains[pair[0]], chains[pair[1]])].mean()))
        second, first = chains.pop(a), chains.pop(b)
        joints = [left + right for left in (first, first[::-1]) for right in (second, second[::-1])]
        chains.append(min(joints, key=lambda joint: apart[joint[len(first) - 1], joint[len(first)]]))
    return chains[0]


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_that_of_average_linkage(seed: int) -> None:
    rng, distances = np.random.default_rng(seed), [0, 0]
    while len(set(distances)) < len(distances):  # until there are no ties, which another rule would break
        bits = (rng.random((9, 2001)) < rng.random((9, 1))) ^ (rng.random((9, 1)) < 0.5)
        distances = [distance(a, b) for a, b in combinations(bits, 2)]
    seriated = seriate_rows(PackedMatrix.from_bits(bits)).to_bits()
    order = [next(row for row in range(9) if distance(bits[row], each) == 0) for each in seriated]
    assert order in (chained(bits), chained(bits)[::-1])
    assert all(np.sum(a != b) < 1001 for a, b in pairwise(seriated))


@given(bit_arrays)
def test_rows_are_the_same_up_to_order_and_sign(bits: Bits) -> None:
    seriated = seriate_rows(PackedMatrix.from_bits(bits)).to_bits()
    assert seriated.shape == bits.shape
    assert up_to_complement(seriated) == up_to_complement(bits)


@given(bit_arrays)
def test_equal_rows_and_columns_become_neighbours(bits: Bits) -> None:
    seriated = seriate(PackedMatrix.from_bits(bits)).to_bits()
    assert seriated.shape == bits.shape
    for before, after in ((bits, seriated), (bits.T, seriated.T)):
        assert sorted(up_to_complement(after).values()) == sorted(up_to_complement(before).values())
        kinds = [min(tuple(row), tuple(~row)) for row in after]
        assert 1 + sum(a != b for a, b in pairwise(kinds)) == max(1, len(set(kinds)))


@pytest.mark.parametrize("shape", [(24, 31), (40, 40), (33, 130), (64, 64), (130, 29)])
@pytest.mark.parametrize("density", [0.5, 0.2])
def test_order_and_signs_do_not_matter(shape: tuple[int, int], density: float) -> None:
    rng = np.random.default_rng(1)
    bits = rng.random(shape) < density
    value = seriated_bdm(PackedMatrix.from_bits(bits))
    assert {seriated_bdm(PackedMatrix.from_bits(disguised(bits, rng))) for _ in range(5)} == {value}


def test_nor_do_they_where_many_rows_are_of_equal_standing() -> None:
    rng = np.random.default_rng(2)
    few = (rng.random((4, 64)) < 0.5)[rng.integers(4, size=64)]
    band = np.array([np.roll(np.arange(64) < 20, by) for by in range(64)])
    for bits in (few, band, np.eye(64, dtype=bool), np.tri(64, dtype=bool), hadamard(32) > 0):
        value = seriated_bdm(PackedMatrix.from_bits(bits))
        assert {seriated_bdm(PackedMatrix.from_bits(disguised(bits, rng))) for _ in range(4)} == {value}


def test_little_is_left_to_chance_where_such_rows_are_not_interchangeable() -> None:
    rng = np.random.default_rng(2)
    # Of eight different rows two are equally frequent and equally far from the others, but over other inputs.
    bits = (rng.integers(2, size=(64, 3)) @ rng.integers(2, size=(3, 64))) % 2 == 1
    values = [seriated_bdm(PackedMatrix.from_bits(disguised(bits, rng))) for _ in range(8)]
    assert max(values) < 1.05 * min(values)
    assert max(values) < 0.15 * bdm(PackedMatrix.from_bits(bits))


def test_hidden_order_is_found() -> None:
    rng = np.random.default_rng(3)
    for bits in (np.tri(64, dtype=bool), np.arange(64)[:, None] // 16 % 2 == np.arange(64) // 8 % 2):
        hidden = PackedMatrix.from_bits(disguised(bits, rng))
        assert seriated_bdm(hidden) < 0.05 * bdm(hidden)
        assert seriated_bdm(hidden) < 2 * bdm(PackedMatrix.from_bits(bits))


def test_without_a_single_block_there_is_no_value() -> None:
    for shape in ((0, 0), (0, 8), (8, 0), (3, 9), (9, 3), (1, 1)):
        matrix = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
        assert math.isnan(seriated_bdm(matrix))
        assert seriate(matrix).shape == shape


def test_edges() -> None:
    rng = np.random.default_rng(4)
    for shape in ((1, 20), (20, 1)):
        assert seriate(PackedMatrix.from_bits(rng.random(shape) < 0.5)).ones == 0
    assert seriated_bdm(PackedMatrix.from_bits(rng.random((4, 4)) < 0.5)) > 0


def test_a_trained_layer_has_less_than_its_shuffled_bits() -> None:
    weights = bnnedge.load("digits-tfc").layers[1].weights
    bits = np.random.default_rng(5).permutation(weights.to_bits().ravel()).reshape(weights.shape)
    assert seriated_bdm(weights) < 0.95 * seriated_bdm(PackedMatrix.from_bits(bits))
    assert bdm(weights) > 0.98 * bdm(PackedMatrix.from_bits(bits))  # which does not see it


def test_frozen_values() -> None:
    assert [measure.key for measure in MEASURES] == ["seriated_bdm_bits"]
    row, column = np.indices((67, 131))
    matrix = PackedMatrix.from_bits((row * row + 3 * column + row * column // 5) % 7 < 3)
    assert MEASURES[0].of(matrix) == pytest.approx(3085.76654219263, rel=1e-12)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    assert MEASURES[0].of(trained) == pytest.approx(7080.506403219067, rel=1e-12)
