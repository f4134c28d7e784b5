"""The soft number of distinct aligned patterns: agreement by enumeration, the hard count, samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor

from bnnedge import PackedMatrix
from bnnedge.complexity.aligned import distinct_patterns as hard_patterns
from bnnedge.soft.patterns import WIDTHS, distinct_patterns
from bnnedge.soft.sampling import Sampling

bit_arrays = st.tuples(st.integers(1, 12), st.integers(1, 140)).flatmap(lambda shape: arrays(bool, shape))


def plain(layer: Tensor) -> Tensor:
    """The formula with a product over inputs for each pair of neurons."""
    signs = 2 * layer - 1
    total = torch.zeros((), dtype=layer.dtype)
    for width in WIDTHS:
        for group in torch.split(signs, width, dim=1):
            products = group[:, None] * group[None]
            alike = ((1 + products) / 2).prod(dim=-1) + ((1 - products) / 2).prod(dim=-1)
            alike.fill_diagonal_(1)
            total = total + (1 / alike.sum(dim=-1)).sum()
    return total


def probabilities(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 1.5 - 0.25).clamp(0, 1)


@settings(max_examples=40)
@given(bit_arrays)
def test_of_certain_bits_it_is_the_hard_count(bits: NDArray[np.bool_]) -> None:
    expected = hard_patterns(PackedMatrix.from_bits(bits))
    assert distinct_patterns([torch.tensor(bits, dtype=torch.float32)]).item() == pytest.approx(expected)


@pytest.mark.parametrize("inputs", [1, 3, 4, 6, 8, 20, 64, 75, 130])
def test_equal_to_the_plain_formula(inputs: int) -> None:
    layer = probabilities(7, inputs)
    assert distinct_patterns([layer]).item() == pytest.approx(plain(layer).item(), rel=1e-12)


@pytest.mark.parametrize("inputs", [8, 14, 27])
def test_the_gradient_is_that_of_finite_differences(inputs: int) -> None:
    layer = probabilities(5, inputs).requires_grad_()
    assert torch.autograd.gradcheck(lambda some: distinct_patterns([some]), layer)


def test_samples_of_segments_are_unbiased() -> None:
    layers = [probabilities(6, 200), probabilities(9, 64)]
    sampling = Sampling(0.4, torch.Generator().manual_seed(0))
    samples = torch.stack([distinct_patterns(layers, sampling) for _ in range(400)])
    assert samples.std() > 0
    error = samples.std() / len(samples) ** 0.5
    assert (samples.mean() - distinct_patterns(layers)).abs() < 5 * error
