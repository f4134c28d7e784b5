"""What changes the parameters: Adam on latent weights, or Bop without them; and how fast."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from bnnedge.nets.network import BinaryNetwork
from bnnedge.nets.signs import sign
from bnnedge.runs.training import TrainingConfig

__all__ = ["Bop", "optimisers_of", "set_rates", "share_of_rate"]


class Bop(Optimizer):
    """Flips binary weights where a running mean of their gradients asks for it, again and again.

    m ← (1 − γ) m + γ g; a weight w = ±1 becomes −w where m w > τ (Helwegen et al. 2019, "Latent
    weights do not exist", algorithm 1). Its γ is kept under the name ``lr``, so that a schedule finds it.

    Args:
        parameters: tensors of −1 and +1.
        rate: γ, above 0, at most 1: how fast old gradients are forgotten.
        threshold: τ, 0 or more: how consistent gradients must be.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float, threshold: float) -> None:
        super().__init__(parameters, {"lr": rate, "threshold": threshold})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Flip what is to be flipped; ``closure``, if there is one, computes loss and gradients first."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._flip(weight, group["lr"], group["threshold"])
        return loss

    def _flip(self, weight: Tensor, rate: float, threshold: float) -> None:
        state: dict[str, Any] = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        mean: Tensor = state["mean"].lerp_(weight.grad, rate)
        stays = torch.le(mean * weight, threshold, out=torch.empty_like(weight))
        weight.mul_(stays.mul_(2).sub_(1))


def optimisers_of(net: BinaryNetwork, settings: TrainingConfig) -> list[Optimizer]:
    """What steps a network's parameters; for Bop, the weights become ±1 and Adam steps the rest."""
    if settings.optimiser == "adam":
        return [_adam(net.parameters(), settings)]
    weights = list(net.latent_weights())
    with torch.no_grad():
        for weight in weights:
            weight.copy_(sign(weight, "identity"))
    others = [one for one in net.parameters() if all(one is not weight for weight in weights)]
    return [Bop(weights, settings.bop_rate, settings.bop_threshold), _adam(others, settings)]


def _adam(parameters: Iterable[nn.Parameter], settings: TrainingConfig) -> Adam:
    return Adam(parameters, lr=settings.learning_rate, fused=True)


def set_rates(optimisers: Iterable[Optimizer], share: float) -> None:
    """Give every group of parameters this share of the rate that it started with."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = optimiser.defaults["lr"] * share


def share_of_rate(settings: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The schedule: the share, 0 to 1, of the peak rate at optimiser step ``step``, counted from 0."""
    warm, all_steps = settings.warmup_epochs * steps_per_epoch, settings.epochs * steps_per_epoch
    if step < warm:
        return (step + 1) / warm
    match settings.schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / (all_steps - warm)))
        case "step":
            passed = sum(step >= milestone * steps_per_epoch for milestone in settings.milestones)
            return 0.1**passed
