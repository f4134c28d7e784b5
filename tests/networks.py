"""Random packed models for the tests of everything that is made from one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.packed.fold import Affine, Lattice, Thresholds
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel

TFC = (784, 64, 64, 64, 10)


def random_model(
    seed: int,
    widths: tuple[int, ...] = TFC,
    *,
    kind: Literal["bipolar", "integer"] = "bipolar",
    maximum: int = 255,
    head: Literal["single", "per-class"] = "single",
    names: tuple[str, ...] | None = None,
) -> PackedModel:
    """A model of the given widths (features, hidden …, classes), the same for the same arguments.

    Thresholds lie where pre-activations of random samples do, so that neurons are neither dead nor stuck;
    a few are set to always or never fire, and a third of the directions are −1.
    """
    rng = np.random.default_rng(seed)
    encoding = InputEncoding(
        kind, widths[0], maximum, int(rng.integers(0, maximum + 1)) if kind == "bipolar" else 0
    )
    layers: list[PackedLayer] = []
    for position, (inputs, outputs) in enumerate(pairwise(widths)):
        weights = PackedMatrix.from_bits(rng.random((outputs, inputs)) < 0.5)
        lattice = Lattice(inputs, 2) if position else encoding.lattice
        spread = inputs**0.5 * (maximum / 2 if lattice.step == 1 else 1)
        last = position == len(widths) - 2
        name = names[position] if names else f"fc{position + 1}"
        layers.append(
            PackedLayer(name, weights, None if last else _thresholds(rng, outputs, lattice, spread))
        )
    return PackedModel(
        encoding, tuple(layers), _head(rng, widths[-1], head), {"preset": "random", "seed": seed}
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
        "kind": st.sampled_from(["bipolar", "integer"]),
        "maximum": st.sampled_from([1, 16, 255]),
        "head": st.sampled_from(["single", "per-class"]),
    }
    return st.builds(random_model, **arguments)


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


def _head(rng: np.random.Generator, classes: int, head: Literal["single", "per-class"]) -> Affine:
    size = 1 if head == "single" else classes
    scale = rng.uniform(0.01, 2, size) * np.where(rng.random(size) < 0.2, -1, 1)
    if head == "single":
        scale = np.abs(scale)
    return Affine(scale.astype(np.float32), rng.normal(0, 1, size).astype(np.float32))
