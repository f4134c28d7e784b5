"""The spanning tree of probabilities: lightest, equal to the hard one, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree as scipys_tree

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity.hardware_cost import hardware_luts
from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.soft.hardware_cost import hardware_cost
from bnnedge.soft.sampling import Sampling
from bnnedge.soft.tree import lightest_edges, spanning_tree_weight

bit_arrays = st.tuples(st.integers(1, 30), st.integers(1, 9)).flatmap(lambda shape: arrays(bool, shape))


@settings(max_examples=200)
@given(bit_arrays)
def test_of_certain_bits_it_is_the_hard_tree(bits: NDArray[np.bool_]) -> None:
    """Few inputs, so that many edges are as light as one another."""
    weight = minimum_spanning_tree(PackedMatrix.from_bits(bits)).weight
    assert spanning_tree_weight(torch.tensor(bits, dtype=torch.float32)).item() == weight


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_no_tree_is_lighter(nodes: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).random((nodes, nodes)) + 0.1
    distances = drawn + drawn.T
    first, second = lightest_edges(distances.copy())
    assert distances[first, second].sum() == pytest.approx(scipys_tree(distances).sum(), rel=1e-12)


@given(st.integers(1, 25), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_edges_connect_all_nodes_whatever_the_ties(nodes: int, kinds: int, seed: int) -> None:
    distances = np.triu(np.random.default_rng(seed).integers(kinds, size=(nodes, nodes)).astype(float))
    edges = lightest_edges(distances + distances.T)
    component = np.arange(nodes)
    for one, other in edges.T:
        assert component[one] != component[other]  # no cycle
        component[component == component[other]] = component[one]
    assert len(set(component)) == 1


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = torch.rand(9, 13, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spanning_tree_weight, layer)
    assert torch.autograd.gradcheck(hardware_cost, layer)


def test_turning_a_weight_towards_the_parent_is_what_the_gradient_asks_for() -> None:
    """Of two neurons, certain but for sign: the weights in which they differ, and no others, are pulled."""
    layer = torch.tensor([[1.0, 1, 1, 1, 0], [1, 1, 1, 0, 1]], requires_grad=True)
    spanning_tree_weight(layer).backward()  # type: ignore[no-untyped-call]
    assert layer.grad is not None
    assert layer.grad.tolist() == [[-1, -1, -1, 1, -1], [-1, -1, -1, -1, 1]]


def test_a_sample_of_neurons_overstates_the_tree_and_all_of_them_are_exact() -> None:
    bits = torch.tensor(bnnedge.load("digits-tfc").layers[0].weights.to_bits(), dtype=torch.float32)
    whole = spanning_tree_weight(bits).item()
    generator = torch.Generator().manual_seed(0)
    samples = [spanning_tree_weight(bits, Sampling(0.5, generator)).item() for _ in range(20)]
    assert whole < min(samples)
    assert np.mean(samples) < 1.5 * whole


def test_expected_luts_are_those_of_the_hard_measure_and_grow_with_the_tree() -> None:
    trained = bnnedge.load("digits-tfc").layers[1].weights
    shuffled = np.random.default_rng(0).permutation(trained.to_bits().ravel()).reshape(trained.shape)
    luts = []
    for matrix in (trained, PackedMatrix.from_bits(shuffled)):
        luts.append(hardware_cost(torch.tensor(matrix.to_bits(), dtype=torch.float64)).item())
        assert luts[-1] == pytest.approx(hardware_luts(matrix), rel=1e-12)
    assert luts[0] < luts[1]


def test_descent_brings_the_hard_tree_down() -> None:
    generator = torch.Generator().manual_seed(1)
    layer = torch.rand(12, 40, generator=generator).requires_grad_()

    def hard() -> int:
        return minimum_spanning_tree(PackedMatrix.from_bits(layer.detach().numpy() > 0.5)).weight

    start = hard()
    optimiser = torch.optim.Adam([layer], lr=0.02)
    for _ in range(100):
        optimiser.zero_grad()
        spanning_tree_weight(layer).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            layer.clamp_(0, 1)
    assert hard() < start / 2
