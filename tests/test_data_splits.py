"""Stratified splits: a partition, proportional by largest remainders, the same everywhere."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bnnedge.data.splits import stratified
from bnnedge.errors import ConfigError, DataError

labels_lists = st.lists(st.integers(-3, 9), min_size=2, max_size=80)
shares = st.one_of(
    st.integers(1, 99).map(lambda percent: percent / 100), st.floats(0.001, 0.999, allow_subnormal=False)
)
seeds = st.integers(0, 2**40)


@given(labels_lists, shares, seeds)
def test_it_is_a_partition_of_the_right_size(values: list[int], share: float, seed: int) -> None:
    labels = np.array(values, dtype=np.int64)
    total = round(Fraction(str(share)) * len(values))
    assume(0 < total < len(values))
    rest, held = stratified(labels, share, seed)
    assert rest.dtype == held.dtype == np.int64
    assert len(held) == total
    assert (np.diff(rest) > 0).all()
    assert (np.diff(held) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, held])), np.arange(len(values)))


@given(labels_lists, shares, seeds)
def test_classes_are_held_out_in_proportion_by_largest_remainders(
    values: list[int], share: float, seed: int
) -> None:
    exact = Fraction(str(share))
    assume(0 < round(exact * len(values)) < len(values))
    _, held = stratified(np.array(values, dtype=np.int64), share, seed)
    raised: list[tuple[Fraction, int]] = []  # (−remainder, label): what a class is ranked by
    left: list[tuple[Fraction, int]] = []
    for label in sorted(set(values)):
        quota = exact * values.count(label)
        whole = quota.numerator // quota.denominator
        count = sum(values[index] == label for index in held)
        assert count in (whole, whole + 1)
        (raised if count > whole else left).append((whole - quota, label))
    assert not raised or not left or max(raised) < min(left)


@given(labels_lists, seeds)
def test_the_same_arguments_give_the_same_split(values: list[int], seed: int) -> None:
    labels = np.array(values, dtype=np.int64)
    for first, second in zip(
        stratified(labels, 0.5, seed), stratified(labels.copy(), 0.5, seed), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_the_split_is_pinned() -> None:
    """Runs of other years, machines and NumPy versions are compared with each other."""
    labels = np.arange(40) % 4
    _, held = stratified(labels, 0.2, 7)
    assert held.tolist() == [6, 10, 21, 23, 24, 32, 37, 39]


@pytest.mark.parametrize(
    ("samples", "share", "expected"),
    [(100, 0.29, 29), (10, 0.15, 2), (10, 0.35, 4), (30, 0.15, 4), (10, 0.25, 2)],
)
def test_shares_are_meant_as_they_are_written(samples: int, share: float, expected: int) -> None:
    """0.15 is a bit less than 15 % in binary, 0.35 too: a half would be rounded down instead of to even."""
    rest, held = stratified(np.zeros(samples, dtype=np.int64), share, 0)
    assert (len(rest), len(held)) == (samples - expected, expected)


def test_seeds_matter_and_every_sample_can_be_held_out() -> None:
    labels = np.repeat(np.arange(10), 20)
    held = [tuple(stratified(labels, 0.1, seed)[1]) for seed in range(100)]
    assert len(set(held)) == 100
    assert {int(index) for one in held for index in one} == set(range(200))


def test_selection_is_uniform_within_a_class() -> None:
    """Each of 20 samples is among the 5 held out about a quarter of 2000 times: ± 6 standard deviations."""
    labels = np.zeros(20, dtype=np.int64)
    counts = np.zeros(20)
    for seed in range(2000):
        counts[stratified(labels, 0.25, seed)[1]] += 1
    assert np.abs(counts - 500).max() < 6 * np.sqrt(2000 * 0.25 * 0.75)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_shares_out_of_range(share: float) -> None:
    with pytest.raises(ConfigError, match="cannot hold out a share") as caught:
        stratified(np.zeros(10, dtype=np.int64), share, 0)
    assert "between 0 and 1" in caught.value.hint


def test_a_negative_seed() -> None:
    with pytest.raises(ConfigError, match="split seed -1"):
        stratified(np.zeros(10, dtype=np.int64), 0.5, -1)


@pytest.mark.parametrize(("samples", "share"), [(0, 0.5), (1, 0.5), (4, 0.1), (3, 0.9), (1, 0.9)])
def test_too_few_samples(samples: int, share: float) -> None:
    with pytest.raises(DataError, match=f"of {samples} samples leaves one part empty"):
        stratified(np.zeros(samples, dtype=np.int64), share, 0)
