"""Rank over GF(2): elimination on Python integers, products and spans of known rank, edges, frozen values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity.rank import MEASURES, rank_gf2, rank_gf2_share

Bits = NDArray[np.bool_]

sizes = st.one_of(st.integers(1, 12), st.integers(62, 67), st.integers(127, 130))
bit_arrays = st.tuples(sizes, sizes).flatmap(lambda shape: arrays(bool, shape))


def plain_rank(bits: Bits) -> int:
    """Size of a basis of the rows, as integers with different highest bits."""
    basis: dict[int, int] = {}
    for row in bits.tolist():
        number = int("".join("01"[bit] for bit in row), base=2)
        while number and number.bit_length() in basis:
            number ^= basis[number.bit_length()]
        if number:
            basis[number.bit_length()] = number
    return len(basis)


def rank_of(bits: Bits) -> float:
    return rank_gf2(PackedMatrix.from_bits(bits))


def random_bits(*shape: int, seed: int = 0) -> Bits:
    return np.random.default_rng(seed).random(shape) < 0.5


@given(bit_arrays)
def test_rank_is_that_of_plain_elimination(bits: Bits) -> None:
    assert rank_of(bits) == plain_rank(bits)


@pytest.mark.parametrize(
    "shape", [(64, 64), (63, 65), (65, 63), (130, 128), (40, 300), (300, 40), (200, 200)]
)
@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 0.98])
def test_rank_of_random_matrices(shape: tuple[int, int], density: float) -> None:
    for seed in range(5):
        bits = np.random.default_rng(seed).random(shape) < density
        assert rank_of(bits) == plain_rank(bits)


@pytest.mark.parametrize("rank", [0, 1, 2, 7, 63, 64, 65])
def test_rank_of_a_product(rank: int) -> None:
    """Of factors that have full rank, each with an identity for a part."""
    left = np.vstack([np.eye(rank, dtype=bool), random_bits(100 - rank, rank)])
    right = np.hstack([random_bits(rank, 130 - rank, seed=1), np.eye(rank, dtype=bool)])
    product = left.astype(np.int64) @ right.astype(np.int64) % 2 == 1
    assert rank_of(product[np.random.default_rng(2).permutation(100)]) == rank
    assert rank_gf2_share(PackedMatrix.from_bits(product)) == rank / 100


@given(bit_arrays)
def test_neither_order_nor_transposition_matters(bits: Bits) -> None:
    rng = np.random.default_rng(bits.size)
    shuffled = bits[rng.permutation(bits.shape[0])][:, rng.permutation(bits.shape[1])]
    assert rank_of(shuffled) == rank_of(bits) == rank_of(bits.T)


@given(bit_arrays)
def test_a_complement_has_the_rank_but_for_one(bits: Bits) -> None:
    assert abs(rank_of(~bits) - rank_of(bits)) <= 1


@given(bit_arrays)
def test_a_row_that_is_the_exclusive_or_of_others_adds_nothing(bits: Bits) -> None:
    both = np.vstack([bits, np.logical_xor.reduce(bits[::2], axis=0), bits[:1], np.zeros_like(bits[:1])])
    assert rank_of(both) == rank_of(bits)


@given(bit_arrays)
def test_the_matrix_is_left_as_it_was(bits: Bits) -> None:
    matrix = PackedMatrix.from_bits(bits)
    rank_gf2(matrix)
    assert np.array_equal(matrix.to_bits(), bits)


@pytest.mark.parametrize("columns", [1, 63, 64, 65, 128, 200])
def test_constants_and_single_rows_and_columns(columns: int) -> None:
    for value in (False, True):
        for shape in ((1, columns), (columns, 1), (5, columns)):
            assert rank_of(np.full(shape, value)) == value
    assert rank_of(np.eye(columns, dtype=bool)) == columns
    assert rank_gf2_share(PackedMatrix.from_bits(np.eye(columns, dtype=bool))) == 1


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0)])
def test_without_bits_is_nan(shape: tuple[int, int]) -> None:
    matrix = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
    assert math.isnan(rank_gf2(matrix))
    assert math.isnan(rank_gf2_share(matrix))


def test_random_square_matrices_have_the_full_rank_as_often_as_they_should() -> None:
    """With probability Π (1 − 2^−k) = 0.289, and one less with 0.578."""
    ranks = [rank_of(random_bits(32, 32, seed=seed)) for seed in range(400)]
    assert ranks.count(32) / 400 == pytest.approx(0.289, abs=0.08)
    assert ranks.count(31) / 400 == pytest.approx(0.578, abs=0.08)


def test_frozen_values() -> None:
    seeded = PackedMatrix.from_bits(np.random.default_rng(7).random((61, 133)) < 0.02)
    assert [measure.key for measure in MEASURES] == ["rank_gf2", "rank_gf2_share"]
    assert [measure.of(seeded) for measure in MEASURES] == pytest.approx([58, 58 / 61], rel=1e-12)
    layers = bnnedge.load("digits-tfc").layers
    assert {layer.name: rank_gf2(layer.weights) for layer in layers} == {
        "fc1": 64,
        "fc2": 63,
        "fc3": 64,
        "fc4": 10,
    }
