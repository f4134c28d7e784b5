"""Complexity at every step of training, from which bits flip between one step and the next.

A step of training flips a few hundred bits of a network at most, so nearly all blocks are those of the step
before. A batch of steps is gone through at once: the flips are found, put in order of their blocks, and each
block's code followed through the steps, then each code's count. The measures are those of a full count at
each step; what they cost follows the number of flips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.flips import Flips, flips_between
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.tally import Tally, first_of_runs
from bnnedge.errors import DataError
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MOST_STEPS", "Course", "Trajectory"]

# A code and a step are to fit one short number.
MOST_STEPS = 1 << 15

Bits = NDArray[np.bool_]
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

    >>> from bnnedge.complexity.flips import FlipRecorder
    >>> trajectory = Trajectory([PackedMatrix.from_bits(np.zeros((8, 8), dtype=bool))])
    >>> recorder = FlipRecorder(np.zeros(64, dtype=bool))
    >>> for k in (0, 1):
    ...     recorder.state[:] = np.eye(8, k=k).reshape(-1)
    ...     recorder.note()
    >>> layer, pooled = trajectory.follow(recorder.taken())
    >>> layer.block_entropy, layer.flips, layer.changed_blocks
    (array([1. , 1.5]), array([ 8, 15]), array([2, 3]))
    """

    def __init__(self, matrices: Sequence[PackedMatrix]) -> None:
        """Start before the first step.

        Args:
            matrices: one for each layer, at least one.
        """
        histograms = [block_histogram(matrix) for matrix in matrices]
        self._tallies = [Tally(histogram) for histogram in (*histograms, reduce(add, histograms))]
        self._places = _Places(matrices)
        self._codes = np.concatenate([_codes_of(matrix) for matrix in matrices])

    def follow(self, states: Sequence[NDArray[np.uint8]]) -> list[Course]:
        """Go on through states that a :class:`~bnnedge.complexity.flips.FlipRecorder` kept.

        Args:
            states: of all layers, one after the other, row by row; two or more.

        Returns:
            The course of each layer over the steps between, and last that of all their blocks pooled.

        Raises:
            DataError: flips in bits that are in no layer, or more than 32,768 steps.
        """
        parts = [self.extend(flips) for flips in flips_between(states)]
        return [
            Course(
                *(np.concatenate([getattr(part, field.name) for part in of_one]) for field in fields(Course))
            )
            for of_one in zip(*parts, strict=True)
        ]

    def extend(self, flips: Flips) -> list[Course]:
        """Go on by some steps.

        Args:
            flips: of all layers, one after the other, row by row.

        Returns:
            The course of each layer over these steps, and last that of all their blocks pooled.

        Raises:
            DataError: bits that are in no layer, or more than 32,768 steps.
        """
        step, place = flips.step, flips.place
        if flips.steps > MOST_STEPS or (place.size and place.max() >= self._places.bits):
            raise DataError(
                f"cannot follow layers of {self._places.bits} bits through {flips.steps} steps with flips "
                f"up to bit {place.max(initial=0)}",
                f"at most {MOST_STEPS} steps at once, and no bits but those of the layers",
            )
        started = [(tally.bdm, tally.block_entropy) for tally in self._tallies]
        courses = list(self._followed(flips.steps, step, place))
        for course, (bdm, block_entropy) in zip(courses, started, strict=True):
            np.cumsum(course.bdm, out=course.bdm)
            np.cumsum(course.block_entropy, out=course.block_entropy)
            course.bdm[:] += bdm
            course.block_entropy[:] += block_entropy
        return courses

    def _followed(self, steps: int, step: Integers, place: Integers) -> Iterator[Course]:
        """What every step adds to the measures, layer by layer and pooled."""
        layer = self._places.layer(place)
        layers = len(self._tallies) - 1
        flips = np.bincount(layer * steps + step, minlength=layers * steps).reshape(layers, steps)
        block, bit, inside = self._places.block(layer, place)
        changes = self._changes(steps, step[inside], block[inside], bit[inside])
        ends = np.searchsorted(changes.block, self._places.first_blocks)
        parts = [slice(*ends[number : number + 2]) for number in range(layers)]
        for tally, mine, flipped in zip(
            self._tallies, (*parts, slice(None)), (*flips, flips.sum(axis=0)), strict=True
        ):
            when = changes.step[mine]
            bits, entropies = tally.follow(steps, when, changes.before[mine], changes.after[mine])
            yield Course(bits, entropies, flipped, np.bincount(when, minlength=steps))

    def _changes(self, steps: int, step: Integers, block: Integers, bit: Integers) -> _Changes:
        """Bits of blocks that flip, each at a step, to blocks that change."""
        if not block.size:
            return _Changes(block, step, block, block)
        width = steps.bit_length()  # a step is told from a block by shifts: dividing takes longer
        keys = (block << width | step) << 4 | bit
        keys.sort()
        flipped: Integers = np.bitwise_xor.accumulate(np.left_shift(1, keys & 15))
        keys >>= 4
        last = np.append(first_of_runs(keys)[1:], keys.size) - 1
        keys = keys.take(last)
        block, step = keys >> width, keys & (1 << width) - 1
        # All that has flipped in the blocks so far; what did in those before this one is taken out again.
        flipped = flipped.take(last)
        earlier = np.append(0, flipped)[:-1]
        first = first_of_runs(block)
        counts = np.diff(first, append=block.size)
        after: Integers = (
            np.repeat(self._codes.take(block.take(first)) ^ earlier.take(first), counts) ^ flipped
        )
        before = after ^ flipped ^ earlier
        ends = first + counts - 1
        self._codes[block.take(ends)] = after.take(ends)
        return _Changes(block, step, before, after)


