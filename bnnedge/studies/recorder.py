"""The weight bits of many runs, step by step: kept through an epoch, measured at its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bnnedge.complexity.flips import FlipRecorder
from bnnedge.complexity.trajectory import Course, Trajectory
from bnnedge.packed.bits import pack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Recorder"]


class Recorder:
    """Follows the 4x4 blocks of each run: every layer's, and all pooled."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """Start before the first step.

        Args:
            weights: for each layer (runs, outputs, inputs) latent weights.
        """
        self._last = _signs(weights)
        self._recorders = [FlipRecorder(state) for state in self._states()]
        self._trajectories = [
            Trajectory([PackedMatrix.from_bits(signs[run]) for signs in self._last])
            for run in range(len(weights[0]))
        ]

    def keep(self, weights: Sequence[Tensor]) -> None:
        """Take note of the signs after a step."""
        self._last = _signs(weights)
        for recorder, state in zip(self._recorders, self._states(), strict=True):
            recorder.state[:] = state
            recorder.note()

    def epoch(self) -> list[list[Course]]:
        """For each run the courses of its layers and, last, of all blocks pooled, since the last call."""
        return [
            trajectory.follow(recorder.taken())
            for trajectory, recorder in zip(self._trajectories, self._recorders, strict=True)
        ]

    def signs(self) -> NDArray[np.uint8]:
        """(runs, bytes) the present words of all layers, rows after rows, as bytes."""
        words = [pack_bits(signs) for signs in self._last]
        return np.concatenate([some.reshape(len(some), -1).view(np.uint8) for some in words], axis=1)

    def stay(self, runs: Sequence[int]) -> None:
        """Let go of all runs but those of these places."""
        self._recorders = [self._recorders[run] for run in runs]
        self._trajectories = [self._trajectories[run] for run in runs]
        self._last = [signs[list(runs)] for signs in self._last]

    def _states(self) -> NDArray[np.bool_]:
        """(runs, bits) the present signs, all layers after one another."""
        return np.concatenate([signs.reshape(len(signs), -1) for signs in self._last], axis=1)


def _signs(weights: Sequence[Tensor]) -> list[NDArray[np.bool_]]:
    """For each layer (runs, outputs, inputs)."""
    return [weight.detach().numpy() >= 0 for weight in weights]
