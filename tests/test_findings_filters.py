"""Findings about filters: what padding and pooling leave of equal, opposite and constant ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bnnedge import PackedModel
from bnnedge.analysis.finders.signals import analyse
from bnnedge.analysis.findings import Finding, find
from bnnedge.analysis.fix import fix
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import Convolution, PackedLayer
from tests.planted import HEAD, every_input, layer_of, model_of, outputs_on
from tests.test_findings import SUMMARIES, of_kind


def filters_of(
    shape: tuple[int, int, int],
    rows: list[str],
    thresholds: list[tuple[int, int]],
    name: str = "conv1",
    kernel: int = 1,
    padding: int = 0,
    pool: int = 1,
) -> PackedLayer:
    """A convolution; rows are filters, (channel, row, column)."""
    sliding = Convolution(shape, kernel, padding=padding, pool=pool)
    return layer_of(rows, thresholds, name, sliding)


# Over one channel of 2 x 2 pixels: the image, its negative, the image, always +1, always −1.
FIVE = filters_of((1, 2, 2), ["+", "-", "+", "+", "+"], [(1, 1), (1, 1), (1, 1), (-1, 1), (3, 1)])


def dense(channels: int, pixels: int, name: str = "fc3") -> PackedLayer:
    """Two classes that weigh every channel differently, pixel by pixel."""
    rows = ["+" * channels * pixels, "".join("+-"[channel % 2] * pixels for channel in range(channels))]
    return layer_of(rows, name=name)


def outcome(found: tuple[Finding, ...]) -> dict[tuple[int, ...], tuple[str, bool, int]]:
    """Of the filters of conv1: kind, whether it is fixed, and the bits that go."""
    about = (each for each in found if each.layer == "conv1" and each.kind not in SUMMARIES)
    return {each.neurons: (each.kind, each.keeps_function, each.weight_bits) for each in about}


def test_constant_and_equal_filters_without_padding() -> None:
    second = filters_of((5, 2, 2), ["+++++", "+--+-"], [(1, 1), (1, 1)], "conv2")
    model = model_of(FIVE, second, dense(2, 4))
    found = find(model)
    assert outcome(found) == {
        (3,): ("constant-neuron", True, 1),
        (4,): ("constant-neuron", True, 1),
        (0, 1, 2): ("duplicate-neurons", True, 2 * (1 + 2)),
    }
    constant = of_kind(found, "constant-neuron", "conv1")[0]
    assert constant.message.startswith("filter 3 of conv1 is always +1: its sum stays within -1 … 1")
    assert constant.saves == "a filter: its XNORs, popcount and comparator at each of 4 places"
    (copies,) = of_kind(found, "duplicate-neurons", "conv1")
    assert copies.message.startswith("filters 0–2 of conv1 always put out the same up to sign: conv2 needs 1")
    assert copies.saves.startswith("2 popcounts at each of 4 places")
    (dead,) = of_kind(found, "dead-inputs", "conv2")
    assert dead.message.startswith("input channels 3 and 4 of conv2: constant, as the filters before are")
    assert dead.saves == "the XNORs and adders of 4 weights at each of 4 places"
    smaller = fix(model).model
    assert [layer.weight_shape for layer in smaller.layers] == [(1, 1, 1, 1), (2, 1, 1, 1), (2, 8)]


def test_padding_parts_opposites_and_lets_go_of_minus_one_alone() -> None:
    second = filters_of(
        (5, 2, 2), ["+" * 45, "+-" * 22 + "+"], [(1, 1), (1, 1)], "conv2", kernel=3, padding=1
    )
    model = model_of(FIVE, second, dense(2, 4))
    found = find(model)
    assert outcome(found) == {
        (3,): ("constant-neuron", False, 0),
        (4,): ("constant-neuron", True, 1),
        (0, 1, 2): ("duplicate-neurons", False, 0),
    }
    plus, minus = of_kind(found, "constant-neuron", "conv1")
    assert plus.message.endswith("it stays, as conv2 sees −1 in its place where it pads")
    assert "it stays" not in minus.message
    (copies,) = of_kind(found, "duplicate-neurons", "conv1")
    assert copies.message.endswith("count once; padding makes different inputs of conv2 of them")
    inputs = analyse(model)[1].channels
    assert inputs.classes.tolist() == [0, 1, 0, 3, -1]
    assert inputs.signs.tolist() == [1, 1, 1, 1, -1]
    smaller = fix(model).model
    assert [layer.weight_shape for layer in smaller.layers] == [(4, 1, 1, 1), (2, 4, 3, 3), (2, 8)]


def test_pooling_parts_opposites_and_keeps_equals_and_constants() -> None:
    first = filters_of((1, 2, 2), ["+", "-", "+", "+"], [(1, 1), (1, 1), (1, 1), (-1, 1)], pool=2)
    model = model_of(first, layer_of(["++++", "+--+"], name="fc2"))
    found = find(model)
    assert analyse(model)[0].outputs.classes.tolist() == [0, 0, 0, -1]
    assert analyse(model)[1].channels.classes.tolist() == [0, 1, 0, -1]
    (group,) = of_kind(found, "duplicate-neurons", "conv1")
    assert group.neurons == (0, 1, 2)
    assert "the same up to sign" in group.message
    pooled = outputs_on(model, every_input(model))[0].reshape(16, 4, 4).max(axis=1)
    assert not np.array_equal(pooled[:, 0], -pooled[:, 1])
    apart = model_of(
        filters_of((1, 2, 2), ["+", "-"], [(1, 1), (1, 1)], pool=2), layer_of(["++"], name="fc2")
    )
    (pair,) = of_kind(find(apart), "complementary-neurons")
    assert pair.message.endswith("count once; max-pooling makes different inputs of fc2 of them")


def test_constant_channels_before_the_scores_go_down_to_what_their_pixels_add_up_to() -> None:
    # Three channels of +1 over 4 pixels add 12 to class 0 and 2 − 2 + 0 to class 1: 12 takes all three.
    first = filters_of((1, 2, 2), ["+"] * 4, [(1, 1), *[(-1, 1)] * 3])
    full = layer_of(["++++" + "+" * 12, "++++" + "+++-" * 3], name="fc2")
    assert not any(f.keeps_function for f in find(model_of(first, full)))
    light = layer_of(["++++" + "+++-" + "++--" * 2, "++++" + "+-" * 6], name="fc2")
    found = find(model_of(first, light))
    assert [f.neurons for f in of_kind(found, "constant-neuron") if f.keeps_function] == [(2,), (3,)]


def test_bits_of_a_thermometer() -> None:
    limits = [[0, 2], [1, 2], [1, 0], [3, 3]]
    encoding = InputEncoding.thermometer((2, 1, 2), 3, limits)
    second = layer_of(["+" * 16, "-" * 16], name="fc1")
    facts = analyse(PackedModel(encoding, (second,), HEAD))[0]
    # Bits are (threshold, channel): those of threshold 0 are constant, equal thresholds of a channel equal.
    assert facts.channels.classes.tolist() == [-1, 1, 2, 1, 2, -1, 6, 7]
    # Of channel 0 the sums of one pixel run 1 − 3 … 4, of channel 1 the same; each has two pixels.
    assert (facts.low.tolist(), facts.high.tolist()) == ([-8, -16], [16, 8])


@pytest.mark.parametrize(("pool", "padding"), [(1, 0), (3, 0), (1, 1)])
def test_what_is_said_to_go_can_go(pool: int, padding: int) -> None:
    rows, thresholds = ["+", "-", "+", "+", "+"], [(1, 1), (1, 1), (1, 1), (-1, 1), (3, 1)]
    first = filters_of((1, 3, 3), rows, thresholds, pool=pool)
    channels, side, _ = first.output_shape
    kernel = min(3, side)
    inputs = channels * kernel**2
    kernels = [("+-" * inputs)[:inputs], "-" * inputs]
    second = filters_of((channels, side, side), kernels, [(1, 1), (-3, -1)], "conv2", kernel, padding)
    model = model_of(first, second, dense(2, math.prod(second.output_shape[1:])))
    result, images = fix(model), every_input(model)
    assert result.applied
    assert np.array_equal(model.predict(images).scores, result.model.predict(images).scores)
