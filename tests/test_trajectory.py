"""Trajectories: at every step what a full count says, of each layer and of all pooled."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity import trajectory as module
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.trajectory import Course, Trajectory
from bnnedge.errors import DataError
from bnnedge.packed.bits import Words

Bits = NDArray[np.bool_]

widths = st.one_of(st.integers(0, 20), st.integers(59, 70), st.integers(124, 132))
shapes = st.tuples(st.integers(0, 14), widths)
shares = st.sampled_from([0.0, 0.002, 0.05, 1.0])


def walk(shape: tuple[int, int], share: float, steps: int, rng: np.random.Generator) -> list[Bits]:
    """A matrix and the same after each step."""
    states = [rng.random(shape) < 0.5]
    for _ in range(steps):
        states.append(states[-1] ^ (rng.random(shape) < share))
    return states


def words(states: list[Bits]) -> Words:
    return np.stack([PackedMatrix.from_bits(state).words for state in states])


def check(course: Course, step: int, histogram: BlockHistogram) -> None:
    assert course.bdm[step] == pytest.approx(bdm_of(histogram), rel=1e-12, nan_ok=True)
    entropy = block_entropy_of(histogram)
    assert course.block_entropy[step] == pytest.approx(entropy, rel=1e-9, abs=1e-12, nan_ok=True)


def blocks_that_differ(a: Bits, b: Bits) -> int:
    down, across = a.shape[0] // 4, a.shape[1] // 4
    differ = (a ^ b)[: 4 * down, : 4 * across]
    return int(differ.reshape(down, 4, across, 4).any(axis=(1, 3)).sum())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(shapes, shares), min_size=1, max_size=3),
    st.integers(0, 7),
    st.integers(0, 7),
    st.sampled_from([1, 5, 64, module._SLICE_WORDS]),
    st.integers(0, 2**32 - 1),
)
def test_every_step_equals_a_full_count(
    layers: list[tuple[tuple[int, int], float]], steps: int, cut: int, slice_words: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    walks = [walk(shape, share, steps, rng) for shape, share in layers]
    trajectory = Trajectory([PackedMatrix.from_bits(states[0]) for states in walks])
    snapshots = [words(states)[1:] for states in walks]
    cut = min(cut, steps)
    with patch.object(module, "_SLICE_WORDS", slice_words):
        batches = [
            (0, trajectory.extend([some[:cut] for some in snapshots])),
            (cut, trajectory.extend([some[cut:] for some in snapshots])),
        ]
    for step in range(steps):
        first, courses = batches[step >= cut]
        histograms = [block_histogram(PackedMatrix.from_bits(states[step + 1])) for states in walks]
        pooled = sum(histograms[1:], start=histograms[0])
        for course, histogram in zip(courses, (*histograms, pooled), strict=True):
            check(course, step - first, histogram)
        flips = [int((states[step + 1] ^ states[step]).sum()) for states in walks]
        assert [course.flips[step - first] for course in courses] == [*flips, sum(flips)]
        blocks = [blocks_that_differ(states[step + 1], states[step]) for states in walks]
        assert [course.changed_blocks[step - first] for course in courses] == [*blocks, sum(blocks)]


def test_a_long_walk_through_a_constant_matrix_gathers_no_error() -> None:
    rng = np.random.default_rng(0)
    states = walk((64, 64), 0.02, 300, rng)
    states += [np.zeros((64, 64), dtype=bool)]
    trajectory = Trajectory([PackedMatrix.from_bits(states[0])])
    course = trajectory.extend([words(states[1:])])[0]
    check(course, -1, block_histogram(PackedMatrix.from_bits(states[-1])))
    after = trajectory.extend([words(states[-1:])])[0]
    assert after.block_entropy[0] == 0
    assert after.flips[0] == after.changed_blocks[0] == 0


def test_what_was_handed_in_may_be_written_over() -> None:
    states = walk((16, 80), 0.1, 2, np.random.default_rng(1))
    start, snapshots = PackedMatrix.from_bits(states[0]), words(states[1:])
    trajectory = Trajectory([start])
    start.words[:] = 0
    first = snapshots[:1].copy()
    trajectory.extend([first])
    first[:] = 0
    course = trajectory.extend([snapshots[1:]])[0]
    check(course, 0, block_histogram(PackedMatrix.from_bits(states[2])))
    assert course.flips[0] == (states[1] ^ states[2]).sum()
    assert np.array_equal(snapshots, words(states[1:]))


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    zeros = [np.zeros((8, 70), dtype=bool)]
    trajectory = Trajectory([PackedMatrix.from_bits(zeros[0])] * 2)
    good, other = words(zeros * 3), words([~zeros[0]] * 3)
    with pytest.raises(DataError, match="cannot follow 2 layers with snapshots of 1"):
        trajectory.extend([good])
    with pytest.raises(DataError, match="the layers have 3, 2 snapshots"):
        trajectory.extend([good, good[:2]])
    for bad in (good[:, :4], good[..., :1], good[0]):
        with pytest.raises(DataError, match="holds no snapshots of a layer of 8 rows") as caught:
            trajectory.extend([other, bad])
        assert caught.value.hint == "expected (steps, 8, 2) words"
    with pytest.raises(DataError, match="bits set beyond its 70 columns"):
        trajectory.extend([other, ~good])
    assert [course.flips.sum() for course in trajectory.extend([good, good])] == [0, 0, 0]
