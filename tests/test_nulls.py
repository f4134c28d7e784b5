"""Null models: against real shuffles and permutations, by enumeration, and on matrices of known structure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from bnnedge import PackedMatrix, bdm, block_entropy
from bnnedge.complexity import null_draws as module
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.null_draws import (
    class_counts,
    hypergeometric,
    permuted_histograms,
    shuffled_histograms,
)
from bnnedge.complexity.nulls import NullScore, score_nulls
from bnnedge.errors import ConfigError

Bits = NDArray[np.bool_]

# Every test of a distribution has a fixed seed; its p-value is far above this unless something is wrong.
IMPLAUSIBLE = 1e-3


def packed(bits: NDArray[np.generic] | list[list[bool]]) -> PackedMatrix:
    return PackedMatrix.from_bits(bits)


def random_bits(shape: tuple[int, int], density: float = 0.5, seed: int = 0) -> Bits:
    return np.random.default_rng(seed).random(shape) < density


def shuffle_z(bits: Bits, draws: int = 100) -> dict[str, float]:
    scores = score_nulls(packed(bits), first_layer=False, draws=draws, seed=0)
    return {score.measure: score.z for score in scores if score.null == "shuffle"}


def agrees(observed: Counter[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> bool:
    """Whether counts of outcomes fit their probabilities, and nothing else ever happens: chi-squared."""
    assert observed.keys() <= expected.keys()
    draws = observed.total()
    frequencies = np.array([observed[outcome] for outcome in expected])
    wanted = draws * np.array(list(expected.values()))
    assert wanted.min() > 4
    return bool(stats.chisquare(frequencies, wanted).pvalue > IMPLAUSIBLE)


# Shuffles.


@pytest.mark.parametrize(("shape", "ones"), [((4, 4), 2), ((4, 5), 2), ((5, 5), 1), ((4, 8), 2), ((4, 9), 1)])
def test_shuffled_histograms_have_the_enumerated_distribution(shape: tuple[int, int], ones: int) -> None:
    bits = np.zeros(shape, dtype=bool)
    bits.flat[:ones] = True

    def outcome(counts: NDArray[np.int64]) -> tuple[int, ...]:
        return tuple(np.repeat(np.flatnonzero(counts), counts[counts > 0]).tolist())

    places = list(combinations(range(bits.size), ones))
    expected: Counter[tuple[int, ...]] = Counter()
    for chosen in places:
        one = np.zeros(bits.size, dtype=bool)
        one[list(chosen)] = True
        expected[outcome(block_histogram(packed(one.reshape(shape))).counts[4, 4])] += 1
    draws = max(1000, 5 * len(places))
    drawn = shuffled_histograms(packed(bits), draws, np.random.default_rng(1))
    observed = Counter(outcome(histogram.counts[4, 4]) for histogram in drawn)
    assert agrees(observed, {key: count / len(places) for key, count in expected.items()})


@pytest.mark.parametrize(
    ("shape", "density"), [((64, 64), 0.5), ((10, 300), 0.3), ((67, 130), 0.05), ((256, 256), 0.6)]
)
def test_shuffled_histograms_are_those_of_real_bit_shuffles(shape: tuple[int, int], density: float) -> None:
    bits, rng, draws = random_bits(shape, density), np.random.default_rng(7), 300
    real = [block_histogram(packed(rng.permuted(bits, axis=None))) for _ in range(draws)]
    drawn = list(shuffled_histograms(packed(bits), draws, rng))
    for measure in (
        bdm_of,
        block_entropy_of,
        lambda h: float(h.distinct),
        lambda h: float(h.counts[4, 4][0]),
    ):
        a, b = np.array([measure(h) for h in real]), np.array([measure(h) for h in drawn])
        assert stats.ks_2samp(a, b, method="asymp").pvalue > IMPLAUSIBLE
        if a.std() > 0:
            assert stats.ttest_ind(a, b).pvalue > IMPLAUSIBLE
            assert stats.levene(a, b).pvalue > IMPLAUSIBLE
        else:
            assert b.std() == 0


@given(st.integers(0, 14), st.integers(0, 70), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=50)
def test_shuffled_histograms_keep_what_a_shuffle_keeps(
    rows: int, columns: int, density: float, seed: int
) -> None:
    matrix = packed(random_bits((rows, columns), density, seed))
    truth = block_histogram(matrix)
    weights = np.bitwise_count(np.arange(65536)).astype(int)
    for drawn in shuffled_histograms(matrix, 3, np.random.default_rng(seed)):
        assert (drawn.blocks, drawn.bits_kept, drawn.bits_dropped) == (
            truth.blocks,
            truth.bits_kept,
            truth.bits_dropped,
        )
        ones = int(drawn.counts[4, 4] @ weights)
        assert matrix.ones - truth.bits_dropped <= ones <= matrix.ones
        if not truth.bits_dropped:
            assert ones == matrix.ones


def test_crowded_and_sparse_draws_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, draws = packed(random_bits((64, 96))), 300
    values = []
    for crowded in (0, 10**9):
        monkeypatch.setattr(module, "_CROWDED", crowded)
        rng = np.random.default_rng(crowded)
        values.append([bdm_of(h) for h in shuffled_histograms(matrix, draws, rng)])
    assert stats.ks_2samp(*values, method="asymp").pvalue > IMPLAUSIBLE


def test_class_counts_have_the_enumerated_distribution() -> None:
    """Two blocks, three ones: how many ones in each is a hypergeometric matter."""
    counts = class_counts(2, np.full(6000, 3), np.random.default_rng(0))
    observed = Counter(tuple(np.repeat(np.arange(17), row).tolist()) for row in counts)
    ways = math.comb(32, 3)
    none = 2 * math.comb(16, 3) / ways
    assert agrees(observed, {(0, 3): none, (1, 2): 1 - none})


@given(st.integers(0, 10**6), st.lists(st.floats(0, 1), max_size=5), st.integers(0, 99))
def test_class_counts_add_up(blocks: int, densities: list[float], seed: int) -> None:
    ones = np.array([int(density * 16 * blocks) for density in densities], dtype=np.int64)
    counts = class_counts(blocks, ones, np.random.default_rng(seed))
    assert counts.shape == (len(densities), 17)
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) == blocks).all()
    assert (counts @ np.arange(17) == ones).all()


@pytest.mark.parametrize(
    ("good", "bad", "sample"), [(7, 9, 8), (300, 500, 200), (40, 4000, 2000), (500, 20, 515)]
)
def test_large_hypergeometric_numbers_are_hypergeometric(
    monkeypatch: pytest.MonkeyPatch, good: int, bad: int, sample: int
) -> None:
    monkeypatch.setattr(module, "_NUMPY_POPULATION", 1)
    monkeypatch.setattr(module, "_FEW", 3)
    draws = 4000
    of = (np.full(draws, number) for number in (good, bad, sample))
    drawn = hypergeometric(np.random.default_rng(0), *of)
    law = stats.hypergeom(good + bad, good, sample)
    low, high = int(law.ppf(0.01)), int(law.ppf(0.99))
    clipped = np.clip(drawn, low, high)
    expected: dict[tuple[int, ...], float] = {
        (value,): float(law.pmf(value)) for value in range(low, high + 1)
    }
    expected[low,], expected[high,] = float(law.cdf(low)), float(law.sf(high - 1))
    assert agrees(Counter((value,) for value in clipped.tolist()), expected)


def test_a_population_beyond_numpys() -> None:
    of = (np.full(200, 6 * 10**9), np.full(200, 4 * 10**9), np.full(200, 5 * 10**9))
    drawn = hypergeometric(np.random.default_rng(0), *of)
    sd = math.sqrt(5e9 * 0.6 * 0.4 * 0.5)
    assert stats.kstest((drawn - 3e9) / sd, "norm").pvalue > IMPLAUSIBLE


# Permutations.


def code(histogram: BlockHistogram) -> int:
    """Of the one block that was counted."""
    (present,) = np.flatnonzero(histogram.counts[4, 4])
    assert (histogram.blocks, histogram.bits_kept, histogram.bits_dropped) == (1, 16, 4)
    return int(present)


def orders(
    shape: tuple[int, int], draws: int, rng: np.random.Generator, *, rows: bool, columns: bool
) -> Iterator[tuple[NDArray[np.intp] | None, NDArray[np.intp] | None]]:
    """Random orders of a matrix's rows, columns or both."""
    for _ in range(draws):
        order = rng.permutation(shape[0]) if rows else None
        yield order, rng.permutation(shape[1]) if columns else None


