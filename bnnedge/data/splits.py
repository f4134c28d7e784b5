"""Stratified splits that depend on nothing but the labels, the share and the seed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError

__all__ = ["fixed_test_part", "stratified"]

Indices = NDArray[np.int64]

# Never the user's: accuracies of different runs are accuracies on the same samples.
_TEST_SHARE, _TEST_SEED = 0.2, 1998


def fixed_test_part(labels: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """The training and the test part of a set that comes without one: a stratified fifth, always the same.

    Args:
        labels: (samples,) int64.

    Returns:
        Indices of the training and of the test samples, ascending.

    Raises:
        DataError: fewer than three samples.
    """
    return stratified(labels, _TEST_SHARE, _TEST_SEED)


def stratified(labels: NDArray[np.int64], share: float, seed: int) -> tuple[Indices, Indices]:
    """Hold out a share of the samples, as nearly as whole samples can be the same share of each class.

    Of n samples, ``share`` n are held out, rounded half to even; each class gives the whole part of its
    quota, and the classes with the largest remainders (of equals, the smaller label) one more.

    Args:
        labels: (samples,) int64.
        share: of the samples to hold out, between 0 and 1, read as the decimal that it prints as.
        seed: 0 or more; says which samples of a class are held out.

    Returns:
        (samples − held,) and (held,) int64, ascending: the rest and the held-out samples.

    Raises:
        ConfigError: a share or seed out of range.
        DataError: so few samples that one of the two parts would be empty.

    >>> rest, held = stratified(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 0.25, seed=0)
    >>> len(rest), len(held)
    (6, 2)
    """
    if not 0 < share < 1:
        raise ConfigError(f"cannot hold out a share of {share}", "expected a share between 0 and 1")
    if seed < 0:
        raise ConfigError(f"split seed {seed} cannot be", "expected 0 or more")
    exact = Fraction(str(share))  # 0.1 is meant as one tenth, not as the binary fraction next to it
    total = round(exact * len(labels))
    if not 0 < total < len(labels):
        raise DataError(
            f"a share of {share} of {len(labels)} samples leaves one part empty",
            "hold out another share, or bring more samples",
        )
    # A bit generator's raw stream is the same in every version of NumPy; what shuffles make of it is not.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    held = [
        members[np.argsort(keys[members], kind="stable")[:count]]
        for members, count in _quotas(labels, exact, total)
    ]
    mask = np.zeros(len(labels), dtype=bool)
    mask[np.concatenate(held)] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _quotas(labels: NDArray[np.int64], share: Fraction, total: int) -> list[tuple[Indices, int]]:
    """Each class's samples and how many of them to hold out, ``total`` together: largest remainders."""
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    quotas = [share * len(members) for members in classes]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(classes)), key=lambda c: counts[c] - quotas[c])
    for position in by_remainder[: total - sum(counts)]:
        counts[position] += 1
    return list(zip(classes, counts, strict=True))
