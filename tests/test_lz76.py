"""Lempel-Ziv complexity: published values, the scan of Kaspar and Schuster, what must hold, frozen values."""

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
from bnnedge.complexity.lz76 import MEASURES, lz76_normalised, lz76_phrases

Bits = NDArray[np.bool_]

strings = st.one_of(st.integers(0, 20), st.integers(60, 70), st.integers(120, 300)).flatmap(
    lambda length: arrays(bool, length)
)


def bits_of(digits: str) -> Bits:
    return np.array([int(digit) for digit in digits], dtype=bool)


def kaspar_schuster(bits: Bits) -> int:
    """Number of phrases by the scan of Kaspar and Schuster (1987), with places from 0."""
    s, n = bits.tolist(), bits.size
    if n < 2:
        return n
    phrases, start, begun, length, longest = 1, 1, 0, 1, 1
    while True:
        if s[begun + length - 1] == s[start + length - 1]:
            length += 1
            if start + length > n:
                return phrases + 1
        else:
            longest = max(longest, length)
            begun += 1
            length = 1
            if begun == start:
                phrases += 1
                start += longest
                if start + 1 > n:
                    return phrases
                begun, longest = 0, 1


def by_definition(bits: Bits) -> int:
    """Number of phrases, each the shortest that is no substring of all before its own last bit."""
    s = "".join("01"[bit] for bit in bits.tolist())
    phrases = start = 0
    while start < len(s):
        end = start + 1
        while end < len(s) and s[start:end] in s[: end - 1]:
            end += 1
        phrases, start = phrases + 1, end
    return phrases


@pytest.mark.parametrize(
    ("history", "source"),
    [
        ("0·001·10·100·1000·101", "Lempel and Ziv 1976, the exhaustive history of 0001101001000101"),
        ("0·01·0", "0010 of Kaspar and Schuster 1987"),
        ("1·0·01·1110·1100·0010", "the example of HyPhy's and most other implementations"),
        ("0·000000", "constant"),
        ("1·0·10101010", "periodic"),
        ("1", "one bit"),
        ("0·1", "two"),
    ],
)
def test_published_histories(history: str, source: str) -> None:
    bits = bits_of(history.replace("·", ""))
    assert lz76_phrases(bits) == kaspar_schuster(bits) == history.count("·") + 1, source


@given(strings)
def test_phrases_are_those_of_the_scan_and_of_the_definition(bits: Bits) -> None:
    assert lz76_phrases(bits) == kaspar_schuster(bits) == by_definition(bits)


@given(arrays(bool, st.integers(1, 40)), st.integers(1, 400), strings)
def test_phrases_of_periodic_strings_with_another_end(period: Bits, length: int, end: Bits) -> None:
    bits = np.append(np.resize(period, length), end)
    assert lz76_phrases(bits) == by_definition(bits)


@pytest.mark.parametrize("ends", [(), (0,), (1,), (0, 0), (1, 0, 0, 0), (0, 1)])
@pytest.mark.parametrize("length", [62, 63, 64, 65, 127, 128, 129, 600])
def test_runs_that_reach_the_end(length: int, ends: tuple[int, ...]) -> None:
    """Where suffixes differ only beyond the words that are sorted first, and only by where they end."""
    for value in (0, 1):
        bits = np.array([value] * length + list(ends), dtype=bool)
        assert lz76_phrases(bits) == by_definition(bits)


@given(strings)
def test_a_complement_has_as_many_phrases(bits: Bits) -> None:
    assert lz76_phrases(~bits) == lz76_phrases(bits)


@given(arrays(bool, st.integers(2, 200)), arrays(bool, st.integers(0, 50)))
def test_a_longer_string_has_no_fewer_phrases_and_a_repetition_at_most_one_more(
    bits: Bits, more: Bits
) -> None:
    assert lz76_phrases(np.append(bits, more)) >= lz76_phrases(bits)
    assert lz76_phrases(np.tile(bits, 3)) <= lz76_phrases(bits) + 1


@given(st.tuples(st.integers(1, 9), st.integers(1, 70)).flatmap(lambda shape: arrays(bool, shape)))
def test_rows_are_read_one_after_the_other_without_padding(bits: Bits) -> None:
    score = lz76_normalised(PackedMatrix.from_bits(bits))
    if bits.size < 2:
        assert math.isnan(score)
        return
    expected = by_definition(bits.ravel()) * math.log2(bits.size) / bits.size
    assert score == pytest.approx(expected, rel=1e-12)
    assert score == lz76_normalised(PackedMatrix.from_bits(bits.reshape(1, -1)))
    assert score == lz76_normalised(PackedMatrix.from_bits(bits.reshape(-1, 1)))


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0), (1, 1)])
def test_too_small_is_nan(shape: tuple[int, int]) -> None:
    assert math.isnan(lz76_normalised(PackedMatrix.from_bits(np.ones(shape, dtype=bool))))


def test_no_bits_have_no_phrase() -> None:
    assert lz76_phrases(np.zeros(0, dtype=bool)) == 0


def test_matrices_whose_truth_is_known() -> None:
    rng = np.random.default_rng(0)
    fair = rng.random((256, 256)) < 0.5
    assert lz76_normalised(PackedMatrix.from_bits(fair)) == pytest.approx(1.018, abs=0.008)
    assert lz76_phrases(np.zeros(65_536, dtype=bool)) == 2
    # 255 copies of a row are one phrase, or the end of the last of the first row's.
    row = fair[0]
    assert lz76_phrases(np.tile(row, 256)) - lz76_phrases(row) in (0, 1)
    # The entropy rate of bits that are 1 once in ten is 0.469.
    sparse = lz76_normalised(PackedMatrix.from_bits(rng.random((256, 256)) < 0.1))
    assert sparse == pytest.approx(0.469, abs=0.03)


def test_frozen_values() -> None:
    seeded = PackedMatrix.from_bits(np.random.default_rng(7).random((61, 133)) < 0.4)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    (measure,) = MEASURES
    assert measure.key == "lz76_normalised"
    for matrix, phrases in ((seeded, 623), (trained, 352)):
        assert lz76_phrases(matrix.to_bits().ravel()) == phrases
        assert measure.of(matrix) == pytest.approx(phrases * math.log2(matrix.bits) / matrix.bits, rel=1e-12)