@pytest.mark.parametrize(("rows", "columns"), [(True, False), (False, True), (True, True)])
def test_permuted_histograms_are_those_of_permuted_matrices(rows: bool, columns: bool) -> None:
    bits = np.zeros((4, 5), dtype=bool)
    bits[0, :2] = True
    possible = {
        code(block_histogram(packed(bits[np.ix_(p, q)])))
        for p in (permutations(range(4)) if rows else [range(4)])
        for q in (permutations(range(5)) if columns else [range(5)])
    }
    some = orders(bits.shape, 600, np.random.default_rng(0), rows=rows, columns=columns)
    drawn = permuted_histograms(packed(bits), some)
    assert {code(histogram) for histogram in drawn} == possible


@pytest.mark.parametrize(("rows", "columns"), [(True, False), (False, True), (True, True)])
def test_permuted_histograms_have_the_distribution_of_real_permutations(rows: bool, columns: bool) -> None:
    rng, draws = np.random.default_rng(3), 300
    bits = np.add.outer(np.arange(38), np.arange(70)) % 9 < random_bits((38, 1), 0.5) * 3 + 3
    real = []
    for _ in range(draws):
        order = rng.permutation(38) if rows else np.arange(38)
        across = rng.permutation(70) if columns else np.arange(70)
        real.append(bdm(packed(bits[np.ix_(order, across)])))
    some = orders(bits.shape, draws, rng, rows=rows, columns=columns)
    drawn = [bdm_of(histogram) for histogram in permuted_histograms(packed(bits), some)]
    assert np.std(real) > 0
    assert stats.ks_2samp(real, drawn, method="asymp").pvalue > IMPLAUSIBLE