@dataclass(frozen=True, eq=False)
class _Changes:
    """Blocks that change, by number and then by step, with their codes before and after."""

    block: Integers
    step: Integers
    before: Integers
    after: Integers


class _Places:
    """Where the bits of several layers are, one layer after the other, and in which blocks."""

    def __init__(self, matrices: Sequence[PackedMatrix]) -> None:
        shapes = np.array([matrix.shape for matrix in matrices], dtype=np.int64)
        self._columns = shapes[:, 1]
        self._first = np.append(0, np.cumsum(np.prod(shapes, axis=1)))
        self.bits = int(self._first[-1])
        self._in_blocks = shapes // 4 * 4
        self.first_blocks = np.append(0, np.cumsum(np.prod(shapes // 4, axis=1)))
        """(layers + 1,) number of each layer's first block; last, of all blocks."""

    def layer(self, place: Integers) -> Integers:
        """The layers of bits."""
        return np.searchsorted(self._first, place, side="right") - 1

    def block(self, layer: Integers, place: Integers) -> tuple[Integers, Integers, Bits]:
        """The blocks of bits, by number, and which bits of their codes they are, where they are in one."""
        row, column = np.divmod(place - self._first.take(layer), self._columns.take(layer))
        inside = (row < self._in_blocks[:, 0].take(layer)) & (column < self._in_blocks[:, 1].take(layer))
        across = (self._columns // 4).take(layer)
        block = self.first_blocks.take(layer) + (row >> 2) * across + (column >> 2)
        return block, 15 - ((row & 3) << 2 | column & 3), inside


def _codes_of(matrix: PackedMatrix) -> Integers:
    """The codes of a matrix's blocks, band by band."""
    down, across = matrix.rows // 4, matrix.columns // 4
    bits = matrix.to_bits()[: 4 * down, : 4 * across].reshape(down, 4, across, 4)
    octets = np.packbits(bits.swapaxes(1, 2).reshape(-1, 16), axis=1)
    return octets.view(">u2").reshape(-1).astype(np.int64)
