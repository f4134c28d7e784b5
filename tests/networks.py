"""Random packed models for the tests of everything that is made from one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Lattice, Thresholds
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

TFC = (784, 64, 64, 64, 10)


Kind = Literal["bipolar", "thermometer", "integer"]
Head = Literal["single", "per-class"]


@dataclass(frozen=True)
class Filters:
    """One convolution of a random model."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    pool: int = 1


# A CNV in small: integer images, unpadded 3 x 3 filters, pooling, dense layers.
SMALL_CNV = (Filters(6), Filters(8, pool=2), Filters(10), Filters(12, pool=2))


def random_model(
    seed: int,
    widths: tuple[int, ...] = TFC,
    *,
    kind: Kind = "bipolar",
    maximum: int = 255,
    head: Head = "single",
    names: tuple[str, ...] | None = None,
    bits: int = 3,
) -> PackedModel:
    """A model of the given widths (features, hidden …, classes), the same for the same arguments.

    Thresholds lie where pre-activations of random samples do, so that neurons are neither dead nor stuck;
    a few are set to always or never fire, and a third of the directions are −1. A thermometer has ``bits``
    thresholds a feature.
    """
    rng = np.random.default_rng(seed)
    encoding = _encoding(rng, (widths[0],), kind, maximum, bits)
    layers = _dense(rng, (encoding.bits * widths[0], *widths[1:]), encoding, names)
    return PackedModel(encoding, layers, _head(rng, widths[-1], head), {"preset": "random", "seed": seed})


def random_conv_model(
    seed: int,
    shape: tuple[int, int, int] = (3, 24, 24),
    filters: tuple[Filters, ...] = SMALL_CNV,
    widths: tuple[int, ...] = (20, 10),
    *,
    kind: Kind = "integer",
    maximum: int = 255,
    head: Head = "single",
    bits: int = 3,
) -> PackedModel:
    """A convolutional model as :func:`random_model` makes dense ones; ``widths`` end with the classes."""
    rng = np.random.default_rng(seed)
    encoding = _encoding(rng, shape, kind, maximum, bits)
    layers: list[PackedLayer] = []
    channels, height, width = encoding.encoded_shape
    for position, wanted in enumerate(filters):
        sliding = Convolution(
            (channels, height, width), wanted.kernel, wanted.stride, wanted.padding, wanted.pool
        )
        seen = None if layers else encoding
        made = _layer(rng, f"conv{position + 1}", sliding.fan_in, wanted.channels, seen)
        layers.append(replace(made, convolution=sliding))
        channels, (height, width) = wanted.channels, sliding.pooled
    dense = _dense(rng, (channels * height * width, *widths), None, None, len(layers))
    return PackedModel(
        encoding, (*layers, *dense), _head(rng, widths[-1], head), {"preset": "random", "seed": seed}
    )


def random_inputs(model: PackedModel, samples: int, seed: int = 0) -> NDArray[np.uint8]:
    """(samples, features) whole numbers that fit the model's encoding."""
    rng = np.random.default_rng(seed)
    shape = (samples, model.encoding.features)
    return rng.integers(0, model.encoding.maximum + 1, size=shape).astype(np.uint8)


def packed_models(max_width: int = 70) -> st.SearchStrategy[PackedModel]:
    """Models of one to four layers, every encoding and head, widths on both sides of a word's 64 bits."""
    # Any: hypothesis' builds() forwards keyword arguments, which strict typing cannot follow.
    arguments: dict[str, st.SearchStrategy[Any]] = {
        "seed": st.integers(0, 2**32 - 1),
        "widths": st.lists(st.integers(1, max_width), min_size=2, max_size=5).map(tuple),
        "kind": st.sampled_from(["bipolar", "thermometer", "integer"]),
        "maximum": st.sampled_from([1, 16, 255]),
        "head": st.sampled_from(["single", "per-class"]),
        "bits": st.integers(2, 4),
    }
    return st.builds(random_model, **arguments)