# Scores.


@pytest.mark.parametrize("first_layer", [True, False])
def test_scores_are_those_of_their_draws(first_layer: bool) -> None:
    matrix = packed(random_bits((30, 75)))
    scores = score_nulls(matrix, first_layer=first_layer, draws=50, seed=9)
    nulls = ["shuffle", "neurons", "inputs"] if first_layer else ["shuffle", "neurons"]
    names = list(product(nulls, ["bdm_bits", "block_entropy_bits"]))
    assert [(score.null, score.measure) for score in scores] == names
    streams = [np.random.default_rng(each) for each in np.random.SeedSequence(9).spawn(3)]
    drawn = {
        "shuffle": list(shuffled_histograms(matrix, 50, streams[0])),
        "neurons": list(
            permuted_histograms(
                matrix, orders(matrix.shape, 50, streams[1], rows=True, columns=not first_layer)
            )
        ),
        "inputs": list(
            permuted_histograms(matrix, orders(matrix.shape, 50, streams[2], rows=False, columns=True))
        ),
    }
    observed = {"bdm_bits": bdm(matrix), "block_entropy_bits": block_entropy(matrix)}
    measures = {"bdm_bits": bdm_of, "block_entropy_bits": block_entropy_of}
    for score in scores:
        values = [measures[score.measure](h) for h in drawn[score.null]]
        mean, sd = np.mean(values), np.std(values, ddof=1)
        low, high = np.percentile(values, [2.5, 97.5])
        expected = (observed[score.measure], mean, sd, (score.observed - mean) / sd, low, high)
        got = (score.observed, score.mean, score.sd, score.z, score.low, score.high)
        assert got == pytest.approx(expected, rel=1e-12)
        assert score.draws == 50


def test_a_seed_says_all() -> None:
    matrix = packed(random_bits((32, 64)))
    one, again, other = (score_nulls(matrix, first_layer=True, draws=10, seed=seed) for seed in (1, 1, 2))
    assert one == again
    bdms = [[score.mean for score in scores if score.measure == "bdm_bits"] for scores in (one, other)]
    assert all(a != b for a, b in zip(*bdms, strict=True))
    shuffle, hidden = one[:2], score_nulls(matrix, first_layer=False, draws=10, seed=1)[:2]
    assert shuffle == hidden


@pytest.mark.parametrize("shape", [(0, 0), (3, 100), (100, 3)])
def test_nothing_to_score_without_a_block(shape: tuple[int, int]) -> None:
    assert score_nulls(packed(np.ones(shape, dtype=bool)), first_layer=True, draws=10, seed=0) == ()


@pytest.mark.parametrize("draws", [-1, 0, 1])
def test_a_spread_takes_two_draws(draws: int) -> None:
    with pytest.raises(ConfigError, match=f"a spread from {draws} draws") as caught:
        score_nulls(packed(np.ones((8, 8), dtype=bool)), first_layer=True, draws=draws, seed=0)
    assert caught.value.hint == "ask for 2 or more, or 0 for none"


def without_spread(score: NullScore) -> bool:
    alike = (score.mean, score.low, score.high) == pytest.approx((score.observed,) * 3)
    return alike and score.sd == 0 and math.isnan(score.z)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (67, 130)])
def test_constant_matrices_have_no_z(value: bool, shape: tuple[int, int]) -> None:
    scores = score_nulls(packed(np.full(shape, value)), first_layer=True, draws=30, seed=0)
    assert len(scores) == 6
    assert all(without_spread(score) for score in scores)


