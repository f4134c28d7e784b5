"""Average linkage: the merges that SciPy finds, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from bnnedge.complexity.linkage import average_linkage


def distances(rows: int, most: int, seed: int) -> np.ndarray:
    """Whole numbers up to ``most``: the fewer there are, the more ties."""
    upper = np.triu(np.random.default_rng(seed).integers(0, most + 1, (rows, rows)), 1)
    return (upper + upper.T).astype(np.int32)


@given(st.integers(2, 40), st.sampled_from([0, 1, 2, 5, 50, 1000]), st.integers(0, 2**32 - 1))
def test_merges_are_scipys(rows: int, most: int, seed: int) -> None:
    some = distances(rows, most, seed)
    expected = linkage(squareform(some, checks=False), method="average")[:, :2]
    assert average_linkage(some).tolist() == expected.tolist()


@pytest.mark.parametrize("rows", [200, 500])
def test_merges_of_hamming_distances_are_scipys(rows: int) -> None:
    signs = np.where(np.random.default_rng(rows).random((rows, 64)) < 0.5, 1, -1)
    some = (64 - np.abs(signs @ signs.T)).astype(np.int32)
    before = some.copy()
    expected = linkage(squareform(some, checks=False), method="average")[:, :2]
    assert average_linkage(some).tolist() == expected.tolist()
    assert np.array_equal(some, before)


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_to_merge(rows: int) -> None:
    assert average_linkage(distances(rows, 3, 0)).shape == (0, 2)
