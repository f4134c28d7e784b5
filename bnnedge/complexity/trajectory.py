"""Complexity at every step of training, from which bits flip between one step and the next.

A step of training flips a few hundred bits of a network at most, so nearly all blocks are those of the step
before. A batch of steps is gone through at once: the blocks that changed at any of them are found, put in
order of their codes, and each code's count followed through the steps. The measures are those of a full count
at each step; what they cost follows the number of flips and, with a small factor, of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.pairs import bits_in_blocks, codes_that_moved, pairs_of
from bnnedge.complexity.tally import Tally
from bnnedge.errors import DataError
from bnnedge.packed.bits import Words
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Course", "Trajectory"]

# Words to work on at a time, of all layers and several steps together.
_SLICE_WORDS = 1 << 17
_MOST_STEPS = 1 << 12

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Course:
    """What some bits went through, step by step.

    Attributes:
        bdm: (steps,) float64, BDM after each step, in bits; NaN without blocks.
        block_entropy: (steps,) float64, bits a block; NaN without blocks.
        flips: (steps,) int64, bits that differ from the step before.
        changed_blocks: (steps,) int64, blocks that do.
    """

    bdm: Numbers
    block_entropy: Numbers
    flips: Integers
    changed_blocks: Integers


class Trajectory:
    """Layers that change together: 4x4 blocks, boundary ``ignore``, of each and of all pooled.

    >>> trajectory = Trajectory([PackedMatrix.from_bits(np.zeros((8, 8), dtype=bool))])
    >>> steps = np.stack([PackedMatrix.from_bits(np.eye(8, k=k, dtype=bool)).words for k in (0, 1)])
    >>> layer, pooled = trajectory.extend([steps])
    >>> layer.block_entropy, layer.flips, layer.changed_blocks
    (array([1. , 1.5]), array([ 8, 15]), array([2, 3]))
    """

    def __init__(self, matrices: Sequence[PackedMatrix]) -> None:
        """Start before the first step.

        Args:
            matrices: one for each layer, at least one.
        """
        histograms = [block_histogram(matrix) for matrix in matrices]
        self._layers = [_Layer(matrix) for matrix in matrices]
        self._tallies = [Tally(histogram) for histogram in (*histograms, reduce(add, histograms))]
        self._words = sum(matrix.words.size for matrix in matrices)

    def extend(self, snapshots: Sequence[Words]) -> list[Course]:
        """Go on by some steps.

        Args:
            snapshots: for each layer (steps, rows, words a row) uint64, its matrix's words after each step.

        Returns:
            The course of each layer over these steps, and last that of all their blocks pooled.

        Raises:
            DataError: numbers of layers or of steps, or shapes, do not fit; or padding bits are set.
        """
        steps = self._steps(snapshots)
        courses = [
            Course(np.zeros(steps), np.zeros(steps), *np.zeros((2, steps), dtype=np.int64))
            for _ in self._tallies
        ]
        started = [(tally.bdm, tally.block_entropy) for tally in self._tallies]
        chunk = min(_MOST_STEPS, max(1, _SLICE_WORDS // max(1, self._words)))
        for start in range(0, steps, chunk):
            some = [words[start : start + chunk] for words in snapshots]
            for changes in self._changes(some):
                self._follow(changes, start, min(chunk, steps - start), courses)
        for course, (bdm, block_entropy) in zip(courses, started, strict=True):
            np.cumsum(course.bdm, out=course.bdm)
            np.cumsum(course.block_entropy, out=course.block_entropy)
            course.bdm[:] += bdm
            course.block_entropy[:] += block_entropy
        return courses

    def _steps(self, snapshots: Sequence[Words]) -> int:
        """How many steps the snapshots go on by."""
        if len(snapshots) != len(self._layers):
            raise DataError(
                f"cannot follow {len(self._layers)} layers with snapshots of {len(snapshots)}",
                "give one array of snapshots for each layer",
            )
        for layer, words in zip(self._layers, snapshots, strict=True):
            layer.check(words)
        if len({len(words) for words in snapshots}) > 1:
            raise DataError(
                f"the layers have {', '.join(str(len(words)) for words in snapshots)} snapshots",
                "give as many snapshots of each layer",
            )
        return len(snapshots[0])

    def _changes(self, snapshots: list[Words]) -> Iterator[list[_Changes]]:
        """What changes at some steps: of all layers at once, or a slice of a layer at a time of one step.

        Counts of pooled blocks can be followed through several steps only if all that changes is at hand; at
        a single step it does not matter what changes first.
        """
        slices = (
            changes
            for number, (layer, words) in enumerate(zip(self._layers, snapshots, strict=True))
            for changes in layer.changes(number, words)
        )
        if len(snapshots[0]) > 1:
            yield list(slices)
        else:
            yield from ([changes] for changes in slices)

    def _follow(self, changes: list[_Changes], start: int, steps: int, courses: list[Course]) -> None:
        step, before, after = (
            np.concatenate([getattr(one, name) for one in changes]) for name in ("step", "before", "after")
        )
        flips = np.sum([one.flips for one in changes], axis=0)
        pooled = _Changes(len(self._layers), flips, step, before, after)
        for one in (*changes, pooled):
            course, tally = courses[one.layer], self._tallies[one.layer]
            bits, entropies = tally.follow(steps, one.step, one.before, one.after)
            now = slice(start, start + steps)
            course.bdm[now] += bits
            course.block_entropy[now] += entropies
            course.flips[now] += one.flips
            course.changed_blocks[now] += np.bincount(one.step, minlength=steps)


@dataclass(frozen=True, eq=False)
class _Changes:
    """Blocks of a layer that change, each at one of some steps; with the bits that flip at each step."""

    layer: int
    flips: Integers
    step: NDArray[np.intp]
    before: NDArray[np.intp]
    after: NDArray[np.intp]


class _Layer:
    """The words of a layer at the last step, to compare the next one with."""

    def __init__(self, matrix: PackedMatrix) -> None:
        self._words, self._columns = matrix.words.copy(), matrix.columns
        self._in_blocks = bits_in_blocks(matrix.columns)

    def check(self, words: Words) -> None:
        """See that these are snapshots of the layer."""
        if words.ndim != 3 or words.shape[1:] != self._words.shape:
            rows, width = self._words.shape
            raise DataError(
                f"an array of shape {words.shape} holds no snapshots of a layer of {rows} rows",
                f"expected (steps, {rows}, {width}) words",
            )
        steps, rows, width = words.shape
        PackedMatrix(words.reshape(steps * rows, width), self._columns)  # which checks the rest

    def changes(self, number: int, words: Words) -> Iterator[_Changes]:
        """What changes between the last step and these, a slice of rows at a time.

        Of several steps, which ``extend`` chooses to fit one slice, the first holds all bands of four rows.
        """
        rows, width = self._words.shape
        step = 4 * max(1, _SLICE_WORDS // max(1, 4 * width * len(words)))
        for row in range(0, max(1, rows), step):
            last = self._words[row : row + step]
            stack = np.concatenate([last[None], words[:, row : row + step]])
            last[:] = stack[-1]
            yield self._compared(number, stack)

    def _compared(self, number: int, stack: Words) -> _Changes:
        """The changes from each to the next of (steps + 1, rows, words), which are written over."""
        flipped = stack[1:] ^ stack[:-1]
        steps, rows, width = flipped.shape
        flips = np.bitwise_count(flipped).reshape(steps, -1).sum(axis=1, dtype=np.int64)
        if self._columns % 4:  # the last 1 to 3 columns are in no block
            flipped[..., -1:] &= self._in_blocks
            stack[..., -1:] &= self._in_blocks
        bands = flipped[:, : rows // 4 * 4].reshape(steps, rows // 4, 4, width)
        touched = bands[:, :, 0] | bands[:, :, 1] | bands[:, :, 2] | bands[:, :, 3]
        places = np.flatnonzero(touched.view(np.uint8).astype(bool))
        step, place = np.divmod(places, max(1, 8 * width * (rows // 4)))
        band, octet = np.divmod(place, 8 * width)
        where = 8 * width * (rows * step + 4 * band + np.arange(4)[:, None]) + octet
        octets = stack.view(np.uint8).reshape(-1)
        before = pairs_of(octets.take(where))
        after = pairs_of(octets.take(where + 8 * width * rows))
        pair, old, new = codes_that_moved(before, after)
        return _Changes(number, flips, step.take(pair), old, new)
