"""Rules for early stopping, their choice, and the choice of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.studies.series import RunSeries
from bnnedge.studies.stopping import (
    RULES,
    VALIDATION_RULE,
    Rule,
    Stop,
    accuracies,
    chosen,
    fixed_stops,
    lost,
    ranking,
    stops,
)

Numbers = NDArray[np.float64]
LEVELS = st.floats(-100, 100)
SIGNALS = arrays(np.float64, st.integers(1, 30), elements=LEVELS)


def run(test: list[float], validation: list[float] | None = None) -> RunSeries:
    """A run of these test accuracies; its validation loss is their error if none is given."""
    accuracy = np.array(test)
    loss = 1 - accuracy if validation is None else np.array(validation)
    zeros = np.zeros((1, len(test)))
    return RunSeries(0, loss, loss, zeros, zeros, np.zeros((len(test) + 1, 8), dtype=np.uint8), accuracy)


@given(SIGNALS, SIGNALS, st.sampled_from(RULES))
def test_a_stop_depends_on_no_later_epoch(signal: Numbers, later: Numbers, rule: Rule) -> None:
    stop = stops(signal, rule)
    assert 1 <= stop.kept <= stop.epochs <= len(signal)
    assert signal[stop.kept - 1] == signal[: stop.epochs].min()
    if stop.epochs < len(signal):
        continued: Numbers = np.append(signal[: stop.epochs], later)
        assert stops(continued, rule) == stop


@given(st.integers(1, 20), st.sampled_from(RULES))
def test_a_signal_that_falls_by_steps_as_large_as_its_fall_is_never_stopped(length: int, rule: Rule) -> None:
    signal: Numbers = -(2.0 ** np.arange(length, dtype=np.float64))
    assert stops(signal, rule) == Stop(length, length)


def test_a_signal_that_never_falls_is_stopped_when_patience_is_out() -> None:
    assert stops(np.arange(20.0), Rule(3)) == Stop(4, 1)


def test_it_is_the_early_stop_of_training() -> None:
    """Five epochs after the smallest validation loss, of which a tie is no fall."""
    loss = np.array([3.0, 2.0, 1.0, 1.0, 1.5, 1.2, 1.1, 1.0, 0.5])
    assert stops(loss, VALIDATION_RULE) == Stop(8, 3)


def test_the_rule_of_the_fewest_epochs_that_loses_little_is_chosen() -> None:
    runs = [run([0.5, 0.7, 0.7995, 0.8]), run([0.4, 0.7, 0.7995, 0.8])]
    reference = fixed_stops(runs, 4)
    candidates = {epoch: fixed_stops(runs, epoch) for epoch in (1, 2, 3, 4)}
    assert chosen(runs, reference, candidates) == 3
    assert chosen(runs, reference, {epoch: candidates[epoch] for epoch in (1, 2)}) == 2
    with pytest.raises(DataError, match="no rule"):
        chosen(runs, reference, {})


def test_what_is_lost_is_lost_run_by_run() -> None:
    runs = [run([0.5, 0.8]), run([0.7, 0.8]), run([0.9, 0.8])]
    estimate = lost(runs, fixed_stops(runs, 2), fixed_stops(runs, 1))
    assert estimate.value == pytest.approx(0.1)
    assert estimate.low == pytest.approx(-0.1)
    assert estimate.high == pytest.approx(0.3)
    np.testing.assert_array_equal(accuracies(runs, fixed_stops(runs, 1)), [0.5, 0.7, 0.9])


def test_a_signal_that_is_the_test_error_ranks_runs_fully() -> None:
    rng = np.random.default_rng(0)
    runs = [run([0.1, accuracy, 0.0], [1.0, 0.5, 0.9]) for accuracy in rng.uniform(0.5, 0.9, 25)]
    found = ranking(runs, [1 - one.test_accuracies for one in runs])
    assert found.coefficient.value == pytest.approx(1)
    groups = np.array([one.test_accuracy for one in runs[:20]]).reshape(2, 10)
    assert found.gain.value == pytest.approx((groups.max(axis=1) - groups.mean(axis=1)).mean())
    backwards = ranking(runs, [one.test_accuracies for one in runs])
    assert backwards.coefficient.value == pytest.approx(-1)
    assert backwards.gain.value < 0


def test_one_of_ten_cannot_be_chosen_of_nine() -> None:
    runs = [run([0.5, 0.6])] * 9
    with pytest.raises(DataError, match="9 runs"):
        ranking(runs, [one.train_loss for one in runs])
