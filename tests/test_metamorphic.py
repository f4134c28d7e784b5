"""Networks that compute the same, whatever they look like: in the golden model, and through every export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bnnedge
from bnnedge.data.dataset import Dataset
from bnnedge.exporters.folder import export
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from tests.networks import conv_models, packed_models, random_inputs, random_model

Bits = NDArray[np.bool_]
Change = Callable[[PackedModel, int], PackedModel]


def seen(model: PackedModel, position: int) -> Bits:
    """The bits of the layer after one, (outputs, neurons of that one, places of each)."""
    after = model.layers[position + 1]
    return after.weights.to_bits().reshape(after.outputs, model.layers[position].outputs, -1)


def rewired(model: PackedModel, position: int, layer: PackedLayer, bits: Bits) -> PackedModel:
    """Another layer at a position, and other bits in the one after it."""
    layers, after = list(model.layers), model.layers[position + 1]
    sliding = after.convolution
    if sliding is not None:
        sliding = replace(sliding, input_shape=(layer.outputs, *sliding.input_shape[1:]))
    weights = PackedMatrix.from_bits(bits.reshape(after.outputs, -1))
    layers[position : position + 2] = layer, replace(after, weights=weights, convolution=sliding)
    return replace(model, layers=tuple(layers))


def chosen(layer: PackedLayer, rows: NDArray[np.intp]) -> PackedLayer:
    """Some neurons of a hidden layer, in some order."""
    assert layer.thresholds is not None
    thresholds = Thresholds(layer.thresholds.values[rows], layer.thresholds.directions[rows])
    return replace(
        layer, weights=PackedMatrix.from_bits(layer.weights.to_bits()[rows]), thresholds=thresholds
    )


def permuted(model: PackedModel, seed: int) -> PackedModel:
    """Neurons of every hidden layer in another order."""
    rng = np.random.default_rng(seed)
    for position in range(len(model.layers) - 1):
        order = rng.permutation(model.layers[position].outputs)
        bits = seen(model, position)[:, order]
        model = rewired(model, position, chosen(model.layers[position], order), bits)
    return model


def turned(model: PackedModel, seed: int) -> PackedModel:
    """Some neurons with all weights of the other sign, and compared the other way round."""
    rng, layers = np.random.default_rng(seed), list(model.layers)
    for position, layer in enumerate(layers[:-1]):
        assert layer.thresholds is not None
        some = rng.random(layer.outputs) < 0.5
        directions = np.where(some, -layer.thresholds.directions, layer.thresholds.directions).astype(np.int8)
        thresholds = Thresholds(layer.thresholds.values, directions)
        layers[position] = replace(layer, weights=layer.weights.complement_rows(some), thresholds=thresholds)
    return replace(model, layers=tuple(layers))


def complemented(model: PackedModel, seed: int) -> PackedModel:
    """Some dense neurons that say the opposite, to weights of the other sign in the next layer."""
    rng = np.random.default_rng(seed)
    for position, lattice in enumerate(model.lattices[:-1]):
        layer = model.layers[position]
        if layer.convolution is not None:
            continue  # padding is −1 and pooling takes the largest: neither has an opposite
        assert layer.thresholds is not None
        some = rng.random(layer.outputs) < 0.5
        # Not (d a >= t) on the lattice is −d a >= step − t.
        values = np.where(some, lattice.step - layer.thresholds.values, layer.thresholds.values)
        directions = np.where(some, -layer.thresholds.directions, layer.thresholds.directions)
        opposite = Thresholds(values.astype(np.int32), directions.astype(np.int8))
        bits = seen(model, position) ^ some[None, :, None]
        model = rewired(model, position, replace(layer, thresholds=opposite), bits)
    return model


def widened(model: PackedModel, seed: int) -> PackedModel:
    """Two more copies of a neuron of every hidden layer, whose weights in the next one undo one another."""
    rng = np.random.default_rng(seed)
    for position in range(len(model.layers) - 1):
        layer, bits = model.layers[position], seen(model, position)
        twin = int(rng.integers(layer.outputs))
        rows = np.append(np.arange(layer.outputs), [twin, twin])
        added = rng.random((len(bits), 1, bits.shape[2])) < 0.5
        bits = np.concatenate([bits, added, ~added], axis=1)
        model = rewired(model, position, chosen(layer, rows), bits)
    return model


CHANGES: dict[str, Change] = {change.__name__: change for change in (permuted, turned, complemented, widened)}


def everything(model: PackedModel, seed: int) -> PackedModel:
    for change in CHANGES.values():
        model = change(model, seed)
    return model


def same(changed: PackedModel, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    ours, theirs = changed.predict(inputs), model.predict(inputs)
    for name in ("scores", "logits", "labels"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("name", CHANGES)
@settings(max_examples=25)
@given(model=st.one_of(packed_models(), conv_models()), seed=st.integers(0, 99))
def test_the_golden_model_does_not_see_the_difference(name: str, model: PackedModel, seed: int) -> None:
    same(CHANGES[name](model, seed), model, random_inputs(model, 40))


@settings(max_examples=25)
@given(model=st.one_of(packed_models(), conv_models()), cuts=st.lists(st.integers(0, 70), max_size=3))
def test_batches_do_not_matter(model: PackedModel, cuts: list[int]) -> None:
    inputs = random_inputs(model, 70)
    parts = [model.predict(part).scores for part in np.split(inputs, sorted(cuts)) if len(part)]
    assert np.array_equal(np.concatenate(parts), model.predict(inputs).scores)


@pytest.mark.parametrize("target", ["onnx", "qonnx", "finn", "pynq", "c"])
@pytest.mark.parametrize("name", CHANGES)
def test_no_export_sees_the_difference(tmp_path: Path, digits: Dataset, target: str, name: str) -> None:
    model, inputs = bnnedge.load("digits-tfc"), digits.test.inputs
    changed = CHANGES[name](model, 1)
    same(changed, model, inputs)
    report = export(changed, target, tmp_path / "out", inputs=inputs)  # verified on the scores of all
    assert report.verification.samples == len(inputs)


@pytest.mark.parametrize("style", ["folded", "unrolled"])
def test_no_hardware_sees_the_difference(tmp_path: Path, style: str) -> None:
    model = random_model(3, (20, 9, 7, 4))
    inputs = random_inputs(model, 40)
    changed = everything(model, 1)
    same(changed, model, inputs)
    report = export(changed, "rtl", tmp_path / "out", inputs=inputs, style=style)
    assert report.verification.samples == len(inputs)
