"""Banks of patterns in folded engines: they give back the weights, and cost and compute what they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.hardware.costs import weight_memories
from bnnedge.hardware.folded import Fold, default_folds, fold_for
from bnnedge.hardware.folded.memories import weight_words
from bnnedge.hardware.folded.pace import SLOWEST, default_cycles
from bnnedge.hardware.folded.weights import Weights
from bnnedge.hardware.generated import generate
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.units import divisors
from bnnedge.packed.matrix import PackedMatrix
from tests.networks import random_inputs, random_model

Bits = NDArray[np.bool_]


def banked(
    seed: int, outputs: int, inputs: int, width: int, patterns: int, *, complement: bool = False
) -> Bits:
    """Weights of so many random patterns for each group of ``width`` inputs."""
    rng = np.random.default_rng(seed)
    groups = inputs // width
    banks = rng.random((groups, patterns, width)) < 0.5
    chosen = banks[np.arange(groups)[:, None], rng.integers(0, patterns, (groups, outputs))]
    if complement:
        chosen ^= rng.random((groups, outputs, 1)) < 0.5
    return chosen.transpose(1, 0, 2).reshape(outputs, inputs)


def decoded(memory: Weights, fold: Fold, outputs: int, inputs: int) -> Bits:
    """The weights that a memory of banks stands for, word by word as weight_memory.sv reads them."""
    assert memory.blocks is not None
    width, beats = memory.block[1], inputs // fold.simd
    groups = fold.simd // width
    digits = memory.words.shape[1] // (fold.pe * groups)
    number_bits = digits - memory.complements
    weights = np.zeros((outputs, inputs), dtype=bool)
    for place, word in enumerate(memory.words):
        bank = memory.blocks[place % beats].reshape(groups, memory.entries, width)
        for lane, code in enumerate(word.reshape(-1, digits)):
            number = int(code[:number_bits] @ (1 << np.arange(number_bits)))
            turned = memory.complements and bool(code[-1])
            neuron = place // beats * fold.pe + lane // groups
            start = place % beats * fold.simd + lane % groups * width
            weights[neuron, start : start + width] = bank[lane % groups, number] ^ turned
    return weights


@given(st.data(), st.integers(1, 12), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_banks_give_back_any_weights(data: st.DataObject, outputs: int, inputs: int, seed: int) -> None:
    fold = Fold(
        data.draw(st.sampled_from(list(divisors(outputs)))),
        data.draw(st.sampled_from(list(divisors(inputs)))),
    )
    weights = np.random.default_rng(seed).random((outputs, inputs)) < 0.5
    memory = weight_words(weights, fold, "banks")
    if fold.simd < 3:
        assert memory.blocks is None
    else:
        assert np.array_equal(decoded(memory, fold, outputs, inputs), weights)


@pytest.mark.parametrize(("patterns", "complement"), [(4, False), (4, True), (2, False), (8, True)])
def test_weights_made_of_banks_take_the_bits_of_banks(patterns: int, complement: bool) -> None:
    fold, outputs, inputs = Fold(8, 16), 64, 784
    weights = banked(1, outputs, inputs, 16, patterns, complement=complement)
    memory = weight_words(weights, fold, "smallest")
    code = max(1, (patterns - 1).bit_length()) + complement
    assert (memory.entries, memory.block, memory.complements) == (patterns, (1, 16), complement)
    assert memory.bits == 49 * patterns * 16 + 49 * outputs * code
    assert np.array_equal(decoded(memory, fold, outputs, inputs), weights)


def test_random_weights_stay_plain() -> None:
    weights = np.random.default_rng(2).random((64, 784)) < 0.5
    memory = weight_words(weights, Fold(8, 16), "smallest")
    assert memory.blocks is None
    assert memory.bits == weights.size


@pytest.mark.parametrize("stall", [False, True])
@pytest.mark.parametrize(
    ("fold", "patterns", "complement"),
    [(Fold(4, 16), 4, True), (Fold(2, 16), 3, False), (Fold(16, 8), 2, True), (Fold(8, 32), 5, True)],
)
def test_an_engine_of_banks_computes_what_the_golden_model_does(
    fold: Fold, patterns: int, complement: bool, stall: bool
) -> None:
    model = random_model(3, (32, 16, 4))
    first, last = model.layers
    weights = banked(4, 16, 32, 8, patterns, complement=complement)
    model = replace(model, layers=(replace(first, weights=PackedMatrix.from_bits(weights)), last))
    design = generate(model, "folded", folds={first.name: fold, last.name: Fold(2, 8)}, coding="banks")
    assert simulate(design, model, random_inputs(model, 30), tool="iverilog", stall=stall).samples == 30
    module = next(
        text for name, text in design.files.items() if name.startswith("layer1_") and name.endswith(".sv")
    )
    assert f"banks of {patterns} patterns of 8 inputs" in module
    assert (", up to complement" in module) == complement


def test_a_pace_is_chosen_at_which_banks_fit_and_no_other_network_is_slower() -> None:
    plain = random_model(seed=3, widths=(784, 64, 64, 10), kind="bipolar")
    assert default_folds(plain) == fold_for(plain, default_cycles(plain))
    weights = PackedMatrix.from_bits(banked(0, 64, 784, width=14, patterns=8))
    model = replace(plain, layers=(replace(plain.layers[0], weights=weights), *plain.layers[1:]))
    fold = default_folds(model)["fc1"]
    assert fold.simd % 14 == 0
    assert 784 * 64 // (fold.pe * fold.simd) <= SLOWEST * default_cycles(model)
    memory, coded = weight_memories(model)["fc1"]
    codes, patterns = 56 * 64 * 3, 56 * 8 * 14
    assert (memory, coded) == (784 * 64, codes + patterns)
