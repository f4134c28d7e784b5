"""Aligned patterns: plain counting, what leaves them as they are, edges, frozen values."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity import aligned
from bnnedge.complexity.aligned import (
    GROUPS,
    MEASURES,
    aligned_entropy,
    aligned_patterns,
    pattern_multiplicities,
)
from bnnedge.errors import ConfigError

Bits = NDArray[np.bool_]

bit_arrays = st.tuples(st.integers(0, 20), st.integers(0, 150)).flatmap(lambda shape: arrays(bool, shape))
groups = st.sampled_from(GROUPS)


def counted(bits: Bits, group: int) -> list[Counter[tuple[bool, ...]]]:
    """How often each pattern occurs, up to complement, in each group of inputs."""
    return [
        Counter(min(tuple(row), tuple(~row)) for row in bits[:, start : start + group])
        for start in range(0, bits.shape[1], group)
    ]


@given(bit_arrays, groups)
def test_equal_to_plain_counting(bits: Bits, group: int) -> None:
    matrix, counters = PackedMatrix.from_bits(bits), counted(bits, group)
    patterns, entropy = aligned_patterns(matrix, group), aligned_entropy(matrix, group)
    if not bits.size:
        assert math.isnan(patterns)
        assert math.isnan(entropy)
        return
    assert patterns == sum(len(counter) for counter in counters)
    if len(bits) == 1:
        assert math.isnan(entropy)
        return
    shares = [np.array(list(counter.values())) / len(bits) for counter in counters]
    assert entropy == pytest.approx(np.mean([-np.sum(some * np.log2(some)) for some in shares]), abs=1e-9)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("strip", [1, 13, 25 * 18])
def test_strips_of_columns_add_up(monkeypatch: pytest.MonkeyPatch, group: int, strip: int) -> None:
    bits = np.random.default_rng(1).random((25, 400)) < 0.2
    monkeypatch.setattr(aligned, "_STRIP_BYTES", strip)
    expected = Counter(times for counter in counted(bits, group) for times in counter.values())
    multiplicities = pattern_multiplicities(PackedMatrix.from_bits(bits), group)
    assert {int(times): int(multiplicities[times]) for times in np.flatnonzero(multiplicities)} == expected


@given(bit_arrays, groups, st.integers(0, 2**32 - 1))
def test_order_and_signs_of_neurons_do_not_matter(bits: Bits, group: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same = rng.permutation(bits) ^ (rng.random((len(bits), 1)) < 0.5)
    same ^= rng.random((1, bits.shape[1])) < 0.5  # nor do signs of inputs
    before = pattern_multiplicities(PackedMatrix.from_bits(bits), group)
    assert np.array_equal(pattern_multiplicities(PackedMatrix.from_bits(same), group), before)


@pytest.mark.parametrize("group", GROUPS)
def test_order_of_groups_does_not_matter_but_that_of_inputs_does(group: int) -> None:
    rng = np.random.default_rng(2)
    few = rng.random((3, 10, group)) < 0.5
    bits = np.stack([few[rng.integers(3, size=40), place] for place in range(10)], axis=1)
    matrix, moved = (PackedMatrix.from_bits(each.reshape(40, -1)) for each in (bits, bits[:, ::-1]))
    assert aligned_patterns(matrix, group) == aligned_patterns(moved, group) <= 30
    assert aligned_entropy(matrix, group) == aligned_entropy(moved, group) <= math.log2(3) + 1e-12
    mixed = PackedMatrix.from_bits(bits.reshape(40, -1)[:, rng.permutation(10 * group)])
    assert aligned_patterns(mixed, group) > 2 * aligned_patterns(matrix, group)
    assert aligned_entropy(mixed, group) > 1.3 * aligned_entropy(matrix, group)


@pytest.mark.parametrize("group", [6, 8, 16])
def test_all_patterns_and_one(group: int) -> None:
    codes = np.arange(1 << group)
    every = PackedMatrix.from_bits(codes[:, None] >> np.arange(group)[::-1] & 1)
    assert aligned_patterns(every, group) == 1 << group - 1
    assert aligned_entropy(every, group) == pytest.approx(group - 1, rel=1e-12)
    one = PackedMatrix.from_bits(np.ones((9, 5 * group + 1), dtype=bool))
    assert aligned_patterns(one, group) == 6
    assert math.copysign(1, aligned_entropy(one, group)) == 1
    assert aligned_entropy(one, group) == 0


def test_too_small_is_nan_and_never_0() -> None:
    for shape in ((0, 0), (0, 7), (7, 0)):
        matrix = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
        assert all(math.isnan(measure.of(matrix)) for measure in MEASURES)
    row = PackedMatrix.from_bits(np.ones((1, 13), dtype=bool))
    assert [aligned_patterns(row, group) for group in GROUPS] == [3, 2, 1, 1, 1]
    assert all(math.isnan(aligned_entropy(row, group)) for group in GROUPS)
    column = PackedMatrix.from_bits([[True], [False], [True]])
    assert [measure.of(column) for measure in MEASURES] == [1, 1, 1, 0, 0, 0, 4]


def test_other_groups_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    for of in (aligned_patterns, aligned_entropy, pattern_multiplicities):
        with pytest.raises(ConfigError, match="no groups of 5 inputs"):
            of(matrix, 5)


def test_a_trained_layer_has_less_than_its_shuffled_bits() -> None:
    weights = bnnedge.load("digits-tfc").layers[1].weights
    bits = np.random.default_rng(3).permutation(weights.to_bits().ravel()).reshape(weights.shape)
    assert aligned_entropy(weights) < aligned_entropy(PackedMatrix.from_bits(bits)) - 0.1


def test_frozen_values() -> None:
    assert [measure.key for measure in MEASURES] == [
        *("aligned_patterns_6", "aligned_patterns_8", "aligned_patterns_16"),
        *("aligned_entropy_6_bits", "aligned_entropy_8_bits", "aligned_entropy_16_bits"),
        "distinct_patterns",
    ]
    row, column = np.indices((67, 131))
    matrix = PackedMatrix.from_bits((row * row + 3 * column + row * column // 5) % 7 < 3)
    expected = [391, 427, 275, 3.914156281025823, 4.4188269478215, 4.704947049570346, 920]
    assert [measure.of(matrix) for measure in MEASURES] == pytest.approx(expected, rel=1e-12)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    expected = [266, 379, 255, 4.310314665394442, 5.442210986252066, 5.9921875, 826]
    assert [measure.of(trained) for measure in MEASURES] == pytest.approx(expected, rel=1e-12)
