"""Fixes: every input of small networks gives the scores it gave, nothing grows, and fixed stays fixed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnnedge import PackedMatrix, PackedModel, load
from bnnedge.analysis.finders.removal import plan_removal
from bnnedge.analysis.finders.signals import analyse
from bnnedge.analysis.findings import find
from bnnedge.analysis.fix import RANDOM_SAMPLES, fix, prove_equivalent
from bnnedge.errors import DataError, VerificationError
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import digest, load_packed, save_packed
from bnnedge.packed.fold import Affine
from tests.networks import conv_models, packed_models, random_inputs, random_model
from tests.planted import every_input, layer_of, model_of, outputs_on, planted_models


def widths(model: PackedModel) -> list[int]:
    return [layer.outputs for layer in model.layers]


@settings(max_examples=300)
@given(planted_models())
def test_every_input_keeps_its_scores(model: PackedModel) -> None:
    fixed, inputs = fix(model).model, every_input(model)
    before, after = model.predict(inputs), fixed.predict(inputs)
    assert np.array_equal(before.scores, after.scores)
    assert np.array_equal(before.logits, after.logits)
    assert np.array_equal(before.labels, after.labels)


@given(planted_models())
def test_neurons_that_stay_and_matter_compute_what_they_did(model: PackedModel) -> None:
    inputs = every_input(model)
    before, after = outputs_on(model, inputs), outputs_on(fix(model).model, inputs)
    for plan, old, new in zip(plan_removal(analyse(model)), before, after, strict=True):
        assert np.array_equal(old[:, plan.live], new[:, plan.live[plan.kept]])


@given(planted_models())
def test_a_fixed_model_is_left_as_it_is_and_never_larger(model: PackedModel) -> None:
    result = fix(model)
    assert result.before_bits == sum(layer.weights.bits for layer in model.layers)
    assert result.after_bits == sum(layer.weights.bits for layer in result.model.layers)
    assert (result.after_bits < result.before_bits) == bool(result.applied)
    assert result.applied == tuple(finding for finding in find(model) if finding.keeps_function)
    assert fix(result.model).model is result.model
    assert not any(finding.keeps_function for finding in find(result.model))
    if not result.applied:
        assert result.model is model


@given(planted_models())
def test_thresholds_stay_on_their_lattice(model: PackedModel) -> None:
    fixed = fix(model).model
    for layer, lattice in zip(fixed.layers, fixed.lattices, strict=True):
        if layer.thresholds is not None:
            values = layer.thresholds.values.astype(np.int64)
            assert (values >= -lattice.bound).all()
            assert (values <= lattice.bound + lattice.step).all()
            assert not ((values + lattice.bound) % lattice.step).any()


@settings(max_examples=40)
@given(st.one_of(packed_models(), conv_models()))
def test_random_models_with_constants_stay_the_same_function(model: PackedModel) -> None:
    result = fix(model)
    assert prove_equivalent(model, result.model, random_inputs(model, 20)) == 20 + 2 * RANDOM_SAMPLES
    for fixed, consumer in zip(result.model.layers[:-2], analyse(model)[1:], strict=False):
        assert fixed.outputs <= max(1, int((~consumer.channels.constant).sum()))


def test_constants_go_into_the_thresholds() -> None:
    first = layer_of(["+-+", "++-", "-++", "+++"], [(-3, 1), (1, 1), (5, 1), (1, -1)])
    second = layer_of(["++++", "-++-", "+-++"], [(0, 1), (-2, 1), (2, -1)], name="fc2")
    model = model_of(first, second, layer_of(["+++", "+-+"], name="fc3"))
    result = fix(model)
    # Neuron 0 is +1 and 2 is −1: k is 1 − 1, −1 − 1 and 1 − 1, so only neuron 1's threshold moves.
    after = result.model.layers[1]
    assert after.weights == PackedMatrix.from_signs([[1, 1], [1, -1], [-1, 1]])
    assert after.thresholds is not None
    assert after.thresholds.values.tolist() == [0, 0, 2]
    assert [finding.neurons for finding in result.applied] == [(0,), (2,), (0, 2)]


def test_the_last_of_a_kind_stays_before_the_head() -> None:
    # One constant before the last layer: scores would shift by ±1 without it.
    first = layer_of(["+-+", "++-"], [(-3, 1), (1, 1)])
    model = model_of(first, layer_of(["++", "-+"], name="fc2"))
    assert fix(model).model is model
    (finding,) = [finding for finding in find(model) if finding.kind == "constant-neuron"]
    assert "float32 head would round" in finding.message


def test_constants_that_cancel_in_every_score_go() -> None:
    first = layer_of(["+-+", "++-", "-++"], [(-3, 1), (1, 1), (5, 1)])
    model = model_of(first, layer_of(["+++", "-+-"], name="fc2"))
    result = fix(model)
    assert widths(result.model) == [1, 2]
    assert result.model.layers[1].weights == PackedMatrix.from_signs([[1], [1]])
    assert (result.before_bits, result.after_bits) == (15, 5)


def test_three_copies_become_one_with_the_majority_of_their_weights() -> None:
    first = layer_of(["+-+", "-+-", "+-+", "+++"], [(1, 1), (1, -1), (1, 1), (1, 1)])
    model = model_of(first, layer_of(["++-+", "-+-+"], name="fc2"))
    result = fix(model)
    assert widths(result.model) == [2, 2]
    assert result.model.layers[1].weights == PackedMatrix.from_signs([[1, 1], [-1, 1]])


def test_opposite_neurons_with_equal_weights_go_both() -> None:
    first = layer_of(["+-+", "-+-", "+++"], [(1, 1), (1, 1), (1, 1)])
    model = model_of(first, layer_of(["+++", "---"], name="fc2"))
    result = fix(model)
    assert widths(result.model) == [1, 2]
    (finding,) = result.applied
    assert finding.kind == "complementary-neurons"
    assert "all can go" in finding.message


def test_scores_that_are_always_zero_keep_two_inputs_that_cancel() -> None:
    first = layer_of(["+-+", "-+-", "+-+", "-+-"], [(1, 1), (1, 1), (1, 1), (1, 1)])
    second = layer_of(["++++", "++++"], [(1, 1), (1, -1)], name="fc2")
    deep = model_of(first, second, layer_of(["+-", "-+"], name="fc3"))
    for model in (model_of(first, layer_of(["++++", "-++-"], name="fc2")), deep):
        fixed = fix(model).model
        assert not fixed.predict(every_input(model)).scores.any()
        assert fix(fixed).model is fixed
    assert widths(fix(model_of(first, layer_of(["++++"], name="fc2"))).model) == [2, 1]


def test_threshold_zero_leaves_one_neuron_a_hidden_layer() -> None:
    model = random_model(3, (30, 20, 20, 21, 5))
    model = replace(model, encoding=InputEncoding.bipolar((30,), 255, 0))
    result = fix(model)
    assert widths(result.model)[:2] == [1, 1]
    scores = model.predict(random_inputs(model, 1)).scores
    assert widths(result.model)[2] == np.abs(scores).max()
    prove_equivalent(model, result.model, random_inputs(model, 10))


def test_a_planted_trained_network_comes_back_to_its_size() -> None:
    """Two constants and a cancelling pair of copies, added to the shipped digits net's first layer, go."""
    model = load("digits-tfc")
    first, second = model.layers[:2]
    assert first.thresholds is not None
    rows = np.concatenate([first.weights.to_signs(), first.weights.to_signs()[[5, 5, 7, 7]]])
    values = np.concatenate([first.thresholds.values, [-64, 66], first.thresholds.values[[7, 7]]])
    directions = np.concatenate([first.thresholds.directions, first.thresholds.directions[[5, 5, 7, 7]]])
    extra = np.ones((64, 4), dtype=np.int8)
    extra[:, 3] = -1
    wider = replace(
        first,
        weights=PackedMatrix.from_signs(rows),
        thresholds=replace(first.thresholds, values=values.astype(np.int32), directions=directions),
    )
    columns = np.concatenate([second.weights.to_signs(), extra], axis=1)
    planted = replace(
        model, layers=(wider, replace(second, weights=PackedMatrix.from_signs(columns)), *model.layers[2:])
    )
    result = fix(planted)
    assert digest(result.model) == digest(model)
    assert result.before_bits - result.after_bits == 4 * (64 + 64)
    assert result.model.provenance["fixed_from"] == digest(planted)


