"""The flip recorder: every bit that differs from the state before, at its step and place, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnnedge.complexity import flips as module
from bnnedge.complexity.flips import FlipRecorder, flips_between


@pytest.mark.parametrize("most", [1, 3, 1 << 17])
@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 150),
    st.lists(st.sampled_from([0.0, 0.02, 1.0]), min_size=2, max_size=6),
    st.integers(0, 99),
)
def test_flips_are_those_between_states(most: int, bits: int, shares: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = [rng.random(bits) < 0.5]
    for share in shares:
        states.append(states[-1] ^ (rng.random(bits) < share))
    start = states[0].copy()
    recorder = FlipRecorder(start)
    start[:] = ~start
    for first, beyond in ((1, 2), (2, len(states))):
        for state in states[first:beyond]:
            recorder.state[:] = state
            recorder.note()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_MOST_WORDS", most)
            parts = list(flips_between(recorder.taken()))
        found, before = [], 0
        for flips in parts:
            words = {(step, place // 64) for step, place in zip(flips.step, flips.place, strict=True)}
            assert len(words) <= most or flips.steps == 1
            found.append(np.stack([flips.step + before, flips.place], axis=1))
            before += flips.steps
        expected = np.argwhere(np.diff(np.array(states[first - 1 : beyond]), axis=0))
        assert before == beyond - first
        assert np.array_equal(np.concatenate(found), expected)
