"""Every term: its hard measure at certain bits, gradients, both types, and what it refuses."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from torch import Tensor

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.dictionary import mean_ctm
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.errors import BnnedgeError, ConfigError, DataError
from bnnedge.soft.terms import TERMS

SHARED = ("bdm", "entropy", "ctm", "rom", "distinct")  # of which a sample may be taken
DRAWN = ("bdm_drawn", "entropy_drawn", "rom_drawn")
NETWORKS = ("digits-tfc", "mnist-tfc", "random")


def network(name: str) -> list[PackedMatrix]:
    if name != "random":
        return [layer.weights for layer in bnnedge.load(name).layers]
    rng = np.random.default_rng(0)
    return [PackedMatrix.from_bits(rng.random(shape) < 0.4) for shape in ((37, 90), (20, 37), (3, 20))]


def certain(matrices: list[PackedMatrix], dtype: torch.dtype) -> list[Tensor]:
    return [torch.tensor(matrix.to_bits(), dtype=dtype) for matrix in matrices]


def hard(name: str, matrices: list[PackedMatrix]) -> float:
    """What the audit has for a term: its measure, of all blocks pooled or summed over layers."""
    pooled = reduce(add, map(block_histogram, matrices))
    key = TERMS[name].measure
    if key == "block_entropy":
        return block_entropy_of(pooled)
    if key == "bdm":
        each = [block_histogram(matrix) for matrix in matrices]
        return sum(bdm_of(one) for one in each if one.blocks) if name == "bdm_layers" else bdm_of(pooled)
    if key == "ctm_bits":
        blocks = [block_histogram(matrix).blocks for matrix in matrices]
        means = [mean_ctm(matrix) if count else 0.0 for matrix, count in zip(matrices, blocks, strict=True)]
        return float(np.average(means, weights=blocks))
    (measure,) = (measure for measure in MEASURES if measure.key == key)
    return sum(measure.of(matrix) for matrix in matrices)


@pytest.mark.parametrize("network_name", NETWORKS)
@pytest.mark.parametrize("name", TERMS)
def test_of_certain_bits_a_term_is_its_hard_measure(name: str, network_name: str) -> None:
    matrices = network(network_name)
    expected = hard(name, matrices)
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        value = TERMS[name](certain(matrices, dtype))
        assert (value.shape, value.dtype) == ((), dtype)
        assert value.item() == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_finite_at_certain_bits_and_between(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    for layer in (*certain(network("digits-tfc"), torch.float32), torch.rand(12, 30, generator=generator)):
        layer.requires_grad_()
        (gradient,) = torch.autograd.grad(TERMS[name]([layer], generator=generator), layer)
        assert gradient.isfinite().all()
        assert gradient.any() or name in DRAWN  # of random bits, no single flip need be worth anything


@pytest.mark.parametrize("name", ["bdm", "bdm_layers", "entropy", "ctm", "distinct", "tree", "hardware"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((9, 13), (5, 9))]
    layers = [layer.requires_grad_() for layer in layers]
    assert torch.autograd.gradcheck(lambda *some: TERMS[name](some), layers)


@pytest.mark.parametrize("name", ["bdm", "tree", "distinct", "hardware", "bdm_drawn", "rom"])
def test_descent_lowers_the_hard_measure(name: str) -> None:
    """From fair random bits, with nothing else to lose."""
    generator = torch.Generator().manual_seed(0)
    latent = (torch.rand(32, 48, generator=generator) * 2 - 1).requires_grad_()

    def bits() -> list[PackedMatrix]:
        return [PackedMatrix.from_bits(latent.detach().numpy() >= 0)]

    before = hard(name, bits())
    optimiser = torch.optim.Adam([latent], lr=0.03)
    for _ in range(40):
        optimiser.zero_grad()
        TERMS[name]([(latent + 1) / 2], generator=generator).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            latent.clamp_(-1, 1)
    assert hard(name, bits()) < 0.9 * before


@pytest.mark.parametrize("name", [*SHARED, *DRAWN])
def test_what_is_drawn_follows_the_generator(name: str) -> None:
    layers = [torch.rand(40, 200, generator=torch.Generator().manual_seed(0))]
    values = [TERMS[name](layers, 0.4, torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2, 3)]
    assert values[0] == values[1]
    assert len(set(values)) > 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (([],), DataError),
        (([torch.ones(4)],), DataError),
        (([torch.ones(4, 4, dtype=torch.int64)],), DataError),
        (([torch.ones(4, 4)], 0.0), ConfigError),
        (([torch.ones(4, 4)], 1.5), ConfigError),
    ],
)
def test_bad_input_is_refused(given: tuple[list[Tensor], float], error: type[BnnedgeError]) -> None:
    for term in TERMS.values():
        with pytest.raises(error) as raised:
            term(*given)
        assert raised.value.hint


def test_layers_without_a_block_have_no_complexity_of_blocks() -> None:
    for name in ("bdm", "bdm_layers", "entropy", "ctm", "bdm_drawn"):
        assert TERMS[name]([torch.rand(3, 50, requires_grad=True)]).item() == 0
    assert TERMS["rom"]([torch.rand(3, 50)]).item() == 150
