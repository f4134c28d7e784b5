"""What lies in the memories: weights, plain or as codes of blocks, thresholds, and keys of classes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.folded.banks import smallest_banks
from bnnedge.hardware.folded.fold import Fold
from bnnedge.hardware.folded.weights import Bits, Weights, blocked
from bnnedge.packed.fold import Lattice, Thresholds
from bnnedge.packed.model import PackedModel

__all__ = ["Coding", "class_keys", "encoder_words", "limits_of", "weight_words"]

Coding = Literal["plain", "dictionary", "banks", "smallest"]

SIDE = 4  # of the blocks whose complexity the audit measures
LARGEST_KEYS = 1 << 18  # entries


def weight_words(weights: Bits, fold: Fold, coding: Coding) -> Weights:
    """The memory of (outputs, inputs) weights, inputs in the order in which they arrive.

    A dictionary is of blocks of 4 x 4 where the folding allows, of one neuron's inputs, or of all that is
    computed at a time: whichever makes the smallest memory. Banks are :mod:`bnnedge.hardware.folded.banks`;
    where none is to be had, weights are plain.
    """
    plain = Weights(blocked(weights, fold, (fold.pe, fold.simd)), (fold.pe, fold.simd))
    if coding == "plain":
        return plain
    banks = smallest_banks(weights, fold)
    if coding == "banks":
        return banks[0] if banks else plain
    shapes = {(1, fold.simd), (fold.pe, fold.simd)}
    if not (fold.pe % SIDE or fold.simd % SIDE):
        shapes.add((SIDE, SIDE))
    coded = [_coded(weights, fold, shape) for shape in sorted(shapes)]
    return min(coded if coding == "dictionary" else [plain, *coded, *banks], key=lambda memory: memory.bits)


def limits_of(thresholds: Thresholds, lattice: Lattice, inputs: int) -> NDArray[np.int64]:
    """(neurons, 2) what sums are compared with, and whether the comparison is inverted.

    ``−a >= v`` is not ``a >= step − v``. Bits are counted, not summed up: ``a >= v`` is ``count >= (v +
    inputs) / 2``.
    """
    values = thresholds.values.astype(np.int64)
    inverted = thresholds.directions < 0
    limits = np.where(inverted, lattice.step - values, values)
    counted = limits if lattice.step == 1 else (limits + inputs) // 2
    return np.stack((counted, inverted), axis=1)


def encoder_words(
    thresholds: NDArray[np.int16], order: NDArray[np.int64], pixels: int, features: int
) -> list[list[int]]:
    """Thresholds of each beat of ``features`` features, until they repeat; of a feature all side by side.

    Args:
        thresholds: (bits, channels) or (bits, 1), of the encoding.
        order: (all features,) places in a sample, in the order in which they arrive.
        pixels: features of a channel.
        features: of a beat.
    """
    channels = order // pixels if thresholds.shape[1] > 1 else np.zeros_like(order)
    beats = thresholds.T[channels].reshape(-1, features * len(thresholds))
    lengths = [length for length in range(1, len(beats) + 1) if len(beats) % length == 0]
    period = next(
        length for length in lengths if (beats == np.tile(beats[:length], (len(beats) // length, 1))).all()
    )
    words: list[list[int]] = beats[:period].tolist()
    return words


def class_keys(model: PackedModel) -> NDArray[np.int64]:
    """(classes, sums) places of logits in their order, equal where logits are: what a head makes of scores.

    Raises:
        UnsupportedError: too many scores for a table.
    """
    lattice = model.lattices[-1]
    sums = np.arange(-lattice.bound, lattice.bound + 1, lattice.step, dtype=np.int32)
    if sums.size * model.classes > LARGEST_KEYS:
        raise UnsupportedError(
            f"a head that can change the order of {model.classes} classes needs a table of "
            f"{sums.size * model.classes:,} entries",
            'train with net.head = "scale", which keeps the order',
        )
    logits = model.head(np.repeat(sums[:, None], model.classes, axis=1)).T
    keys = np.unique(logits, return_inverse=True)[1]
    return np.asarray(keys, dtype=np.int64).reshape(logits.shape)


def _coded(weights: Bits, fold: Fold, block: tuple[int, int]) -> Weights:
    lanes = fold.pe * fold.simd // (block[0] * block[1])
    flat = blocked(weights, fold, block).reshape(-1, block[0] * block[1])
    packed = np.packbits(flat, axis=1)
    _, first, codes = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    width = max(1, (len(first) - 1).bit_length())
    bits = (codes.reshape(-1, lanes, 1) >> np.arange(width) & 1).astype(bool)
    return Weights(bits.reshape(-1, lanes * width), block, flat[first], entries=len(first), copies=lanes)
