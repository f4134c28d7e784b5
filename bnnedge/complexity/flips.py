"""Which bits flip from one state of a network to the next; states are compared many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FlipRecorder", "Flips", "flips_between"]

# Words with flips to take at a time, unless a single step has more: each flip takes some hundred bytes.
_MOST_WORDS = 1 << 17

Integers = NDArray[np.int64]
Octets = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Flips:
    """Bits that flip over some steps.

    Attributes:
        steps: how many steps there are.
        step: (flips,) int64, from 0, of each flip; in order.
        place: (flips,) int64, the bit that flips.
    """

    steps: int
    step: Integers
    place: Integers


class FlipRecorder:
    """Keeps states of so many bits, packed.

    Training waits for this. To compare a state with the one before, and keep what differs, takes longer.

    >>> recorder = FlipRecorder(np.zeros(10, dtype=bool))
    >>> recorder.state[:] = np.arange(10) > 7
    >>> recorder.note()
    >>> [(flips.step, flips.place) for flips in flips_between(recorder.taken())]
    [(array([0, 0]), array([8, 9]))]
    """

    def __init__(self, bits: NDArray[np.bool_]) -> None:
        """Start from (bits,) booleans, of which a copy is kept."""
        self._whole = np.zeros(-(-bits.size // 64) * 64, dtype=np.bool_)
        self.state = self._whole[: bits.size]
        """(bits,) booleans, to be written with the next state, all of it, before :meth:`note`."""
        self.state[:] = bits
        self._states = [np.packbits(self._whole)]

    def note(self) -> None:
        """Keep the state that was written."""
        self._states.append(np.packbits(self._whole))

    def taken(self) -> list[Octets]:
        """What was noted since the last call, the state before it first: (octets,) of whole 64-bit words."""
        states = self._states
        self._states = states[-1:]
        return states


def flips_between(states: Sequence[Octets]) -> Iterator[Flips]:
    """The flips of each step from one state to the next, of a few or of many steps at a time.

    Args:
        states: one more than steps, as a recorder gives them.
    """
    words = np.stack(states).view(np.uint64)
    differences = words[1:] ^ words[:-1]
    # NumPy finds what is not 0 several times as fast among booleans.
    changed = np.flatnonzero(differences != 0)
    ends = np.searchsorted(changed, np.arange(1, len(differences) + 1) * differences.shape[1])
    start = first = 0
    while start < len(differences):
        stop = max(start + 1, int(np.searchsorted(ends, first + _MOST_WORDS, side="right")))
        last = int(ends[stop - 1])
        yield _flips_of(differences[start:stop], changed[first:last] - start * differences.shape[1])
        start, first = stop, last


def _flips_of(differences: NDArray[np.uint64], changed: Integers) -> Flips:
    """Flips by (steps, words) of what a state and the one before it differ in, and where it is not 0."""
    octets = differences.reshape(-1).take(changed).view(np.uint8)
    some = np.flatnonzero(octets != 0)
    flipped = np.flatnonzero(np.unpackbits(octets.take(some)).view(np.bool_))
    octet = some.take(flipped >> 3)
    step, word = np.divmod(changed.take(octet >> 3), max(1, differences.shape[1]))
    return Flips(len(differences), step, word << 6 | (octet & 7) << 3 | flipped & 7)