def test_equal_rows_do_not_mind_their_order() -> None:
    scores = score_nulls(packed(np.tile(random_bits((1, 80)), (24, 1))), first_layer=True, draws=30, seed=0)
    assert all(without_spread(score) for score in scores if score.null == "neurons")
    assert all(score.sd > 0 for score in scores if (score.null, score.measure) == ("inputs", "bdm_bits"))


# Calibration.


@pytest.mark.parametrize(("shape", "density"), [((64, 64), 0.5), ((10, 300), 0.5), ((128, 64), 0.3)])
def test_z_of_random_matrices_is_standard_normal(shape: tuple[int, int], density: float) -> None:
    """Of BDM, as far as 40 draws can tell: a Student t of 39 degrees of freedom times sqrt(1 + 1/40).

    Its sd is 1.04. Mean, sd and tails may be off by four standard errors of so many matrices.
    """
    matrices, draws, values = 200, 40, []
    for seed in range(matrices):
        matrix = packed(random_bits(shape, density, seed))
        drawn = [bdm_of(h) for h in shuffled_histograms(matrix, draws, np.random.default_rng(10**6 + seed))]
        values.append((bdm(matrix) - np.mean(drawn)) / np.std(drawn, ddof=1))
    z, law = np.array(values), stats.t(draws - 1, scale=math.sqrt(1 + 1 / draws))
    error = law.std() / math.sqrt(matrices)
    assert abs(z.mean()) < 4 * error
    assert abs(z.std(ddof=1) - law.std()) < 4 * error / math.sqrt(2)
    share = 2 * law.sf(1.96)
    assert abs(np.mean(np.abs(z) > 1.96) - share) < 4 * math.sqrt(share * (1 - share) / matrices)
    assert stats.kstest(z, law.cdf).pvalue > IMPLAUSIBLE


def automaton(rule: int, steps: int, cells: int) -> Bits:
    rows = np.zeros((steps, cells), dtype=np.int64)
    rows[0, cells // 2] = 1
    for step in range(1, steps):
        left, here, right = (np.roll(rows[step - 1], by) for by in (1, 0, -1))
        rows[step] = rule >> (4 * left + 2 * here + right) & 1
    return rows.astype(bool)


def low_rank(side: int, rank: int) -> Bits:
    left, right = random_bits((side, rank), seed=1), random_bits((rank, side), seed=2)
    multiplied: Bits = (left.astype(int) @ right.astype(int)) % 2 == 1
    return multiplied


def with_planted_rows(copies: int) -> Bits:
    bits = random_bits((64, 64), seed=3)
    bits[-4 * copies :] = np.tile(bits[:4], (copies, 1))
    return bits


def with_planted_blocks(share: float) -> Bits:
    bits, rng = random_bits((64, 64), seed=4), np.random.default_rng(5)
    for row, column in product(range(0, 64, 4), repeat=2):
        if rng.random() < share:
            bits[row : row + 4, column : column + 4] = bits[:4, :4]
    return bits


STRUCTURED = {
    "periodic": np.add.outer(np.arange(64), np.arange(64)) % 6 < 3,
    "checkerboard": np.indices((64, 64)).sum(axis=0) % 2 == 1,
    "half and half": np.arange(64) < 32 * np.ones((64, 1)),
    "rank 2": low_rank(64, 2),
    "rank 4": low_rank(256, 4),
    "rule 90": automaton(90, 64, 64),
    "rule 110": automaton(110, 64, 64),
    "rule 30": automaton(30, 64, 64),
    "duplicate rows": with_planted_rows(4),
    "duplicate blocks": with_planted_blocks(0.2),
}


@pytest.mark.parametrize("name", STRUCTURED)
def test_structure_shows(name: str) -> None:
    z = shuffle_z(STRUCTURED[name])
    assert z["bdm_bits"] < -10
    assert z["block_entropy_bits"] < -10


def test_structure_that_permutations_destroy_shows_beside_them() -> None:
    matrix = packed(STRUCTURED["periodic"])
    scores = score_nulls(matrix, first_layer=True, draws=50, seed=0)
    assert all(score.z < -5 for score in scores if score.measure == "bdm_bits")
    assert all(score.observed < score.low <= score.mean <= score.high for score in scores)


def test_a_permuted_periodic_matrix_is_one_of_its_null() -> None:
    rng = np.random.default_rng(0)
    bits = STRUCTURED["periodic"][np.ix_(rng.permutation(64), rng.permutation(64))]
    scores = score_nulls(packed(bits), first_layer=False, draws=100, seed=0)
    of = {(score.null, score.measure): score for score in scores}
    assert of["shuffle", "bdm_bits"].z < -5
    assert abs(of["neurons", "bdm_bits"].z) < 4
