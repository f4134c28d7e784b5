"""Complexity of the weight bits while they train: after each epoch, and at every few steps between."""

from __future__ import annotations

import math
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.flips import FlipRecorder
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.trajectory import MOST_STEPS, Course, Trajectory
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.runs.trajectory import Steps

__all__ = ["StepTracker", "complexity"]

# Signs to keep before they are measured, 4 MiB when packed: an epoch of TFC on MNIST.
_KEPT_SIGNS = 1 << 25
# An array of the weights' own type: NumPy has nothing to convert at each step.
_ZERO = np.zeros((), dtype=np.float32)


def complexity(model: PackedModel) -> dict[str, dict[str, float | None]]:
    """BDM in bits and block entropy in bits a block (4x4), by layer and, as ``all``, of one pooled histogram.

    A layer too small for a single block has None: no value, not 0.
    """
    histograms = {layer.name: block_histogram(layer.weights) for layer in model.layers}
    histograms["all"] = sum(list(histograms.values())[1:], start=next(iter(histograms.values())))
    return {
        "bdm": {name: _number(bdm_of(histogram)) for name, histogram in histograms.items()},
        "block_entropy": {
            name: _number(block_entropy_of(histogram)) for name, histogram in histograms.items()
        },
    }


class StepTracker:
    """Measures a network's weight bits after every few optimiser steps, and after the last of each epoch.

    Training waits until the signs are packed; they are measured many steps at a time, most often an epoch
    while it is evaluated, by a thread of its own, for which NumPy mostly lets go of the interpreter.

    Args:
        net: the network, as it is at the start of an epoch. Its weights get memory of their own,
            and are to change in place.
        every: optimiser steps from one measurement to the next.
        steps_per_epoch: the last of which is measured always, so that any epoch can be the first again.
    """

    def __init__(self, net: BinaryNetwork, every: int, steps_per_epoch: int) -> None:
        self._names = (*net.names, "all")
        self._every, self._steps_per_epoch = every, steps_per_epoch
        weights = list(net.latent_weights())
        # All weights move into one buffer, of which one comparison makes all signs.
        self._latent = torch.cat([weight.detach().reshape(-1) for weight in weights])
        places = torch.split(self._latent, [weight.numel() for weight in weights])
        for weight, place in zip(weights, places, strict=True):
            weight.data = place.view_as(weight)
        self._here = self._latent.numpy() if self._latent.device.type == "cpu" else None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="bnnedge-tracker")
        signs = [(weight.detach() >= 0).flatten(1).cpu().numpy() for weight in weights]
        self._trajectory = Trajectory([PackedMatrix.from_bits(layer) for layer in signs])
        self._recorder = FlipRecorder(np.concatenate([layer.reshape(-1) for layer in signs]))
        self._most = min(MOST_STEPS, max(1, _KEPT_SIGNS // self._latent.numel()))
        self._start()

    def after_step(self, step: int, loss: Tensor) -> None:
        """Take note of the weights after an optimiser step, if it is one to measure.

        Args:
            step: how many steps have been taken, by all epochs together.
            loss: of the step's batch, detached.
        """
        within = (step - 1) % self._steps_per_epoch + 1
        if within % self._every and within != self._steps_per_epoch:
            return
        if self._here is not None:
            np.greater_equal(self._here, _ZERO, self._recorder.state)
        else:
            self._recorder.state[:] = (self._latent >= 0).cpu().numpy()
        self._recorder.note()
        self._waiting += 1
        self._steps.append(step)
        self._losses.append(loss)
        if self._waiting == self._most or within == self._steps_per_epoch:
            self._measure()

    def epoch(self) -> Steps:
        """The measures since the last call, at the end of an epoch."""
        self._measure()
        parts = [future.result() for future in self._courses]
        measures = {
            name: np.stack(
                [
                    np.concatenate([getattr(one, name) for one in of_layer])
                    for of_layer in zip(*parts, strict=True)
                ]
            )
            for name in ("bdm", "block_entropy", "flips", "changed_blocks")
        }
        losses = torch.stack(self._losses).cpu().numpy()
        steps = Steps(self._names, np.array(self._steps, dtype=np.int64), losses, **measures)
        self._start()
        return steps

    def _start(self) -> None:
        self._waiting = 0
        self._steps: list[int] = []
        self._losses: list[Tensor] = []
        self._courses: list[Future[list[Course]]] = []

    def _measure(self) -> None:
        if self._waiting:
            self._courses.append(self._worker.submit(self._trajectory.follow, self._recorder.taken()))
        self._waiting = 0


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
