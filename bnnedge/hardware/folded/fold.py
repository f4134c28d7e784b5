"""How many neurons and inputs of each layer are computed in a clock cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from bnnedge.errors import ConfigError
from bnnedge.hardware.units import divisors
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = [
    "Fold",
    "cycles_of",
    "features_at_a_time",
    "fold_for",
    "fold_layers",
    "pace_of_ends",
]

MOST_FEATURES = 8  # that enter at a time: 64 bits, the width of a PYNQ board's memory ports


@dataclass(frozen=True)
class Fold:
    """How a layer is folded.

    Attributes:
        pe: neurons at a time; divides the outputs.
        simd: inputs of each at a time; divides the inputs, of a convolution the channels.
    """

    pe: int
    simd: int


def features_at_a_time(model: PackedModel) -> int:
    """Features of a sample that enter in a clock cycle, one a byte; of images those of a pixel, at most."""
    first = model.layers[0]
    together = model.encoding.features if first.convolution is None else model.encoding.shape[0]
    return max(number for number in divisors(together) if number <= MOST_FEATURES)


def pace_of_ends(model: PackedModel) -> int:
    """Clock cycles in which a sample enters, or its scores and label leave, whichever takes longer."""
    return max(model.encoding.features // features_at_a_time(model), model.classes + 1)


def cycles_of(layer: PackedLayer, fold: Fold) -> int:
    """Clock cycles that a layer takes for a sample. Places that no pooling window covers are left out."""
    return _products(layer) // (fold.pe * fold.simd)


def fold_for(model: PackedModel, cycles: int) -> dict[str, Fold]:
    """For each layer the least logic that takes at most so many clock cycles a sample.

    Of foldings with as many products at a time, the one with the fewest registers is taken: an input is kept
    about four times on its way, a neuron's sum three times.

    Raises:
        ConfigError: a layer cannot be so fast, or samples cannot enter or labels leave so fast.
    """
    if cycles < pace_of_ends(model):
        raise ConfigError(
            f"a sample takes at least {pace_of_ends(model):,} clock cycles to enter or its scores to leave, "
            f"not {cycles:,}",
            "ask for fewer frames a second",
        )
    folds = {}
    for layer in model.layers:
        options = [
            Fold(pe, simd) for pe in divisors(layer.outputs) for simd in divisors(layer.input_shape[0])
        ]
        fast = [fold for fold in options if cycles_of(layer, fold) <= cycles]
        if not fast:
            least = min(cycles_of(layer, fold) for fold in options)
            raise ConfigError(
                f"layer {layer.name} takes at least {least:,} clock cycles a sample, not {cycles:,}",
                "ask for fewer frames a second",
            )
        sum_bits = layer.inputs.bit_length()
        folds[layer.name] = min(fast, key=lambda f: (f.pe * f.simd, 4 * f.simd + 3 * sum_bits * f.pe))
    return folds


def fold_layers(model: PackedModel, folds: Mapping[str, Fold]) -> list[Fold]:
    """The folds in model order, checked.

    Raises:
        ConfigError: a layer is missing or unknown, or numbers that do not divide its sides.
    """
    names = [layer.name for layer in model.layers]
    if set(folds) != set(names):
        raise ConfigError(f"folds for {', '.join(folds) or 'no layer'}", f"layers are {', '.join(names)}")
    for layer in model.layers:
        fold = folds[layer.name]
        fits = fold.pe >= 1 <= fold.simd and not (layer.outputs % fold.pe or layer.input_shape[0] % fold.simd)
        if not fits:
            raise ConfigError(
                f"layer {layer.name} cannot be folded {fold.pe} x {fold.simd}",
                f"neurons at a time divide {layer.outputs}, inputs {layer.input_shape[0]}",
            )
    return [folds[name] for name in names]


def _products(layer: PackedLayer) -> int:
    sliding = layer.convolution
    places = 1 if sliding is None else prod(sliding.pooled) * sliding.pool**2
    return places * layer.weights.bits