@st.composite
def conv_models(draw: st.DrawFn) -> PackedModel:
    """Models of one to three convolutions that fit their images, and one or two dense layers.

    Every encoding and head; kernels 1 to 3, strides, paddings and pools as they fit; images that are not
    square; channels on both sides of a word's 64 bits.
    """
    kind: Kind = draw(st.sampled_from(["bipolar", "thermometer", "integer"]))
    shape = (draw(st.integers(1, 3)), draw(st.integers(3, 9)), draw(st.integers(3, 9)))
    filters: list[Filters] = []
    height, width = shape[1:]
    for position in range(draw(st.integers(1, 3))):
        least = min(height, width)
        kernel = draw(st.integers(1, min(3, least)))
        may_pad = position > 0 or kind != "integer"
        padding = draw(st.integers(0, kernel - 1)) if may_pad else 0
        stride = draw(st.integers(1, 2))
        pool = draw(st.integers(1, min(2, (least + 2 * padding - kernel) // stride + 1)))
        filters.append(Filters(draw(st.sampled_from([1, 5, 16, 65])), kernel, stride, padding, pool))
        height, width = (((side + 2 * padding - kernel) // stride + 1) // pool for side in (height, width))
    return random_conv_model(
        draw(st.integers(0, 2**32 - 1)),
        shape,
        tuple(filters),
        draw(st.sampled_from([(4,), (7, 3)])),
        kind=kind,
        maximum=draw(st.sampled_from([1, 16, 255])),
        head=draw(st.sampled_from(["single", "per-class"])),
        bits=draw(st.integers(2, 3)),
    )


def _encoding(
    rng: np.random.Generator, shape: tuple[int, ...], kind: Kind, maximum: int, bits: int
) -> InputEncoding:
    """Thresholds of a thermometer differ from channel to channel, as those of quantiles do."""
    if kind == "integer":
        return InputEncoding.integer(shape, maximum)
    if kind == "bipolar":
        return InputEncoding.bipolar(shape, maximum, int(rng.integers(0, maximum + 1)))
    return InputEncoding.thermometer(shape, maximum, rng.integers(0, maximum + 1, (bits, shape[0])))


def _dense(
    rng: np.random.Generator,
    widths: tuple[int, ...],
    encoding: InputEncoding | None,
    names: tuple[str, ...] | None,
    before: int = 0,
) -> tuple[PackedLayer, ...]:
    """Dense layers, the last without thresholds; the first takes what an encoding makes, if one is given."""
    layers = []
    for position, (inputs, outputs) in enumerate(pairwise(widths)):
        name = names[position] if names else f"fc{before + position + 1}"
        seen, last = None if position else encoding, position == len(widths) - 2
        layers.append(_layer(rng, name, inputs, outputs, seen, last=last))
    return tuple(layers)


def _layer(
    rng: np.random.Generator,
    name: str,
    inputs: int,
    outputs: int,
    encoding: InputEncoding | None,
    *,
    last: bool = False,
) -> PackedLayer:
    weights = PackedMatrix.from_bits(rng.random((outputs, inputs)) < 0.5)
    lattice = encoding.lattice(inputs) if encoding else Lattice(inputs, 2)
    spread = inputs**0.5 * (encoding.maximum / 2 if encoding and lattice.step == 1 else 1)
    return PackedLayer(name, weights, None if last else _thresholds(rng, outputs, lattice, spread))


def _thresholds(rng: np.random.Generator, outputs: int, lattice: Lattice, spread: float) -> Thresholds:
    wanted = rng.normal(0, spread, outputs)
    positions = np.round((wanted + lattice.bound) / lattice.step)
    points = 2 * lattice.bound // lattice.step + 1
    values = lattice.step * np.clip(positions, 0, points).astype(np.int64) - lattice.bound
    extreme = rng.random(outputs)
    values[extreme < 0.05] = -lattice.bound
    values[extreme > 0.95] = lattice.bound + lattice.step
    directions = np.where(rng.random(outputs) < 1 / 3, -1, 1)
    return Thresholds(values.astype(np.int32), directions.astype(np.int8))


def _head(rng: np.random.Generator, classes: int, head: Head) -> Affine:
    size = 1 if head == "single" else classes
    scale = rng.uniform(0.01, 2, size) * np.where(rng.random(size) < 0.2, -1, 1)
    if head == "single":
        scale = np.abs(scale)
    return Affine(scale.astype(np.float32), rng.normal(0, 1, size).astype(np.float32))
