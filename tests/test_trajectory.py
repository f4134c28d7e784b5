"""Trajectories: at every step what a full count says, of each layer and of all pooled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.flips import FlipRecorder, Flips, flips_between
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.trajectory import MOST_STEPS, Course, Trajectory
from bnnedge.errors import DataError

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


def flips(*layers: list[Bits]) -> Flips:
    """What flips in all layers from each state to the next."""
    first, *others = (
        np.concatenate([state.reshape(-1) for state in step]) for step in zip(*layers, strict=True)
    )
    recorder = FlipRecorder(first)
    for state in others:
        recorder.state[:] = state
        recorder.note()
    (flips,) = flips_between(recorder.taken())
    return flips


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
    st.integers(2, 8),
    st.integers(1, 7),
    st.integers(0, 2**32 - 1),
)
def test_every_step_equals_a_full_count(
    layers: list[tuple[tuple[int, int], float]], steps: int, cut: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    walks = [walk(shape, share, steps, rng) for shape, share in layers]
    trajectory = Trajectory([PackedMatrix.from_bits(states[0]) for states in walks])
    cut = min(cut, steps - 1)
    parts = [[states[: cut + 1] for states in walks], [states[cut:] for states in walks]]
    batches = [(first, trajectory.extend(flips(*part))) for first, part in zip((0, cut), parts, strict=True)]
    for step in range(steps):
        first, courses = batches[step >= cut]
        histograms = [block_histogram(PackedMatrix.from_bits(states[step + 1])) for states in walks]
        pooled = sum(histograms[1:], start=histograms[0])
        for course, histogram in zip(courses, (*histograms, pooled), strict=True):
            check(course, step - first, histogram)
        flipped = [int((states[step + 1] ^ states[step]).sum()) for states in walks]
        assert [course.flips[step - first] for course in courses] == [*flipped, sum(flipped)]
        blocks = [blocks_that_differ(states[step + 1], states[step]) for states in walks]
        assert [course.changed_blocks[step - first] for course in courses] == [*blocks, sum(blocks)]


def test_a_long_walk_through_a_constant_matrix_gathers_no_error() -> None:
    rng = np.random.default_rng(0)
    states = walk((64, 64), 0.02, 300, rng)
    states += [np.zeros((64, 64), dtype=bool)]
    trajectory = Trajectory([PackedMatrix.from_bits(states[0])])
    course = trajectory.extend(flips(states))[0]
    check(course, -1, block_histogram(PackedMatrix.from_bits(states[-1])))
    after = trajectory.extend(flips(states[-1:] * 2))[0]
    assert after.block_entropy[0] == 0
    assert after.flips[0] == after.changed_blocks[0] == 0


def test_states_are_followed_through_as_many_parts_as_flips_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    states = walk((16, 80), 0.1, 9, np.random.default_rng(2))
    recorder = FlipRecorder(states[0].reshape(-1))
    for state in states[1:]:
        recorder.state[:] = state.reshape(-1)
        recorder.note()
    monkeypatch.setattr("bnnedge.complexity.flips._MOST_WORDS", 50)
    kept = recorder.taken()
    assert len(list(flips_between(kept))) > 2
    course = Trajectory([PackedMatrix.from_bits(states[0])]).follow(kept)[0]
    for step, state in enumerate(states[1:]):
        check(course, step, block_histogram(PackedMatrix.from_bits(state)))
    assert course.flips.tolist() == [int((a ^ b).sum()) for a, b in pairwise(states)]


def test_what_was_handed_in_may_be_written_over() -> None:
    states = walk((16, 80), 0.1, 1, np.random.default_rng(1))
    start = PackedMatrix.from_bits(states[0])
    trajectory, moved = Trajectory([start]), flips(states)
    start.words[:] = 0
    course = trajectory.extend(moved)[0]
    check(course, 0, block_histogram(PackedMatrix.from_bits(states[1])))
    assert course.flips[0] == (states[0] ^ states[1]).sum()


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    zeros = np.zeros((8, 70), dtype=bool)
    trajectory = Trajectory([PackedMatrix.from_bits(zeros)])
    elsewhere = flips([zeros] * 2, [zeros, ~zeros])
    with pytest.raises(DataError, match="layers of 560 bits through 1 steps with flips up to bit 1119"):
        trajectory.extend(elsewhere)
    with pytest.raises(DataError, match=f"through {MOST_STEPS + 1} steps"):
        trajectory.extend(flips([zeros] * (MOST_STEPS + 2)))
    assert [course.flips.sum() for course in trajectory.extend(flips([zeros] * 3))] == [0, 0]
