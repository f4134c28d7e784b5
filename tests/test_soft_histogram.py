"""The expected block histogram: equal to the hard one and to enumeration, its gradient, samples of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity.histogram import block_histogram
from bnnedge.errors import ConfigError
from bnnedge.soft import histogram
from bnnedge.soft.distributions import distributions
from bnnedge.soft.histogram import PATTERNS, blocks_of, expected_histogram
from bnnedge.soft.sampling import Sampling

bit_arrays = st.tuples(st.integers(0, 13), st.integers(0, 21)).flatmap(lambda shape: arrays(bool, shape))


def probabilities(*shape: int, seed: int = 0) -> Tensor:
    """Some of them 0, some 1, most between."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 1.5 - 0.25).clamp(0, 1)


@settings(max_examples=30)
@given(bit_arrays)
def test_of_certain_bits_it_is_the_hard_histogram(bits: NDArray[np.bool_]) -> None:
    counts = block_histogram(PackedMatrix.from_bits(bits)).counts[4, 4]
    for dtype in (torch.float32, torch.float64):
        found = expected_histogram(blocks_of([torch.tensor(bits, dtype=dtype)]))
        assert found.dtype == dtype
        assert np.array_equal(found.numpy(), counts)


def test_layers_are_pooled() -> None:
    layers = bnnedge.load("digits-tfc").layers
    hard = sum(block_histogram(layer.weights).counts[4, 4] for layer in layers)
    soft = expected_histogram(blocks_of([torch.tensor(layer.weights.to_bits() * 1.0) for layer in layers]))
    assert np.array_equal(soft.numpy(), hard)


def test_of_uncertain_bits_it_is_the_mean_over_what_they_may_be() -> None:
    """One block with four uncertain bits, all 16 cases of which are counted one by one."""
    block = torch.tensor(np.random.default_rng(0).random((4, 4)) < 0.5, dtype=torch.float64)
    places = [(0, 0), (1, 3), (2, 2), (3, 1)]
    chances = [0.2, 0.5, 0.7, 0.9]
    expected = np.zeros(PATTERNS)
    for case in product((0.0, 1.0), repeat=4):
        weight = 1.0
        for place, bit, chance in zip(places, case, chances, strict=True):
            block[place] = bit
            weight *= chance if bit else 1 - chance
        expected += weight * block_histogram(PackedMatrix.from_bits(block.numpy() > 0)).counts[4, 4]
    for place, chance in zip(places, chances, strict=True):
        block[place] = chance
    assert expected_histogram(blocks_of([block])).numpy() == pytest.approx(expected, abs=1e-15)


def test_the_gradient_is_that_of_finite_differences() -> None:
    weights = probabilities(PATTERNS, seed=1)

    def weighed(layer: Tensor) -> Tensor:
        return expected_histogram(blocks_of([layer])) @ weights

    assert torch.autograd.gradcheck(weighed, probabilities(9, 10).requires_grad_())


def test_distributions_and_their_gradient() -> None:
    bits = probabilities(5, 8, seed=2).requires_grad_()
    made = distributions(bits)
    codes = torch.arange(256)[:, None] >> torch.arange(7, -1, -1) & 1
    plain = torch.where(codes.bool(), bits[:, None], 1 - bits[:, None]).prod(dim=-1)
    assert torch.allclose(made, plain, atol=1e-15)
    assert torch.autograd.gradcheck(distributions, bits)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_add_up(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    blocks = blocks_of([probabilities(32, 32)]).requires_grad_()
    results: list[Any] = []
    for size in (chunk, 1 << 13):
        monkeypatch.setattr(histogram, "_CHUNK", size)
        found = expected_histogram(blocks)
        results.append((found, *torch.autograd.grad(found.square().sum(), blocks)))
    for of_chunks, whole in zip(*results, strict=True):
        assert torch.allclose(of_chunks, whole, atol=1e-13)


def test_samples_are_unbiased() -> None:
    """Counts and gradients: the mean of many samples is the whole, within five standard errors."""
    blocks = blocks_of([probabilities(8, 24, seed=3)]).requires_grad_()
    weights = probabilities(PATTERNS, seed=4)
    sampling = Sampling(0.25, torch.Generator().manual_seed(0))

    def reading(some: Sampling) -> Tensor:
        value = expected_histogram(blocks, some) @ weights
        (gradient,) = torch.autograd.grad(value, blocks)
        return torch.cat((value.detach()[None], gradient.flatten()))

    whole = reading(Sampling())
    samples = torch.stack([reading(sampling) for _ in range(500)])
    errors = samples.std(dim=0) / len(samples) ** 0.5
    assert errors[0] > 0
    assert ((samples.mean(dim=0) - whole).abs() <= 5 * errors + 1e-12).all()


def test_a_sample_of_certain_bits_is_exact_and_follows_its_generator() -> None:
    bits = torch.tensor(bnnedge.load("digits-tfc").layers[0].weights.to_bits() * 1.0)
    blocks = blocks_of([bits])
    sample = expected_histogram(blocks, Sampling(0.1, torch.Generator().manual_seed(0)))
    assert torch.allclose(sample, expected_histogram(blocks), atol=1e-9)
    soft = blocks_of([probabilities(16, 16)])
    draws = [expected_histogram(soft, Sampling(0.3, torch.Generator().manual_seed(s))) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_shares_that_cannot_be(share: float) -> None:
    with pytest.raises(ConfigError, match="cannot be drawn"):
        Sampling(share)
