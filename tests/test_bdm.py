"""BDM and block entropy against pybdm 0.1.0, against values that others published, and what BDM must obey."""

from __future__ import annotations

import math
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix, bdm, block_entropy
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.histogram import BLOCK_SHAPES, BOUNDARIES, block_histogram
from bnnedge.errors import ConfigError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pkg_resources is deprecated, and pybdm 0.1.0 imports it
    import pybdm

Bits = NDArray[np.bool_]

PARTITIONS = {
    "ignore": pybdm.PartitionIgnore,
    "correlated": pybdm.PartitionCorrelated,
    "recursive": pybdm.PartitionRecursive,
}
widths = st.one_of(st.integers(1, 20), st.integers(60, 69), st.integers(126, 131))


def structured(rows: int, columns: int, kind: str, seed: int) -> Bits:
    """Random bits of some density, or a pattern with a few of its bits flipped."""
    rng = np.random.default_rng(seed)
    row, column = np.indices((rows, columns))
    patterns = {
        "random": rng.random((rows, columns)) < rng.random(),
        "constant": np.zeros((rows, columns), dtype=bool),
        "checkers": (row + column) % 2 == 0,
        "stripes": column % int(rng.integers(2, 9)) == 0,
        "repeated rows": np.broadcast_to(rng.random(columns) < 0.5, (rows, columns)),
        "outer product": np.outer(rng.random(rows) < 0.5, rng.random(columns) < 0.5),
    }
    bits: Bits = np.logical_xor(patterns[kind], rng.random((rows, columns)) < rng.choice([0, 0.02]))
    return bits


KINDS = ["random", "constant", "checkers", "stripes", "repeated rows", "outer product"]
matrices = st.builds(
    structured, st.integers(1, 13), widths, st.sampled_from(KINDS), st.integers(0, 2**32 - 1)
)


@cache
def reference(boundary: str, dimensions: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pybdm.BDM(ndim=dimensions, partition=PARTITIONS[boundary], raise_if_zero=False)


def assert_as_pybdm(bits: Bits, boundary: str, block_shape: tuple[int, ...]) -> None:
    matrix = PackedMatrix.from_bits(bits)
    judge = reference(boundary, len(block_shape))
    data = bits.astype(np.int64).reshape(bits.shape if len(block_shape) == 2 else -1)
    value, entropy = bdm(matrix, boundary, block_shape), block_entropy(matrix, boundary, block_shape)
    if judge.decompose_and_count(data, lookup_ctm=False):
        assert value == pytest.approx(judge.bdm(data), rel=1e-9)
        assert entropy == pytest.approx(judge.ent(data), rel=1e-9, abs=1e-12)
    else:
        assert math.isnan(value)
        assert math.isnan(entropy)


@settings(max_examples=300)
@given(matrices, st.sampled_from(BOUNDARIES), st.sampled_from(BLOCK_SHAPES))
def test_equal_to_pybdm(bits: Bits, boundary: str, block_shape: tuple[int, ...]) -> None:
    assert_as_pybdm(bits, boundary, block_shape)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("rows", range(1, 9))
def test_equal_to_pybdm_whatever_is_left_at_the_edges(boundary: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    for columns in range(1, 14):
        for block_shape in BLOCK_SHAPES:
            assert_as_pybdm(rng.random((rows, columns)) < 0.5, boundary, block_shape)


def test_published_values_of_matrices(reference_dir: Path) -> None:
    lines = (reference_dir / "pybdm" / "bdm-b2-d4x4-test-input.tsv").read_text().splitlines()
    assert len(lines) == 24
    for line in lines:
        rows, expected = line.split("\t")
        matrix = PackedMatrix.from_bits([[bit == "1" for bit in row] for row in rows.split("-")])
        assert bdm(matrix) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("0" * 24, 26.610413747641715),
        ("0" * 12 + "1" * 12, 51.22082749528343),
        ("0" * 6 + "1" * 12 + "0" * 18 + "1" * 12, 114.06151272200972),
    ],
)
def test_published_values_of_strings(string: str, expected: float) -> None:
    matrix = PackedMatrix.from_bits([[bit == "1" for bit in string]])
    assert bdm(matrix, block_shape=(12,)) == pytest.approx(expected, rel=1e-9)


