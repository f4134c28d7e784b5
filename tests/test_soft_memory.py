"""The dictionary that a folded engine stores: the generator's own memory, bit for bit, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity.dictionary import rom_bits
from bnnedge.hardware.folded.fold import Fold
from bnnedge.hardware.folded.memories import weight_words
from bnnedge.soft.memory import dictionary_bits
from bnnedge.soft.terms import TERMS


@pytest.mark.parametrize(
    ("fold", "kinds"),
    [(Fold(4, 4), kinds) for kinds in (1, 2, 3, 8, 9, 40)] + [(Fold(8, 16), 9), (Fold(16, 4), 2)],
)
def test_it_is_what_the_generator_stores(fold: Fold, kinds: int) -> None:
    rng = np.random.default_rng(kinds)
    made = rng.random((kinds, 4, 4)) < 0.5
    tiles = made[rng.permutation(np.arange(256) % kinds).reshape(16, 16)]
    bits = tiles.swapaxes(1, 2).reshape(64, 64)
    memory = weight_words(bits, fold, "dictionary")
    distinct = len(np.unique(made.reshape(kinds, -1), axis=0))
    assert (memory.block, memory.entries) == ((4, 4), distinct)
    lanes = fold.pe * fold.simd // 16
    assert dictionary_bits(torch.tensor(float(distinct)), 256, lanes=lanes).item() == memory.bits
    if lanes == 1:
        assert rom_bits(PackedMatrix.from_bits(bits)) == memory.bits
        assert TERMS["rom"]([torch.tensor(bits, dtype=torch.float32)]).item() == memory.bits


def test_every_number_of_entries_takes_whole_bits() -> None:
    entries = torch.arange(1, 5000, dtype=torch.float32)
    widths = torch.stack([dictionary_bits(each, 1) - 16 * each for each in entries])
    assert widths.tolist() == [max(1, (int(each) - 1).bit_length()) for each in entries]


def test_the_gradient_is_that_of_unrounded_words() -> None:
    distinct = torch.tensor(37.5, dtype=torch.float64, requires_grad=True)
    dictionary_bits(distinct, 256, lanes=2).backward()  # type: ignore[no-untyped-call]
    assert distinct.grad is not None
    step = 1e-5
    unrounded = [256 * np.log2(37.5 + by) + 32 * (37.5 + by) for by in (-step, step)]
    assert distinct.grad.item() == pytest.approx((unrounded[1] - unrounded[0]) / (2 * step), rel=1e-6)


def test_edges_are_stored_as_they_are() -> None:
    last = bnnedge.load("digits-tfc").layers[-1].weights
    assert last.rows % 4
    dropped = last.rows % 4 * last.columns
    whole = PackedMatrix(last.words[: last.rows - last.rows % 4], last.columns)
    assert rom_bits(last) == rom_bits(whole) + dropped
    assert rom_bits(PackedMatrix.from_bits(np.ones((3, 50), dtype=bool))) == 150 + 0
