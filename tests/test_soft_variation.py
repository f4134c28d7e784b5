"""Total variation along the spanning tree: the hard weight at certain bits, 0 where neurons are equal."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.importers.load import load
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.soft.sampling import Sampling
from bnnedge.soft.tree import spanning_tree_weight
from bnnedge.soft.variation import tree_variation


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_certain_bits_give_the_weight_of_the_spanning_tree(neurons: int, inputs: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (neurons, inputs))
    tree = minimum_spanning_tree(PackedMatrix.from_signs(2 * bits - 1))
    assert tree_variation(torch.from_numpy(bits.astype(np.float64))).item() == tree.weight


def test_a_trained_network_weighs_what_the_audit_says() -> None:
    for layer in load("mnist-tfc").layers:
        bits = torch.from_numpy(layer.weights.to_bits().astype(np.float32))
        assert tree_variation(bits).item() == minimum_spanning_tree(layer.weights).weight


def test_undecided_neurons_that_are_equal_vary_in_nothing_though_drawn_bits_would_differ() -> None:
    probabilities = torch.rand(1, 50, generator=torch.Generator().manual_seed(0)).repeat(6, 1)
    turned = torch.cat((probabilities, 1 - probabilities))
    assert tree_variation(turned).item() < 1e-4
    assert spanning_tree_weight(turned).item() > 50


def test_the_gradient_is_that_of_finite_differences() -> None:
    values = torch.rand(7, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    # Away from 1/2, where a bit turns and with it perhaps the tree.
    values = torch.where(values < 0.5, 0.9 * values, 0.1 + 0.9 * values).requires_grad_()
    assert torch.autograd.gradcheck(tree_variation, values, eps=1e-7)


def test_the_pull_on_a_weight_is_the_same_however_near_its_parent_is() -> None:
    far, near = (torch.tensor([[0.9, 0.9, 0.9], [0.9, 0.9, p]], requires_grad=True) for p in (0.1, 0.89))
    for probabilities in (far, near):
        tree_variation(probabilities).backward()  # type: ignore[no-untyped-call]
    assert far.grad is not None
    assert near.grad is not None
    assert torch.equal(far.grad, near.grad)
    assert far.grad[1, 2].item() == -1


def test_a_sample_of_the_inputs_is_without_bias() -> None:
    probabilities = torch.rand(5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    drawn = [tree_variation(probabilities, Sampling(0.5, generator)).item() for _ in range(2000)]
    whole = tree_variation(probabilities).item()
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert len({round(value, 9) for value in drawn}) == 20  # 3 of 6 inputs
    assert abs(np.mean(drawn) - whole) < 4 * error
