"""Measured values to bytes: in order, in range, the same for a sensor as in training."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnnedge.data.scaling import Scaling, fit_images, fit_table
from bnnedge.errors import DataError

FINITE = st.floats(-1e12, 1e12, allow_subnormal=False)
TABLES = st.tuples(st.integers(1, 30), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=FINITE)
)


@given(TABLES)
def test_order_is_kept_and_the_range_is_used(samples: np.ndarray) -> None:
    scaling = fit_table(samples)
    scaled = scaling.apply(samples)
    assert scaled.dtype == np.uint8
    for before, after in zip(samples.T, scaled.T, strict=True):
        assert (np.diff(after[np.argsort(before)].astype(int)) >= 0).all()
        if before.min() == before.max():
            assert (after == 0).all()
        else:
            assert (after.min(), after.max()) == (0, 255)


def test_quantiles_are_samples() -> None:
    """Of 1000 values, the fifth smallest and the fifth largest; what lies beyond is clipped."""
    samples = np.random.default_rng(1).normal(size=(1000, 1)) ** 3
    scaling = fit_table(samples)
    ordered = np.sort(samples[:, 0])
    assert scaling.low == (ordered[4],)
    assert scaling.step == ((ordered[994] - ordered[4]) / 255,)
    scaled = scaling.apply(samples)[:, 0]
    assert (scaled == 0).sum() >= 5
    assert (scaled[samples[:, 0] > ordered[994]] == 255).all()


def test_a_rare_value_is_not_lost() -> None:
    samples = np.zeros((1000, 1))
    samples[3] = 1
    assert fit_table(samples).apply(samples).ravel().nonzero()[0].tolist() == [3]
    assert fit_table(samples).step == (1 / 255,)


def test_a_feature_that_never_changes_is_0_wherever_it_is() -> None:
    scaling = fit_table(np.full((10, 2), 7.5))
    assert scaling.apply(np.array([[7.5, 7.4], [7.0, 8.6]])).tolist() == [[0, 0], [0, 1]]


def test_images_share_one_map() -> None:
    """Bytes that somebody divided by 255 come back."""
    images = np.random.default_rng(2).integers(0, 256, (5, 3, 4, 4))
    images[0, 0, 0, :2] = 0, 255
    scaling = fit_images(images / 255)
    assert len(scaling.low) == len(scaling.step) == 1
    np.testing.assert_array_equal(scaling.apply(images / 255), images)
    np.testing.assert_array_equal(scaling.apply((images / 255)[:, :, :2]), images[:, :, :2])


@given(TABLES, st.data())
def test_a_sensor_gets_the_same_bytes_one_sample_at_a_time(samples: np.ndarray, data: st.DataObject) -> None:
    scaling = fit_table(samples)
    row = data.draw(st.integers(0, len(samples) - 1))
    alone = scaling.apply(samples[row])
    np.testing.assert_array_equal(alone, scaling.apply(samples)[row])
    by_hand = [
        min(255, max(0, round((x - low) / step)))
        for x, low, step in zip(samples[row].tolist(), scaling.low, scaling.step, strict=True)
    ]
    assert alone.tolist() == by_hand


def test_it_survives_json() -> None:
    scaling = fit_table(np.random.default_rng(3).normal(size=(50, 4)))
    table = json.loads(json.dumps(dataclasses.asdict(scaling)))
    assert Scaling(**{key: tuple(values) for key, values in table.items()}) == scaling


@pytest.mark.parametrize(
    ("low", "step"), [((), ()), ((0.0,), (1.0, 1.0)), ((0.0,), (0.0,)), ((0.0,), (-1.0,))]
)
def test_maps_that_cannot_be(low: tuple[float, ...], step: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="a scaling of"):
        Scaling(low, step)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(bad: float) -> None:
    scaling = Scaling((0.0, 0.0), (1.0, 1.0))
    with pytest.raises(DataError, match="not finite"):
        scaling.apply(np.array([[1.0, bad]]))
    with pytest.raises(DataError, match=r"samples of shape \(1, 3\)"):
        scaling.apply(np.zeros((1, 3)))
