"""Minimum spanning trees: SciPy's, the tree itself, what leaves it as it is, edges, frozen values."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.sparse import csgraph

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity import spanning
from bnnedge.complexity.spanning import (
    MEASURES,
    minimum_spanning_tree,
    spanning_tree_inputs,
    spanning_tree_neurons,
)

Bits = NDArray[np.bool_]

bit_arrays = st.tuples(st.integers(0, 20), st.integers(0, 150)).flatmap(lambda shape: arrays(bool, shape))
# Up to how many rows a matrix counts as small: a few, so that both ways to find a tree are gone.
small_rows = st.sampled_from([5, 1 << 11])


def reference(bits: Bits) -> float:
    """The weight as SciPy finds it; it takes a distance of 0 for no edge, so every edge weighs 1 more."""
    differing = (bits[:, None, :] != bits[None, :, :]).sum(axis=-1)
    distances = np.minimum(differing, bits.shape[1] - differing)
    return float(csgraph.minimum_spanning_tree(distances + 1).sum()) - (len(bits) - 1)


@given(bit_arrays, small_rows)
def test_as_light_as_scipys(bits: Bits, small: int) -> None:
    matrix = PackedMatrix.from_bits(bits)
    for of, rows in ((spanning_tree_neurons, bits), (spanning_tree_inputs, bits.T)):
        with patch.object(spanning, "_SMALL_ROWS", small):
            weight = of(matrix)
        if len(rows) < 2 or not rows.size:
            assert math.isnan(weight)
        else:
            assert weight == reference(rows)


@given(bit_arrays, small_rows)
def test_it_is_a_tree_of_that_weight(bits: Bits, small: int) -> None:
    with patch.object(spanning, "_SMALL_ROWS", small):
        tree = minimum_spanning_tree(PackedMatrix.from_bits(bits))
    assert tree.parents.shape == tree.complemented.shape == (len(bits),)
    weight = 0
    for row, parent in enumerate(tree.parents):
        assert (parent < 0) == (row == 0)
        if row:
            weight += int(np.sum(bits[row] ^ bits[parent] ^ tree.complemented[row]))
        steps, above = 0, row
        while above > 0:
            steps, above = steps + 1, int(tree.parents[above])
        assert above == 0 or not row
        assert steps < max(1, len(bits))
    assert tree.weight == weight


@pytest.mark.parametrize("words", [1, 300, 1 << 20])
def test_slices_of_words_add_up(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    bits = np.random.default_rng(1).random((90, 700)) < 0.3
    monkeypatch.setattr(spanning, "_SLICE_WORDS", words)
    monkeypatch.setattr(spanning, "_SMALL_ROWS", 0)
    assert spanning_tree_neurons(PackedMatrix.from_bits(bits)) == reference(bits)


def test_rows_too_long_for_16_bits() -> None:
    bits = np.random.default_rng(2).random((3, 300_000)) < 0.5
    bits[1] = ~bits[0]
    bits[1, :70_000] = bits[0, :70_000]
    matrix = PackedMatrix.from_bits(bits)
    assert spanning_tree_neurons(matrix) == reference(bits)
    assert minimum_spanning_tree(matrix).complemented[1]


@given(bit_arrays, st.integers(0, 2**32 - 1))
def test_order_and_signs_do_not_matter(bits: Bits, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same = rng.permutation(rng.permutation(bits), axis=1)
    same = same ^ (rng.random((len(bits), 1)) < 0.5) ^ (rng.random((1, bits.shape[1])) < 0.5)
    for of in (spanning_tree_neurons, spanning_tree_inputs):
        before, after = (of(PackedMatrix.from_bits(each)) for each in (bits, same))
        np.testing.assert_equal(after, before)


def test_planted_copies_cost_nothing_and_planted_flips_what_they_are() -> None:
    rng = np.random.default_rng(3)
    bits = np.repeat(rng.random((1, 200)) < 0.5, 9, axis=0)
    bits[4:] = ~bits[4:]
    assert spanning_tree_neurons(PackedMatrix.from_bits(bits)) == 0
    assert spanning_tree_inputs(PackedMatrix.from_bits(bits)) == 0
    for row in range(9):
        bits[row, 5 * row : 5 * row + 5] ^= True
    # A star: from its middle, no row of the nine, each is 5 bits away, and any two of them are 10.
    assert spanning_tree_neurons(PackedMatrix.from_bits(bits)) == 80


def test_edges() -> None:
    for shape in ((0, 0), (0, 5), (5, 0), (1, 1)):
        matrix = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
        assert all(math.isnan(measure.of(matrix)) for measure in MEASURES)
        assert minimum_spanning_tree(matrix).weight == 0
    row = PackedMatrix.from_bits([[True, False, True]])
    assert math.isnan(spanning_tree_neurons(row))
    assert spanning_tree_inputs(row) == 0
    tree = minimum_spanning_tree(row)
    assert (tree.parents.tolist(), tree.complemented.tolist()) == ([-1], [False])


def test_a_trained_layer_has_less_than_its_shuffled_bits() -> None:
    weights = bnnedge.load("digits-tfc").layers[1].weights
    bits = np.random.default_rng(4).permutation(weights.to_bits().ravel()).reshape(weights.shape)
    for of in (spanning_tree_neurons, spanning_tree_inputs):
        assert of(weights) < 0.9 * of(PackedMatrix.from_bits(bits))


def test_frozen_values() -> None:
    assert [measure.key for measure in MEASURES] == [
        "spanning_tree_neurons_bits",
        "spanning_tree_inputs_bits",
    ]
    row, column = np.indices((67, 131))
    matrix = PackedMatrix.from_bits((row * row + 3 * column + row * column // 5) % 7 < 3)
    assert [measure.of(matrix) for measure in MEASURES] == [1305, 729]
    trained = bnnedge.load("digits-tfc").layers[0].weights
    assert [measure.of(trained) for measure in MEASURES] == [1246, 1212]
