"""What unrolled layers are made from: trees, sums of bits, and matrices that are the function."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import bnnedge
from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.hardware.unrolled.circuit import Circuit, Literal
from bnnedge.hardware.unrolled.groups import group_neurons
from bnnedge.hardware.unrolled.layers import best_layer
from bnnedge.hardware.unrolled.matrices import LayerMatrix, Sources, matrix_of
from bnnedge.hardware.unrolled.modules import at_least, reaches
from bnnedge.hardware.unrolled.popcount import Weaver, terms_of
from bnnedge.hardware.unrolled.trees import Tree, spanning_tree
from bnnedge.packed.infer import activations, trace
from tests.networks import packed_models, random_inputs


def signs(seed: int, rows: int, columns: int) -> NDArray[np.int16]:
    return (2 * np.random.default_rng(seed).integers(0, 2, (rows, columns)) - 1).astype(np.int16)


def weight(tree: Tree) -> int:
    """Corrections in all, the root's own not counted."""
    return sum(
        int((tree.weights[node] != tree.weights[tree.parents[node]]).sum())
        for node in tree.order
        if tree.parents[node] >= 0
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 40), st.booleans())
def test_a_tree_holds_every_row_or_its_complement(seed: int, rows: int, columns: int, shared: bool) -> None:
    matrix = signs(seed, rows, columns)
    tree = spanning_tree(matrix, rows, shared=shared)
    turned = np.where(tree.complemented[:rows, None], -matrix, matrix)
    np.testing.assert_array_equal(tree.weights[:rows], turned)
    assert sorted(tree.order) == list(range(len(tree.weights)))
    assert [node for node in tree.order if tree.parents[node] < 0] == tree.order[:1]


def test_the_tree_is_minimal_and_steiner_points_make_it_lighter() -> None:
    layer = bnnedge.load("digits-tfc").layers[0]
    matrix = layer.weights.to_signs().astype(np.int16)
    least = minimum_spanning_tree(layer.weights).weight
    assert weight(spanning_tree(matrix, len(matrix), shared=False)) == least
    assert weight(spanning_tree(matrix, len(matrix), shared=True)) < 0.85 * least


def test_hops_bound_the_tree() -> None:
    tree = spanning_tree(signs(1, 30, 50), 2, shared=False)
    depth = {-1: -1}
    for node in tree.order:
        depth[node] = depth[int(tree.parents[node])] + 1
    assert max(depth.values()) <= 2


@given(
    st.dictionaries(st.integers(0, 90), st.integers(-3, 3).filter(bool), max_size=90),
    st.integers(0, 4),
    st.booleans(),
)
def test_a_sum_reads_every_bit_once_and_knows_its_range(
    coefficients: dict[int, int], chain: int, serial: bool
) -> None:
    weaver = Weaver(Circuit(20), chain, serial)
    number = weaver.sum("sum", terms_of(coefficients, 1))
    read = " ".join(weaver.circuit.statements).count("x[")
    assert read == sum(abs(value).bit_count() for value in coefficients.values())
    assert number.maximum == sum(map(abs, coefficients.values()))
    assert number.offset == sum(value for value in coefficients.values() if value < 0)


def test_six_bits_cost_three_tables() -> None:
    weaver = Weaver(Circuit(20))
    bits = [Literal(position, False) for position in range(18)]
    number = weaver.sum("sum", {0: bits})
    assert (weaver.circuit.luts, number.width, number.level) == (9, 5, 3)


def test_groups_hold_every_neuron_once() -> None:
    groups = group_neurons(signs(2, 11, 30), 4)
    assert [len(group) for group in groups] == [4, 4, 3]
    assert sorted(neuron for group in groups for neuron in group) == list(range(11))


@given(packed_models(max_width=20))
def test_matrices_compute_what_the_model_computes(model: bnnedge.PackedModel) -> None:
    model = model.canonical()
    samples = random_inputs(model, 9)
    whole = model.encoding.kind == "integer"
    reaches = samples if whole else model.encoding.encode(samples).reshape(len(samples), -1)
    sources, maximum = Sources.straight(model.layers[0].inputs), model.encoding.maximum if whole else None
    for layer, sums in zip(model.layers, trace(model, samples)[0], strict=True):
        matrix = matrix_of(layer, sources, maximum)
        own = reaches.astype(np.int64) @ matrix.weights.T
        np.testing.assert_array_equal(matrix.scale * own + matrix.offsets, sums)
        if matrix.bounds is not None:
            reaches = activations(layer, sums)
            np.testing.assert_array_equal(own >= matrix.bounds, reaches)
            sources, maximum = matrix.sources(), None


def value_of(expression: str, names: list[str], number: int) -> bool:
    bits = {name: number >> place & 1 for place, name in enumerate(names)}
    text = expression.replace("1'b", "").replace("~", "1^")
    return bool(eval(text, {}, bits))  # noqa: S307 (our own text of bits, &, | and ~)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_comparisons_with_every_constant(width: int) -> None:
    names = [f"bit{place}" for place in range(width)]
    for least in range(-1, (1 << width) + 2):
        text = at_least(names, least)
        for value in range(1 << width):
            assert value_of(text, names, value) == (value >= least)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_comparisons_of_every_range_by_its_remainders(width: int) -> None:
    names, size = [f"bit{place}" for place in range(width)], 1 << width
    for least in range(-size, size + 1):
        for most in range(least + 1, least + size):
            for bound in range(least + 1, most + 1):
                text = reaches(names, least, bound, most)
                for value in range(least, most + 1):
                    assert value_of(text, names, value % size) == (value >= bound)


def layer_of(rows: NDArray[np.int16]) -> LayerMatrix:
    nothing = np.zeros(len(rows), np.int64)
    return LayerMatrix(rows, 2, nothing, 1, nothing)


def test_sums_are_no_wider_than_their_values_need() -> None:
    matrix = layer_of(signs(3, 40, 31))
    assert matrix.sum_bits == 5
    for way in (best_layer("fc1", matrix, None), best_layer("fc1", matrix, 12)):
        assert max(number.width for number, _ in way.sums) == 5


def test_weights_that_are_no_signs_are_in_no_group() -> None:
    """Groups count the inputs of equal signs: a weight of 2, of an input that is read twice, is no sign."""
    rows = signs(4, 9, 120)
    assert best_layer("fc1", layer_of(rows), None).method.startswith("groups")
    rows[:, ::7] *= 2
    assert not best_layer("fc1", layer_of(rows), None).method.startswith("groups")


def test_a_carry_is_no_complement_where_an_input_is_left() -> None:
    weaver = Weaver(Circuit(20))
    start = weaver.sum("start", {0: [Literal(position, False) for position in range(6)]})
    weaver.sum("sum", {0: [Literal(position, position % 2 == 0) for position in range(24)]}, start)
    carries = re.findall(r"\.carry\((\S+?)\)", " ".join(weaver.circuit.statements))
    assert len(carries) == 4
    assert not any(carry.startswith("~") for carry in carries)
