"""The complexity of the weight bits as a part of the loss.

A latent weight w within ±L stands for a bit that is +1 with probability (1 + w / L) / 2: in a line, since the
straight-through estimator of the weights is one too. The expected bit is then w / L, at −L and +L the bit is
certain, and the gradient never fades on the way; a sigmoid's would, and its bits would never be certain.
Nothing hardens the probabilities over a training: the terms are least where bits are certain.

A target is reached by a controller of the weight. Complexity answers late and does not come back when the
weight falls, so that a weight which only ever adds up what is missing, as in dual ascent, goes far beyond;
here most of the weight follows what is missing now: level · r^12, and only the level adds up,
level ← level · r, where r is the share of complexity over the share that is wanted.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bnnedge.errors import ConfigError
from bnnedge.nets.network import BinaryNetwork
from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.training import TrainingConfig
from bnnedge.soft.terms import TERMS
from bnnedge.training.state import Pressure

__all__ = ["ComplexityLoss"]

# Optimiser steps from one decision of the controller to the next; the last of an epoch is one always.
_PERIOD = 100
_PROPORTIONAL, _INTEGRAL = 12, 1
_MOST = 2.0
# Nats for all of the first complexity. More would not hurry it, but drown the task for long.
_HEAVIEST = 100.0
# What is aimed at, as a share of the target: to come close from above would be to miss it.
_AIM = 0.98


class ComplexityLoss:
    """weight · term(P(weight bit = +1)) / term(first weight bits), of a network in training.

    What part of the layers a sampled term looks at depends on seed and step alone.

    Args:
        net: whose latent weights are within the limit of ``training``.
        settings: ``[complexity]``.
        training: ``[training]``.
        steps_per_epoch: optimiser steps.

    Attributes:
        pressure: all that changes from step to step; set before the first one, kept at each epoch's end.
    """

    def __init__(
        self, net: BinaryNetwork, settings: ComplexityConfig, training: TrainingConfig, steps_per_epoch: int
    ) -> None:
        self._net, self._settings, self._training = net, settings, training
        self._steps_per_epoch = steps_per_epoch
        self.pressure = Pressure(initial=1.0, level=settings.weight, weight=settings.weight)

    def begin(self) -> None:
        """Set the pressure for a first step.

        Raises:
            ConfigError: the first weight bits have no complexity.
        """
        initial = self._of_bits()
        if not initial > 0:
            raise ConfigError(
                f"complexity.term = {self._settings.term!r} of this network is {initial:g} from the start",
                "4x4 blocks need layers of four rows and columns: take another term or other layers",
            )
        self.pressure = dataclasses.replace(self.pressure, initial=initial)

    def weight(self, step: int) -> float:
        """What the term is multiplied by at an optimiser step, counted from 0."""
        if self._settings.target is not None:
            return self.pressure.weight
        return self.pressure.weight * self._ramp(step / self._steps_per_epoch)

    def at(self, step: int) -> Tensor | None:
        """What is added to the loss at an optimiser step, counted from 0; None: nothing at this step."""
        every, weight = self._settings.every, self.weight(step)
        if step % every or not weight:
            return None
        slope = 0.5 / self._training.weight_limit
        probabilities = [latent.flatten(1) * slope + 0.5 for latent in self._net.latent_weights()]
        generator = torch.Generator().manual_seed(self._training.seed << 32 | step)
        value = TERMS[self._settings.term](probabilities, self._settings.sample, generator)
        return value * (weight * every / self.pressure.initial)

    def after_step(self, step: int) -> None:
        """Let the controller, where there is a target, decide on the weight, if it is its turn.

        Args:
            step: how many steps have been taken, by all epochs together.
        """
        within = step % self._steps_per_epoch
        if self._settings.target is None or (within and within % _PERIOD):
            return
        wanted = (_AIM * self._settings.target) ** self._ramp(step / self._steps_per_epoch)
        excess = min(_MOST, max(1 / _MOST, self.share() / wanted))
        level = min(_HEAVIEST, self.pressure.level * excess**_INTEGRAL)
        self.pressure = dataclasses.replace(
            self.pressure, level=level, weight=min(_HEAVIEST, level * excess**_PROPORTIONAL)
        )

    def share(self) -> float:
        """Complexity of the present weight bits over that of the first ones."""
        return self._of_bits() / self.pressure.initial

    def lack(self, epoch: int, share: float) -> float:
        """How far an epoch is from counting for the best checkpoint; 0: it does.

        With a target: by how much the share is above it. Without: the share of all epochs that the schedule
        is short of its full weight.
        """
        if self._settings.target is not None:
            return max(0.0, share - self._settings.target)
        return max(0.0, self._settings.full - epoch / self._training.epochs)

    def settling(self, epoch: int) -> bool:
        """Whether an epoch is too early to count for patience."""
        return epoch < self._settings.full * self._training.epochs

    def _ramp(self, epochs: float) -> float:
        """0 to 1 over the schedule, after so many epochs."""
        settings, passed = self._settings, epochs / self._training.epochs
        if settings.schedule == "constant" or passed >= settings.full:
            return 1.0
        return max(0.0, passed - settings.start) / (settings.full - settings.start or 1.0)

    def _of_bits(self) -> float:
        """The term of the weight bits themselves, in its unit."""
        with torch.no_grad():
            bits = [(latent.flatten(1) >= 0).to(latent.dtype) for latent in self._net.latent_weights()]
            return float(TERMS[self._settings.term](bits))
