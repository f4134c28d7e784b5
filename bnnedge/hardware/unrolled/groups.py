"""Shared partial popcounts: within a few neurons, inputs with the same weights are counted once.

Among k neurons a column of weights has one of 2^(k − 1) patterns, up to complement. Inputs of one pattern go
into all k sums together, up to sign, so each pattern's popcount is built once, and the sums are made of the
popcounts: with Z the sum of the patterns in which a neuron's weight is −1 and T that of all patterns, its
own is T − 2 Z. That is 2^k additions, whatever the number of inputs: it pays where there are many inputs, and
weights that no tree over neurons makes less of (the method of four Russians).
"""

from __future__ import annotations

import numpy as np

from bnnedge.hardware.unrolled.circuit import Number
from bnnedge.hardware.unrolled.popcount import Weaver, terms_of
from bnnedge.hardware.unrolled.trees import Weights

__all__ = ["group_neurons", "group_sums"]

Pattern = tuple[bool, ...]


def group_neurons(matrix: Weights, size: int) -> list[list[int]]:
    """Rows in groups of ``size``, the last maybe smaller: the first that is left, and those most like it."""
    signs = matrix.astype(np.float32)
    left = list(range(len(matrix)))
    groups = []
    while left:
        alike = np.abs(signs[left] @ signs[left[0]])
        chosen = {left[at] for at in np.argsort(-alike, kind="stable")[:size]}
        groups.append(sorted(chosen))
        left = [row for row in left if row not in chosen]
    return groups


def group_sums(weaver: Weaver, name: str, rows: Weights, planes: int) -> list[tuple[Number, bool]]:
    """Each row's sum of (rows, inputs) weights ±1, and whether it is that of the row's complement."""
    relative = rows * rows[0]
    complemented = relative.sum(axis=1) < 0
    complemented[0] = False
    relative[complemented] *= -1
    columns: dict[Pattern, dict[int, int]] = {}
    for position, pattern in enumerate((relative[1:] < 0).T):
        columns.setdefault(tuple(map(bool, pattern)), {})[position] = int(rows[0, position])
    counts = {}
    for pattern in sorted(columns):
        signs = "".join("-" if minus else "+" for minus in (False, *pattern))
        weaver.circuit.comment(f"{len(columns[pattern])} inputs with weights {signs}, up to complement")
        counts[pattern] = weaver.sum(name, terms_of(columns[pattern], planes))
    return list(zip(_combined(weaver, name, counts), map(bool, complemented), strict=True))


def _combined(weaver: Weaver, name: str, counts: dict[Pattern, Number]) -> list[Number]:
    """The sum of all patterns' counts, then those that take a pattern as negative where it says so."""
    if () in counts:
        return [counts[()]]
    halves: dict[Pattern, list[Number]] = {}
    for pattern in sorted(counts):
        halves.setdefault(pattern[:-1], []).append(counts[pattern])
    sums = _combined(weaver, name, {rest: _total(weaver, name, half) for rest, half in halves.items()})
    negative = [number for pattern, number in sorted(counts.items()) if pattern[-1]]
    if not negative:
        return [*sums, sums[0]]
    twice = _total(weaver, name, negative)
    return [*sums, weaver.circuit.add(weaver.part(name), sums[0], twice, shift=1, negative=True)]


def _total(weaver: Weaver, name: str, numbers: list[Number]) -> Number:
    """The sum of at least one number, added in pairs."""
    while len(numbers) > 1:
        added = [
            weaver.circuit.add(weaver.part(name), one, other)
            for one, other in zip(numbers[::2], numbers[1::2], strict=False)
        ]
        numbers = added + numbers[len(numbers) & ~1 :]
    return numbers[0]
