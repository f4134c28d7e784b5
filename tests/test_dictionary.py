"""A dictionary of blocks, and hardware complexity: by hand, of matrices too small, of trained layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity import dictionary, hardware_cost
from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.dictionary import mean_ctm, rom_bits
from bnnedge.complexity.hardware_cost import COEFFICIENTS, hardware_luts
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.measure import Measure
from bnnedge.complexity.spanning import minimum_spanning_tree

MEASURES = (*dictionary.MEASURES, *hardware_cost.MEASURES)


def test_two_blocks_and_an_edge() -> None:
    bits = np.zeros((9, 14), dtype=bool)
    bits[:4, :4] = True
    matrix = PackedMatrix.from_bits(bits)
    assert rom_bits(matrix) == 6 * 1 + 2 * 16 + (9 * 14 - 6 * 16)
    assert mean_ctm(matrix) == pytest.approx(float(ctm_table((4, 4))[0]), rel=1e-12)


def test_a_dictionary_of_random_blocks_is_larger_than_the_weights_and_one_of_few_is_not() -> None:
    rng = np.random.default_rng(0)
    assert rom_bits(PackedMatrix.from_bits(rng.random((64, 64)) < 0.5)) > 64 * 64
    few = np.tile(rng.random((8, 8)) < 0.5, (8, 8))
    assert rom_bits(PackedMatrix.from_bits(few)) == 256 * 2 + 4 * 16


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.key)
def test_its_parts_make_the_same_measure(measure: Measure) -> None:
    for layer in bnnedge.load("digits-tfc").layers:
        assert measure.shared is not None
        value = measure.of(layer.weights)
        assert measure.shared.of(measure.shared.read(layer.weights)) == value
        if measure.of_blocks is not None:
            assert measure.of_blocks(block_histogram(layer.weights)) == value


def test_hardware_complexity_is_the_documented_formula() -> None:
    matrix = bnnedge.load("digits-tfc").layers[1].weights
    logarithm = (
        COEFFICIENTS["constant"]
        + COEFFICIENTS["tree"] * math.log(minimum_spanning_tree(matrix).weight + matrix.columns)
        + COEFFICIENTS["neurons"] * math.log(matrix.rows)
        + COEFFICIENTS["inputs"] * math.log(matrix.columns)
    )
    assert hardware_luts(matrix) == pytest.approx(math.exp(logarithm), rel=1e-12)


def test_without_weights_or_blocks_there_is_no_number() -> None:
    for shape in ((0, 0), (0, 7), (7, 0)):
        empty = PackedMatrix.from_bits(np.zeros(shape, dtype=bool))
        assert math.isnan(hardware_luts(empty))
        assert math.isnan(mean_ctm(empty))
    row = PackedMatrix.from_bits(np.ones((1, 20), dtype=bool))
    assert hardware_luts(row) > 0
    assert rom_bits(row) == 20
    assert math.isnan(mean_ctm(row))
