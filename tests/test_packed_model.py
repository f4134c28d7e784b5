"""The waist: what fits together, and the golden model against plain integer arithmetic."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix, PackedModel
from bnnedge.errors import DataError
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.infer import trace
from bnnedge.packed.layer import Convolution, PackedLayer
from tests.networks import Filters, conv_models, packed_models, random_conv_model, random_inputs, random_model

models = st.one_of(packed_models(), conv_models())


def floats(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def encoded(encoding: InputEncoding, inputs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the first layer sees, feature by feature and threshold by threshold."""
    if encoding.thresholds is None:
        return inputs.astype(np.int64).reshape(-1, *encoding.shape)
    images = inputs.reshape(-1, *encoding.shape)
    seen = np.zeros((len(inputs), *encoding.encoded_shape), dtype=np.int64)
    channels = encoding.shape[0]
    for bit, channel in product(range(encoding.bits), range(channels)):
        limit = encoding.thresholds[bit, channel if encoding.thresholds.shape[1] > 1 else 0]
        seen[:, bit * channels + channel] = np.where(images[:, channel] >= limit, 1, -1)
    return seen


def slid(values: NDArray[np.int64], layer: PackedLayer, convolution: Convolution) -> NDArray[np.int64]:
    """Filters over images, place by place."""
    side, stride, padding = convolution.kernel, convolution.stride, convolution.padding
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(values, around, constant_values=-1)
    sums = np.zeros((len(values), *layer.sum_shape), dtype=np.int64)
    for down, across in np.ndindex(*convolution.positions):
        top, left = down * stride, across * stride
        window = padded[:, :, top : top + side, left : left + side].reshape(-1, layer.inputs)
        sums[:, :, down, across] = window @ layer.weights.to_signs().astype(np.int64).T
    return sums


def fired(sums: NDArray[np.int64], layer: PackedLayer) -> NDArray[np.int64]:
    """−1 and +1 by the thresholds, channel by channel, and of each pooling window the largest."""
    assert layer.thresholds is not None
    column = (-1, *(1,) * (sums.ndim - 2))
    directions = layer.thresholds.directions.astype(np.int64).reshape(column)
    signs = np.where(directions * sums >= layer.thresholds.values.reshape(column), 1, -1)
    if layer.convolution is None:
        return signs
    size = layer.convolution.pool
    pooled = np.zeros((len(sums), *layer.output_shape), dtype=np.int64)
    for down, across in np.ndindex(*layer.convolution.pooled):
        window = signs[:, :, down * size : (down + 1) * size, across * size : (across + 1) * size]
        pooled[:, :, down, across] = window.max(axis=(2, 3))
    return pooled


