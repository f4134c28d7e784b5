"""Findings: planted truths of every kind, their absence elsewhere, and all inputs of small networks tried."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix, PackedModel, load
from bnnedge.analysis.finders import rows as rows_module
from bnnedge.analysis.finders.finding import listed
from bnnedge.analysis.finders.patterns import GROUP, distinct_patterns
from bnnedge.analysis.finders.rows import WeightRows, group_rows, repeated
from bnnedge.analysis.finders.signals import LayerFacts, analyse
from bnnedge.analysis.findings import Finding, find, find_in_weights
from bnnedge.data.digits import load_digits
from bnnedge.errors import DataError
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.weights import BitTensor, WeightSet
from bnnedge.packed.windows import pool_bits
from tests.networks import TFC, Kind, packed_models, random_inputs, random_model
from tests.planted import (
    conv_models,
    every_input,
    layer_of,
    model_of,
    outputs_on,
    planted_model,
    planted_models,
    sums_on,
)

SUMMARIES = {"shared-patterns", "rows-outside-blocks"}  # of every layer, not of a neuron


def of_kind(findings: tuple[Finding, ...], kind: str, layer: str = "") -> list[Finding]:
    return [f for f in findings if f.kind == kind and layer in ("", f.layer)]


def neurons_of(findings: tuple[Finding, ...], kind: str, layer: str = "") -> list[tuple[int, ...]]:
    return [finding.neurons for finding in of_kind(findings, kind, layer)]


# Rows that are alike


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from([1, 2, 3, 31, 63, 64, 65, 127, 128, 200])
)
def test_grouped_rows_are_those_equal_up_to_sign(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    different = rng.random((max(1, rows // 2), columns)) < 0.5
    bits = different[rng.integers(0, len(different), rows)] ^ (rng.random((rows, 1)) < 0.5)
    groups = group_rows(WeightRows.of(PackedMatrix.from_bits(bits)))
    for row in range(rows):
        first = next(i for i in range(rows) if (bits[i] == bits[row]).all() or (bits[i] != bits[row]).all())
        assert groups.firsts[row] == first
        assert groups.signs[row] == (1 if (bits[first] == bits[row]).all() else -1)


def test_rows_that_share_a_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = rows_module._keys
    seeds: list[int] = []

    def keys(number: int, seed: int) -> NDArray[np.uint64]:
        seeds.append(seed)
        return np.zeros(number, dtype=np.uint64) if seed < 2 else draw(number, seed)

    monkeypatch.setattr(rows_module, "_keys", keys)
    matrix = PackedMatrix.from_bits(np.random.default_rng(0).random((9, 70)) < 0.5)
    assert group_rows(WeightRows.of(matrix)).firsts.tolist() == list(range(9))
    assert seeds == [0, 1, 2]


def test_grouping_does_not_depend_on_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted_model(1, InputEncoding.bipolar((130,), 1, 1), (), (40, 5))
    whole = group_rows(WeightRows.of(model.layers[0].weights))
    monkeypatch.setattr(rows_module, "SLICE_WORDS", 1)
    sliced = group_rows(WeightRows.of(model.layers[0].weights))
    assert np.array_equal(whole.firsts, sliced.firsts)
    assert np.array_equal(whole.signs, sliced.signs)
    assert any(group.size > 1 for group in repeated(whole.firsts))


# What neurons can do, against every input there is


def is_free(facts: LayerFacts, model: PackedModel) -> bool:
    """Whether a first layer's inputs take every combination: no thermometer's, and not padded."""
    return model.encoding.bits == 1 and is_unpadded(facts)


def is_unpadded(facts: LayerFacts) -> bool:
    return facts.layer.convolution is None or not facts.layer.convolution.padding


@settings(max_examples=300)
@given(planted_models())
def test_proofs_hold_for_every_input_and_miss_nothing_in_the_first_layer(model: PackedModel) -> None:
    outputs = outputs_on(model, every_input(model))
    for position, (facts, values) in enumerate(zip(analyse(model), outputs, strict=True)):
        signals = facts.outputs
        hidden = facts.layer.thresholds is not None
        constant = (values == values[0]).all(axis=0)
        assert not (signals.constant & ~constant).any()
        if hidden:
            assert np.array_equal(values[0, signals.constant], signals.signs[signals.constant])
        for group in repeated(np.where(signals.constant, -1, signals.classes)):
            if signals.classes[group[0]] >= 0:
                aligned = values[:, group] * signals.signs[group]
                assert (aligned == aligned[:, :1]).all()
        if not position and is_unpadded(facts):
            assert np.array_equal(signals.constant, constant)
        if not position and hidden and is_free(facts, model):
            changing = np.flatnonzero(~constant)
            upright = values[:, changing] * np.where(values[0, changing] < 0, -1, 1)
            kinds = np.unique(upright, axis=1).shape[1]
            assert kinds == np.unique(signals.classes[changing]).size


@given(planted_models())
def test_reach_is_reached_in_the_first_layer_and_never_left(model: PackedModel) -> None:
    sums, facts = sums_on(model, every_input(model)), analyse(model)
    for layer, values in zip(facts, sums, strict=True):
        assert (values >= layer.low).all()
        assert (values <= layer.high).all()
    if is_unpadded(facts[0]):
        assert np.array_equal(sums[0].min(axis=0), facts[0].low)
        assert np.array_equal(sums[0].max(axis=0), facts[0].high)


@given(planted_models())
def test_one_popcount_gives_the_sums_of_those_that_share_it(model: PackedModel) -> None:
    for facts, values in zip(analyse(model), sums_on(model, every_input(model)), strict=True):
        shared = facts.popcounts.signs * (values - facts.constants)
        assert np.array_equal(shared, shared[:, facts.popcounts.firsts])


# Planted truths


def test_constant_neurons_by_threshold() -> None:
    first = layer_of(["+-+", "++-", "+--", "-+-"], [(-3, 1), (5, 1), (5, -1), (-1, 1)])
    second = layer_of(["++++", "+-+-"], name="fc2")
    found = find(model_of(first, second))
    constant = of_kind(found, "constant-neuron")
    assert [finding.neurons for finding in constant] == [(0,), (1,), (2,)]
    assert "always +1" in constant[0].message
    assert "always -1" in constant[1].message
    assert "fires at <= -5" in constant[2].message
    # fc2 weighs them +1−1−1 and +1+1−1: one copy of a constant can say −1 and +1, none cannot.
    assert [finding.keeps_function for finding in constant] == [False, True, True]
    assert [finding.weight_bits for finding in constant] == [0, 3, 3]
    assert neurons_of(found, "dead-inputs", "fc2") == [(1, 2), (0,)]


def test_constants_shrink_the_reach_of_the_next_layer() -> None:
    # Two inputs of fc2 are stuck at +1: its sum stays within 0 … 4, so a threshold of 0 always fires.
    first = layer_of(["++", "+-", "++", "+-"], [(-2, 1), (-2, 1), (0, 1), (0, 1)])
    second = layer_of(["++++", "++-+"], [(0, 1), (2, 1)], name="fc2")
    last = layer_of(["++", "+-"], name="fc3")
    found = find(model_of(first, second, last))
    assert neurons_of(found, "constant-neuron", "fc2") == [(0,)]
    assert "within 0 … 4" in of_kind(found, "constant-neuron", "fc2")[0].message
    assert neurons_of(found, "dead-inputs", "fc2") == [(0, 1)]


def test_copies_shrink_the_reach_of_the_next_layer() -> None:
    # Neurons 0 and 1 oppose one another: with equal weights they cancel, and the sum stays within −1 … 1.
    first = layer_of(["+++", "---", "+-+"], [(1, 1), (1, 1), (1, 1)])
    second = layer_of(["+++", "+-+"], [(3, 1), (3, 1)], name="fc2")
    found = find(model_of(first, second, layer_of(["+-"], name="fc3")))
    assert neurons_of(found, "complementary-neurons", "fc1") == [(0, 1)]
    assert neurons_of(found, "constant-neuron", "fc2") == [(0,)]


@pytest.mark.parametrize(
    ("row", "threshold", "kind"),
    [
        ("+-+", (1, 1), "duplicate-neurons"),  # the same bits, threshold and direction
        ("-+-", (1, -1), "duplicate-neurons"),  # complement and flipped comparison
        ("+-+", (0, 1), "duplicate-neurons"),  # 0 is no sum of three ±1: the next is 1
        ("-+-", (1, 1), "complementary-neurons"),  # −a >= 1 where a >= 1 does not hold
        ("+-+", (1, -1), "complementary-neurons"),
        ("+-+", (3, 1), "same-weights"),
        ("-+-", (3, -1), "complementary-neurons"),  # the function differs, the popcount serves
        ("+++", (1, 1), None),
    ],
)
def test_pairs_of_neurons(row: str, threshold: tuple[int, int], kind: str | None) -> None:
    first = layer_of(["+-+", "--+", row], [(1, 1), (1, 1), threshold])
    model = model_of(first, layer_of(["+++", "+-+"], name="fc2"))
    pairs = [f for f in find(model) if f.layer == "fc1" and f.kind not in SUMMARIES]
    assert [(finding.kind, finding.neurons) for finding in pairs] == ([(kind, (0, 2))] if kind else [])
    values = outputs_on(model, every_input(model))[0]
    assert np.array_equal(values[:, 0], values[:, 2]) == (kind == "duplicate-neurons")
    opposite = any("opposite" in finding.message for finding in pairs)
    assert np.array_equal(values[:, 0], -values[:, 2]) == opposite


def test_three_copies_need_one_where_no_consumer_agrees_with_all() -> None:
    first = layer_of(["+-+", "-+-", "+-+", "+++"], [(1, 1), (1, -1), (1, 1), (1, 1)])
    second = layer_of(["++-+", "-+-+"], name="fc2")
    (finding,) = of_kind(find(model_of(first, second)), "duplicate-neurons")
    assert finding.neurons == (0, 1, 2)
    assert finding.keeps_function
    assert "needs 1 of them" in finding.message
    assert finding.weight_bits == 2 * (3 + 2)
    stubborn = layer_of(["++++", "-+-+"], name="fc2")
    (finding,) = of_kind(find(model_of(first, stubborn)), "duplicate-neurons")
    assert not finding.keeps_function
    assert finding.weight_bits == 0


def test_classes_of_the_same_score() -> None:
    last = layer_of(["++-", "+-+", "++-", "--+"])
    found = find(model_of(last))
    (finding,) = of_kind(found, "duplicate-neurons")
    assert finding.neurons == (0, 2, 3)
    assert "always score the same up to sign" in finding.message
    assert not finding.keeps_function


def test_threshold_zero_makes_every_input_dead() -> None:
    first = layer_of(["+-+", "+++"], [(1, 1), (-1, 1)])
    found = find(model_of(first, layer_of(["++", "+-"], name="fc2"), threshold=0))
    assert neurons_of(found, "dead-inputs", "fc1") == [(0, 1, 2)]
    assert "input threshold is 0" in of_kind(found, "dead-inputs", "fc1")[0].message
    assert neurons_of(found, "constant-neuron", "fc1") == [(0,), (1,)]
    assert neurons_of(found, "constant-neuron", "fc2") == [(0,), (1,)]
    assert not any(finding.keeps_function for finding in of_kind(found, "dead-inputs", "fc1"))


def test_inputs_of_a_layer_that_does_not_matter() -> None:
    first = layer_of(["+-+", "++-", "--+"], [(1, 1), (1, 1), (1, 1)])
    second = layer_of(["+++", "+-+"], [(-3, 1), (5, 1)], name="fc2")
    found = find(model_of(first, second, layer_of(["++", "+-"], name="fc3")))
    (pair,) = of_kind(found, "complementary-neurons", "fc1")
    assert pair.message.endswith("no score depends on them")
    dead = of_kind(found, "dead-inputs", "fc2")
    assert [(f.neurons, f.keeps_function, f.weight_bits) for f in dead] == [
        ((1, 2), True, 4),
        ((0,), False, 0),
    ]
    features = of_kind(found, "dead-inputs", "fc1")
    assert [(f.neurons, f.keeps_function) for f in features] == [((0, 1, 2), False)]


# Absence


@given(st.integers(0, 2**32 - 1), st.sampled_from(["bipolar", "integer"]))
@settings(max_examples=25)
def test_random_models_have_no_finding_of_a_neuron(seed: int, kind: Kind) -> None:
    model = random_model(seed, (90, 40, 48, 10), kind=kind)
    encoding = model.encoding if kind == "integer" else InputEncoding.bipolar((90,), 255, 128)
    middle = [
        replace(layer, thresholds=replace(layer.thresholds, values=np.zeros_like(layer.thresholds.values)))
        if layer.thresholds is not None
        else layer
        for layer in model.layers
    ]
    found = find(replace(model, encoding=encoding, layers=tuple(middle)))
    assert {finding.kind for finding in found} <= SUMMARIES
    assert neurons_of(found, "rows-outside-blocks") == [(8, 9)]


@given(packed_models(max_width=40))
def test_findings_are_sentences_about_what_is_there(model: PackedModel) -> None:
    layers = {layer.name: layer for layer in model.layers}
    for finding in find(model):
        layer = layers[finding.layer]
        limit = layer.inputs if finding.kind == "dead-inputs" else layer.outputs
        assert list(finding.neurons) == sorted(set(finding.neurons))
        assert all(0 <= neuron < limit for neuron in finding.neurons)
        assert finding.message
        assert "\n" not in finding.message
        assert finding.layer in finding.message
        assert finding.saves
        assert (finding.weight_bits > 0) == finding.keeps_function


# Patterns and blocks


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 150), st.sampled_from([0.0, 0.05, 0.5, 1.0])
)
def test_distinct_patterns_against_strings(seed: int, rows: int, columns: int, density: float) -> None:
    bits = np.random.default_rng(seed).random((rows, columns)) < density
    distinct = set()
    for row in bits:
        for start in range(0, columns, GROUP):
            part = tuple(row[start : start + GROUP].tolist())
            distinct.add((start, min(part, tuple(not bit for bit in part))))
    assert distinct_patterns(PackedMatrix.from_bits(bits)) == len(distinct)


def test_large_random_layers_are_read_until_every_pattern_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = PackedMatrix.from_bits(np.random.default_rng(0).random((3000, 62)) < 0.5)
    monkeypatch.setattr(rows_module, "SLICE_WORDS", 600)
    assert distinct_patterns(matrix) == 10 * 32 + 2


def test_periodic_rows_share_patterns_and_different_ones_do_not() -> None:
    same = PackedMatrix.from_bits(np.tile([True, False], (16, 9)))
    weights = WeightSet("periodic", (BitTensor("w", same, same.shape),), None, "")
    (finding,) = of_kind(find_in_weights(weights), "shared-patterns")
    assert "of the 48 patterns" in finding.message
    assert ", 3 are different" in finding.message
    assert finding.saves.startswith("45 of 48")
    one = PackedMatrix.from_bits(np.tile([True, False], (1, 9)))
    assert not of_kind(
        find_in_weights(WeightSet("one", (BitTensor("w", one, one.shape),), None, "")), "shared-patterns"
    )


@pytest.mark.parametrize(
    ("shape", "outside"),
    [((8, 8), ()), ((10, 5), (8, 9)), ((3, 64), (0, 1, 2)), ((8, 3), tuple(range(8))), ((5, 4), (4,))],
)
def test_rows_outside_blocks(shape: tuple[int, int], outside: tuple[int, ...]) -> None:
    matrix = PackedMatrix.from_bits(np.random.default_rng(0).random(shape) < 0.5)
    found = find_in_weights(WeightSet("w", (BitTensor("w", matrix, shape),), None, ""))
    assert neurons_of(found, "rows-outside-blocks") == ([outside] if outside else [])


def test_filters_are_rows() -> None:
    bits = np.random.default_rng(0).random((8, 4 * 9)) < 0.5
    bits[5], bits[6], bits[7] = bits[1], ~bits[2], bits[1]
    tensor = BitTensor("conv", PackedMatrix.from_bits(bits), (8, 4, 3, 3))
    found = find_in_weights(WeightSet("foreign", (tensor,), None, ""))
    assert neurons_of(found, "duplicate-neurons") == [(1, 5, 7)]
    assert neurons_of(found, "complementary-neurons") == [(2, 6)]
    assert all(f.message.startswith("filters") for f in found if f.kind not in SUMMARIES)
    assert not any(f.keeps_function for f in found)


# With data, and the shipped networks


def test_pixels_that_no_digit_uses() -> None:
    model, digits = load("digits-tfc"), load_digits()
    images = np.concatenate([digits.train_inputs, digits.test_inputs]).reshape(-1, 64)
    found = of_kind(find(model, images), "dead-inputs")
    still = np.flatnonzero((images >= 8).all(axis=0) | (images < 8).all(axis=0))
    assert found[0].neurons == tuple(still.tolist())
    assert "1,797 samples" in found[0].message
    assert not any(finding.keeps_function for finding in found)
    assert [finding.layer for finding in found] == ["fc1"]


def entering(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.generic]]:
    """What each layer takes: inputs of a dense layer, of a convolution pixels with those that pad it."""
    encoding = model.encoding
    images: list[NDArray[np.generic]] = [inputs.reshape(-1, *encoding.shape)]
    if encoding.thresholds is not None:
        images = [encoding.encode(inputs)]
    for layer, values in zip(model.layers[:-1], outputs_on(model, inputs), strict=False):
        places = layer.convolution.positions if layer.convolution else ()
        fired = values.reshape(len(inputs), *places, -1) > 0
        pooled = pool_bits(fired, layer.convolution) if layer.convolution else fired
        images.append(np.moveaxis(pooled, -1, 1))
    taken: list[NDArray[np.generic]] = []
    for layer, image in zip(model.layers, images, strict=True):
        if layer.convolution is None:
            taken.append(image.reshape(len(image), -1))
            continue
        sides = (layer.convolution.padding,) * 2
        padded = np.pad(image, ((0, 0), (0, 0), sides, sides))
        taken.append(np.moveaxis(padded, 1, -1).reshape(-1, padded.shape[1]))
    return taken


@given(st.one_of(packed_models(max_width=20), conv_models()), st.integers(1, 5))
def test_still_inputs_against_the_traced_network(model: PackedModel, samples: int) -> None:
    inputs = random_inputs(model, samples)
    found = find(model, inputs)
    for values, facts in zip(entering(model, inputs), analyse(model), strict=True):
        proven = facts.channels if facts.layer.convolution else facts.inputs
        still = np.flatnonzero((values == values[0]).all(axis=0) & ~proven.constant)
        about = [f for f in of_kind(found, "dead-inputs", facts.layer.name) if "samples given" in f.message]
        assert [f.neurons for f in about] == ([tuple(still.tolist())] if still.size else [])


def test_data_that_does_not_fit_is_refused() -> None:
    model = random_model(0, TFC)
    with pytest.raises(DataError, match="no samples"):
        find(model, np.zeros((0, 784), dtype=np.uint8))
    with pytest.raises(DataError, match="do not fit"):
        find(model, np.zeros((3, 64), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "patterns"),
    [
        ("digits-tfc", ["704, 266", "704, 256", "704, 256", "110, 97"]),
        ("mnist-tfc", ["8,384, 3,096", "704, 244", "704, 255", "110, 89"]),
    ],
)
def test_findings_of_the_shipped_networks(name: str, patterns: list[str]) -> None:
    found = find(load(name))
    assert [finding.kind for finding in found] == ["shared-patterns"] * 4 + ["rows-outside-blocks"]
    for finding, counts in zip(found, patterns, strict=False):
        total, distinct = counts.split(", ")
        assert f"of the {total} patterns" in finding.message
        assert f", {distinct} are different" in finding.message
    assert found[-1].neurons == (8, 9)


def test_listed_counts_what_it_leaves_out() -> None:
    assert listed([1, 2]) == "1 and 2"
    assert listed(list(range(0, 100, 2)) + list(range(101, 105))).endswith("14 and 46 more")
