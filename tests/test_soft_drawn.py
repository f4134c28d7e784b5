"""Readings of drawn weights: exact flips of certain bits, and no bias, by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

import bnnedge
from bnnedge import PackedMatrix, bdm
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy
from bnnedge.complexity.histogram import block_histogram
from bnnedge.soft.drawn import drawn_reading
from bnnedge.soft.histogram import blocks_of
from bnnedge.soft.readings import BDM, CTM, DISTINCT, ENTROPY, Reading
from bnnedge.soft.sampling import Sampling


def hard(reading: Reading, bits: Tensor) -> float:
    """A reading of certain bits, by the measures of the audit."""
    matrix = PackedMatrix.from_bits(bits.numpy() > 0.5)
    return bdm(matrix) if reading is BDM else block_entropy(matrix)


@pytest.mark.parametrize("reading", [BDM, ENTROPY])
def test_of_certain_bits_the_gradient_is_what_each_flip_changes(reading: Reading) -> None:
    bits = (torch.rand(12, 12, generator=torch.Generator().manual_seed(0)) < 0.1).double().requires_grad_()
    value = drawn_reading(blocks_of([bits]), reading)
    (gradient,) = torch.autograd.grad(value, bits)
    assert value.item() == pytest.approx(hard(reading, bits.detach()), rel=1e-12)
    for place in product(range(12), range(12)):
        turned = bits.detach().clone()
        turned[place] = 1 - turned[place]
        gain = (hard(reading, turned) - value.item()) * (1 - 2 * bits[place].item())
        assert gradient[place].item() == pytest.approx(gain, abs=1e-9)


def test_value_and_gradient_are_unbiased() -> None:
    """Of the mean BDM over all 32 cases of five uncertain bits in three blocks, and its derivatives."""
    layer = torch.zeros(4, 12, dtype=torch.float64)
    places = [(0, 0), (1, 2), (2, 5), (3, 7), (0, 9)]
    chances = torch.tensor([0.2, 0.5, 0.7, 0.9, 0.4], dtype=torch.float64, requires_grad=True)
    mean = torch.zeros((), dtype=torch.float64)
    for case in product((0, 1), repeat=5):
        for place, bit in zip(places, case, strict=True):
            layer[place] = bit
        odds = torch.where(torch.tensor(case).bool(), chances, 1 - chances).prod()
        mean = mean + odds * bdm_of(block_histogram(PackedMatrix.from_bits(layer.numpy() > 0)))
    (expected,) = torch.autograd.grad(mean, chances)

    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    layer[tuple(np.transpose(places))] = chances.detach()
    layer.requires_grad_()
    draws = []
    for _ in range(1500):
        value = drawn_reading(blocks_of([layer]), BDM, sampling)
        (gradient,) = torch.autograd.grad(value, layer)
        draws.append(torch.cat((value.detach()[None], gradient[tuple(np.transpose(places))])))
    found = torch.stack(draws)
    errors = found.std(dim=0) / len(found) ** 0.5
    assert (errors > 0).all()
    assert ((found.mean(dim=0) - torch.cat((mean.detach()[None], expected))).abs() < 5 * errors).all()


@pytest.mark.parametrize("reading", [BDM, ENTROPY, CTM, DISTINCT])
def test_draws_follow_their_generator(reading: Reading) -> None:
    blocks = torch.full((500, 16), 0.1)
    values = [
        drawn_reading(blocks, reading, Sampling(generator=torch.Generator().manual_seed(seed))).item()
        for seed in (1, 1, 2)
    ]
    assert values[0] == values[1]
    assert values[0] != values[2]


def test_a_trained_network_in_float32() -> None:
    layers = bnnedge.load("mnist-tfc").layers
    blocks = blocks_of([torch.tensor(layer.weights.to_bits(), dtype=torch.float32) for layer in layers])
    pooled = sum(
        (block_histogram(layer.weights) for layer in layers[1:]), start=block_histogram(layers[0].weights)
    )
    assert drawn_reading(blocks, BDM).item() == pytest.approx(bdm_of(pooled), rel=1e-6)