def by_plain_arithmetic(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Every layer's pre-activations by integer arithmetic over ±1."""
    values = encoded(model.encoding, inputs)
    stages = []
    for layer in model.layers:
        if layer.convolution is None:
            flat = values.reshape(-1, layer.inputs)
            stages.append(flat @ layer.weights.to_signs().astype(np.int64).T)
        else:
            stages.append(slid(values, layer, layer.convolution))
        values = fired(stages[-1], layer) if layer.thresholds is not None else values
    return stages


@given(models, st.integers(0, 40))
def test_golden_model_equals_plain_integer_arithmetic(model: PackedModel, samples: int) -> None:
    inputs = random_inputs(model, samples, seed=1)
    preactivations, prediction = trace(model, inputs)
    for mine, plain in zip(preactivations, by_plain_arithmetic(model, inputs), strict=True):
        assert np.array_equal(mine, plain)
    assert np.array_equal(prediction.scores, preactivations[-1])
    logits = prediction.scores.astype(np.float32) * model.head.scale + model.head.offset
    assert np.array_equal(prediction.logits, logits)
    assert np.array_equal(prediction.labels, logits.argmax(axis=1))


@given(models)
def test_slices_do_not_show(model: PackedModel) -> None:
    inputs = random_inputs(model, 30, seed=2)
    whole = model.predict(inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnnedge.packed.infer.SLICE_ENTRIES", 1)
        assert np.array_equal(model.predict(inputs).scores, whole.scores)


@given(models)
def test_canonical_form_computes_the_same(model: PackedModel) -> None:
    inputs = random_inputs(model, 20, seed=3)
    upright = model.canonical()
    assert all((layer.thresholds.directions > 0).all() for layer in upright.layers if layer.thresholds)
    assert np.array_equal(upright.predict(inputs).logits, model.predict(inputs).logits)


def test_equal_logits_give_the_first_class() -> None:
    layer = PackedLayer("fc1", PackedMatrix.from_signs([[-1, -1], [1, 1], [1, 1]]))
    model = PackedModel(InputEncoding.bipolar((2,), 1, 1), (layer,), Affine(floats([1]), floats([0])))
    assert model.predict(np.array([[1, 1], [0, 0]], dtype=np.uint8)).labels.tolist() == [1, 0]
    assert model.head_is_order_preserving


def test_inputs_that_do_not_fit_are_refused() -> None:
    model = random_model(seed=0, widths=(6, 3), kind="bipolar")
    inputs = random_inputs(model, 4, seed=0)
    with pytest.raises(DataError, match="6 features"):
        model.predict(inputs[:, :5])
    with pytest.raises(DataError, match="whole numbers"):
        model.predict(inputs.astype(np.float32))
    with pytest.raises(DataError, match="trained on 0"):
        model.predict(inputs.astype(np.int64) - 1)  # type: ignore[arg-type]
    assert np.array_equal(
        model.predict(inputs.reshape(4, 2, 3)).scores,
        model.predict(inputs.astype(np.int64)).scores,
    )


def test_parts_that_do_not_fit_are_refused() -> None:
    model = random_model(seed=0, widths=(6, 5, 3), kind="bipolar")
    first, last = model.layers
    with pytest.raises(DataError, match="takes 5 inputs, but 6 reach it"):
        dataclasses.replace(model, layers=(last,))
    with pytest.raises(DataError, match="must have no thresholds"):
        dataclasses.replace(model, layers=(first,))
    with pytest.raises(DataError, match="must have thresholds"):
        dataclasses.replace(model, layers=(dataclasses.replace(first, thresholds=None), last))
    with pytest.raises(DataError, match="names must differ"):
        dataclasses.replace(model, layers=(first, dataclasses.replace(last, name=first.name)))
    with pytest.raises(DataError, match="at least one layer"):
        dataclasses.replace(model, layers=())
    with pytest.raises(DataError, match="does not fit 3 classes"):
        dataclasses.replace(model, head=Affine(np.ones(2, np.float32), np.ones(2, np.float32)))
    with pytest.raises(DataError, match="bad layer name"):
        dataclasses.replace(first, name="../fc1")
    with pytest.raises(DataError, match="thresholds for 5 neurons"):
        dataclasses.replace(first, thresholds=Thresholds(np.zeros(4, np.int32), np.ones(4, np.int8)))
    with pytest.raises(DataError, match="empty"):
        PackedLayer("fc1", PackedMatrix.from_bits(np.zeros((0, 4), dtype=bool)))


def test_convolutions_that_do_not_fit_a_model_are_refused() -> None:
    model = random_conv_model(0, (1, 8, 8), (Filters(4, padding=1), Filters(5)), (3,), kind="bipolar")
    first, second, last = model.layers
    with pytest.raises(DataError, match="takes 1 x 8 x 8 inputs, but 4 x 8 x 8 reach it"):
        dataclasses.replace(model, layers=(first, dataclasses.replace(first, name="again"), last))
    with pytest.raises(DataError, match="takes 180 inputs, but 4 x 8 x 8 reach it"):
        dataclasses.replace(model, layers=(first, last))
    with pytest.raises(DataError, match="conv2, must be dense"):
        dataclasses.replace(model, layers=(first, dataclasses.replace(second, thresholds=None)))
    with pytest.raises(DataError, match="cannot be padded"):
        dataclasses.replace(model, encoding=InputEncoding.integer((1, 8, 8), 255))
