"""Neighbouring bits: plain loops over unpacked bits, what must hold, edges, known truths, frozen values."""

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
from bnnedge.complexity import neighbours as module
from bnnedge.complexity.entropy import bit_entropy
from bnnedge.complexity.neighbours import (
    MEASURES,
    agreement_inputs,
    agreement_neurons,
    conditional_entropy,
    neighbourhood_counts,
)

Bits = NDArray[np.bool_]

widths = st.one_of(st.integers(0, 20), st.integers(62, 67), st.integers(126, 131))
bit_arrays = st.tuples(st.integers(0, 8), widths).flatmap(lambda shape: arrays(bool, shape))


def plainly_counted(bits: Bits) -> Counter[tuple[int, ...]]:
    return Counter(
        (int(bits[r - 1, c - 1]), int(bits[r - 1, c]), int(bits[r, c - 1]), int(bits[r, c]))
        for r in range(1, bits.shape[0])
        for c in range(1, bits.shape[1])
    )


def counted(bits: Bits) -> Counter[tuple[int, ...]]:
    counts = neighbourhood_counts(PackedMatrix.from_bits(bits))
    return Counter({place: int(count) for place, count in np.ndenumerate(counts) if count})


def plain_conditional_entropy(counts: Counter[tuple[int, ...]]) -> float:
    contexts: Counter[tuple[int, ...]] = Counter()
    for place, count in counts.items():
        contexts[place[:3]] += count
    joint, given_ = (
        math.fsum(-count / counts.total() * math.log2(count / counts.total()) for count in some.values())
        for some in (counts, contexts)
    )
    return joint - given_


@given(bit_arrays)
def test_conditional_entropy_is_that_of_plain_counting(bits: Bits) -> None:
    expected = plainly_counted(bits)
    assert counted(bits) == expected
    entropy = conditional_entropy(PackedMatrix.from_bits(bits))
    if expected:
        assert entropy == pytest.approx(plain_conditional_entropy(expected), abs=1e-12)
        assert 0 <= entropy <= 1
    else:
        assert math.isnan(entropy)


@given(bit_arrays)
def test_agreement_is_that_of_plain_comparison(bits: Bits) -> None:
    matrix = PackedMatrix.from_bits(bits)
    across, down = bits[:, 1:] == bits[:, :-1], bits[1:] == bits[:-1]
    for share, equal in ((agreement_inputs(matrix), across), (agreement_neurons(matrix), down)):
        if equal.size:
            assert share == pytest.approx(np.count_nonzero(equal) / equal.size, abs=1e-15)
        else:
            assert math.isnan(share)


@pytest.mark.parametrize("words", [1, 2, 3, 7])
@pytest.mark.parametrize("columns", [320, 321, 333])
def test_slices_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch, words: int, columns: int) -> None:
    bits = np.random.default_rng(words).random((13, columns)) < 0.5
    monkeypatch.setattr(module, "_SLICE_WORDS", words)
    assert counted(bits) == plainly_counted(bits)
    matrix = PackedMatrix.from_bits(bits)
    assert agreement_inputs(matrix) == pytest.approx(np.mean(bits[:, 1:] == bits[:, :-1]), abs=1e-15)
    assert agreement_neurons(matrix) == pytest.approx(np.mean(bits[1:] == bits[:-1]), abs=1e-15)


@given(bit_arrays)
def test_a_complement_scores_the_same(bits: Bits) -> None:
    flipped = {tuple(1 - bit for bit in place): count for place, count in counted(bits).items()}
    assert counted(~bits) == flipped
    for measure in MEASURES:
        score, other = (measure.of(PackedMatrix.from_bits(each)) for each in (bits, ~bits))
        assert score == pytest.approx(other, abs=1e-12, nan_ok=True)


@given(bit_arrays)
def test_transposition_exchanges_inputs_and_neurons(bits: Bits) -> None:
    matrix, transposed = PackedMatrix.from_bits(bits), PackedMatrix.from_bits(bits.T)
    assert agreement_inputs(matrix) == pytest.approx(agreement_neurons(transposed), abs=1e-15, nan_ok=True)
    assert conditional_entropy(matrix) == pytest.approx(
        conditional_entropy(transposed), abs=1e-12, nan_ok=True
    )


@given(arrays(bool, (6, 70)), st.permutations(range(6)))
def test_the_order_of_neurons_does_not_matter_along_inputs(bits: Bits, order: list[int]) -> None:
    reordered = PackedMatrix.from_bits(bits[order])
    assert agreement_inputs(reordered) == agreement_inputs(PackedMatrix.from_bits(bits))


@given(st.integers(2, 200), st.integers(2, 9), st.booleans())
def test_padding_is_never_counted(columns: int, rows: int, value: bool) -> None:
    bits = np.full((rows, columns), value)
    assert counted(bits) == {(int(value),) * 4: (rows - 1) * (columns - 1)}
    matrix = PackedMatrix.from_bits(bits)
    assert (agreement_inputs(matrix), agreement_neurons(matrix), conditional_entropy(matrix)) == (1, 1, 0)


def test_too_small_is_nan() -> None:
    none = (True, True, True)
    for shape, is_nan in (
        ((0, 0), none),
        ((0, 5), none),
        ((5, 0), none),
        ((1, 1), none),
        ((1, 65), (True, False, True)),
        ((65, 1), (True, True, False)),
        ((2, 2), (False, False, False)),
    ):
        matrix = PackedMatrix.from_bits(np.ones(shape, dtype=bool))
        assert tuple(math.isnan(measure.of(matrix)) for measure in MEASURES) == is_nan, shape


def test_matrices_whose_truth_is_known() -> None:
    stripes = PackedMatrix.from_bits(np.tile([True, False], (100, 65)))
    assert (agreement_inputs(stripes), agreement_neurons(stripes), conditional_entropy(stripes)) == (0, 1, 0)
    # Each bit is the exclusive or of its three neighbours: random to look at, and determined by them.
    rng = np.random.default_rng(0)
    parity = PackedMatrix.from_bits((rng.random(100) < 0.5)[:, None] ^ (rng.random(130) < 0.5)[None])
    assert bit_entropy(parity) > 0.99
    assert conditional_entropy(parity) == 0
    fair = PackedMatrix.from_bits(rng.random((512, 512)) < 0.5)
    assert conditional_entropy(fair) == pytest.approx(1, abs=1e-3)
    assert agreement_inputs(fair) == pytest.approx(0.5, abs=5 * 0.5 / 512)
    assert agreement_neurons(fair) == pytest.approx(0.5, abs=5 * 0.5 / 512)
    # A Markov chain along the inputs that keeps its bit nine times out of ten.
    chain = np.logical_xor.accumulate(rng.random((512, 512)) < 0.1, axis=1)
    assert agreement_inputs(PackedMatrix.from_bits(chain)) == pytest.approx(0.9, abs=0.005)
    assert conditional_entropy(PackedMatrix.from_bits(chain)) == pytest.approx(0.469, abs=0.01)


def test_frozen_values() -> None:
    seeded = PackedMatrix.from_bits(np.random.default_rng(7).random((61, 133)) < 0.4)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    assert [measure.key for measure in MEASURES] == [
        "conditional_entropy_bits",
        "agreement_inputs",
        "agreement_neurons",
    ]
    assert [measure.of(seeded) for measure in MEASURES] == pytest.approx(
        [0.9729919042028732, 0.5114257327372081, 0.5182957393483709], rel=1e-12
    )
    assert [measure.of(trained) for measure in MEASURES] == pytest.approx(
        [0.9873584649025141, 0.5632440476190477, 0.48735119047619047], rel=1e-12
    )