@pytest.mark.parametrize("name", ["digits-tfc", "mnist-tfc"])
def test_the_shipped_networks_have_nothing_to_fix(name: str) -> None:
    model = load(name)
    assert fix(model).model is model


def test_a_fixed_model_is_a_file_like_any_other(tmp_path: Path) -> None:
    model = random_model(1, (70, 40, 30, 10))
    result = fix(model)
    assert result.applied
    save_packed(result.model, tmp_path / "fixed.safetensors")
    assert digest(load_packed(tmp_path / "fixed.safetensors")) == digest(result.model)


def test_a_changed_weight_is_noticed() -> None:
    model = random_model(1, (30, 20, 10))
    flipped = model.layers[1].weights.to_bits()
    flipped[3, 4] ^= True
    other = replace(
        model, layers=(model.layers[0], replace(model.layers[1], weights=PackedMatrix.from_bits(flipped)))
    )
    with pytest.raises(VerificationError, match="scores differ: class 3 of sample 0") as raised:
        prove_equivalent(model, other, random_inputs(model, 5))
    assert "not the same function" in raised.value.hint
    with pytest.raises(VerificationError, match="class 3 of random sample 0"):
        prove_equivalent(model, other, random_inputs(model, 0))


def test_a_changed_head_is_noticed() -> None:
    model = random_model(1, (30, 20, 10))
    other = replace(model, head=Affine(model.head.scale, np.nextafter(model.head.offset, np.float32(9))))
    with pytest.raises(VerificationError, match="logits differ"):
        prove_equivalent(model, other, random_inputs(model, 5))


def test_models_of_other_inputs_or_classes_are_not_compared() -> None:
    model = random_model(1, (30, 20, 10))
    for other in (random_model(1, (31, 20, 10)), random_model(1, (30, 20, 9))):
        with pytest.raises(VerificationError, match="cannot equal"):
            prove_equivalent(model, other, random_inputs(model, 5))
    with pytest.raises(DataError, match="do not fit"):
        prove_equivalent(model, model, np.zeros((5, 31), dtype=np.uint8))