def test_published_value_of_ones() -> None:
    assert bdm(PackedMatrix.from_bits(np.ones((12, 12), dtype=bool))) == pytest.approx(25.176631293734488)


def test_a_published_network_measures_as_pybdm_measures_it(reference_dir: Path) -> None:
    graph = onnx.load(reference_dir / "qonnx" / "TFC_1W1A.onnx").graph
    weights = [onnx.numpy_helper.to_array(each) for each in graph.initializer if len(each.dims) == 2]
    assert [each.shape for each in weights] == [(64, 784), (64, 64), (64, 64), (10, 64)]
    for each in weights:
        for block_shape in BLOCK_SHAPES:
            assert_as_pybdm(each > 0, "ignore", block_shape)
    assert_as_pybdm(weights[3] > 0, "recursive", (4, 4))
    assert_as_pybdm(weights[3] > 0, "correlated", (4, 4))


def test_pooling_is_pybdm_adding_its_counters() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.random(shape) < 0.2 for shape in ((20, 31), (9, 64), (10, 130))]
    judge = reference("ignore", 2)
    counters = [judge.decompose_and_count(part.astype(np.int64)) for part in parts]
    histograms = [block_histogram(PackedMatrix.from_bits(part)) for part in parts]
    pooled = sum(histograms[1:], start=histograms[0])
    assert bdm_of(pooled) == pytest.approx(judge.compute_bdm(*counters), rel=1e-9)


@given(matrices, st.sampled_from(BOUNDARIES), st.sampled_from(BLOCK_SHAPES))
def test_the_complement_is_as_complex(bits: Bits, boundary: str, block_shape: tuple[int, ...]) -> None:
    value = bdm(PackedMatrix.from_bits(bits), boundary, block_shape)
    complement = bdm(PackedMatrix.from_bits(~bits), boundary, block_shape)
    assert complement == pytest.approx(value, rel=1e-12, nan_ok=True)


def test_repeating_a_matrix_costs_log2_of_the_times_for_each_distinct_block() -> None:
    bits = np.random.default_rng(4).random((16, 64)) < 0.5
    once = block_histogram(PackedMatrix.from_bits(bits))
    often = PackedMatrix.from_bits(np.tile(bits, (8, 1)))
    assert bdm(often) == pytest.approx(bdm_of(once) + 3 * once.distinct, rel=1e-12)


def test_order_is_simpler_than_chance() -> None:
    rng = np.random.default_rng(6)
    bits = rng.random((64, 64)) < 0.5
    ordered = np.sort(bits.ravel()).reshape(64, 64)
    assert bdm(PackedMatrix.from_bits(ordered)) < 0.1 * bdm(PackedMatrix.from_bits(bits))


def test_frozen_values() -> None:
    row, column = np.indices((67, 131))
    matrix = PackedMatrix.from_bits((row * row + 3 * column + row * column // 5) % 7 < 3)
    values = [bdm(matrix, boundary, block_shape) for boundary in BOUNDARIES for block_shape in BLOCK_SHAPES]
    expected = [
        *(13446.026407156864, 7120.600559984522),
        *(30699.105628517573, 14051.482358533627),
        *(14252.436982715408, 7132.109533981869),
    ]
    assert values == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(0, 0), (0, 12), (12, 0), (3, 3), (1, 11)])
def test_without_a_single_block_there_is_no_value(shape: tuple[int, int]) -> None:
    matrix = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
    for boundary in ("ignore", "correlated"):
        for block_shape in BLOCK_SHAPES:
            assert math.isnan(bdm(matrix, boundary, block_shape))


def test_unknown_rules_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    with pytest.raises(ConfigError, match="no boundary rule 'mirror'"):
        bdm(matrix, "mirror")
    with pytest.raises(ConfigError, match=r"blocks of shape \(8, 8\)"):
        bdm(matrix, block_shape=(8, 8))
