"""Controls: other measures of a run's weight bits, and the same measure of other orders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bnnedge.complexity.bdm import bdm
from bnnedge.complexity.entropy import bit_entropy
from bnnedge.complexity.small_blocks import block_entropy_2x2
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.studies.controls import CONTROLS, controlled
from bnnedge.studies.series import RunSeries

WIDTHS = (100, 32, 16, 10)
RNG = np.random.default_rng(0)


def network(smooth: bool) -> list[PackedMatrix]:
    """Random layers; or with a first one in which each neuron has four runs of equal weights."""
    layers = [RNG.random((rows, columns)) < 0.5 for columns, rows in pairwise(WIDTHS)]
    if smooth:
        layers[0] = np.repeat(RNG.random((32, 4)) < 0.5, 25, axis=1)
    return [PackedMatrix.from_bits(layer) for layer in layers]


STATES = [network(smooth=False), network(smooth=False), network(smooth=True)]
SIGNS = np.stack([np.concatenate([m.words.reshape(-1).view(np.uint8) for m in state]) for state in STATES])
RUN = RunSeries(1, np.zeros(2), np.zeros(2), np.zeros((4, 2)), np.zeros((4, 2)), SIGNS, np.zeros(2))


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    return controlled(RUN, WIDTHS, 2)


def test_every_control_has_a_value_at_the_end_of_each_epoch(found: dict[str, np.ndarray]) -> None:
    assert found.keys() == CONTROLS.keys()
    for values in found.values():
        assert values.shape == (2,)
        assert np.isfinite(values).all()


def test_a_permutation_of_the_pixels_takes_away_what_smoothness_gave(found: dict[str, np.ndarray]) -> None:
    random, smooth = found["BDM"]
    assert smooth < 0.8 * random
    assert found["BDM, pixels permuted"][1] > 0.95 * random
    assert found["BDM, neurons permuted"][1] < 0.8 * random
    assert found["BDM, pixels permuted"][0] != random


def test_measures_are_those_of_the_layers(found: dict[str, np.ndarray]) -> None:
    first = STATES[2][0]
    assert found["BDM, first layer"][1] == pytest.approx(bdm(first))
    alone = controlled(RUN, WIDTHS, 2)["bit entropy"][1]
    ones, bits = sum(m.ones for m in STATES[2]), sum(m.bits for m in STATES[2])
    together = PackedMatrix.from_bits([[True] * ones + [False] * (bits - ones)])
    assert alone == pytest.approx(bit_entropy(together))
    assert found["block entropy 2x2"][1] < found["block entropy 2x2"][0]
    assert block_entropy_2x2(first) < found["block entropy 2x2"][1]


def test_seriation_does_not_care_for_permutations() -> None:
    order = np.random.default_rng(5).permutation(100)
    moved = [PackedMatrix.from_bits(STATES[2][0].to_bits()[:, order]), *STATES[2][1:]]
    orders = [np.arange(width) for width in WIDTHS]
    seriated = CONTROLS["BDM, seriated"]
    assert seriated(moved, orders) == pytest.approx(seriated(STATES[2], orders), rel=0.02)
