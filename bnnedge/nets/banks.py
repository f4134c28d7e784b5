"""Weights out of a few patterns for each group of inputs, learnt with the network.

A product quantisation of the weight bits (Jégou et al. 2011), with a codebook of its own for each group of
neighbouring inputs, in the forward pass from the first step on. Weights that are made simple after training
lose far more accuracy, and so do weights that a term of the loss draws towards patterns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bnnedge.nets.signs import sign
from bnnedge.runs.banks import BankConfig

__all__ = ["PatternBank"]

# Share of a new batch in the running means of the inputs: so small that choices do not waver with batches.
_MOMENTUM = 0.003
# Inputs that never change have a weight in the choice, too: small, so that no score is 0.
_LEAST_DEVIATION = 1e-3


class PatternBank(nn.Module):
    """A layer's banks: ``signs`` of its latent weights are, group by group, patterns out of them.

    A neuron takes the pattern p that is nearest to its latent weights w in Σ d_i · w_i · p_i, where d_i is
    the standard deviation of input i: a weight on an input that hardly ever changes hardly matters. A step of
    k-means, every few optimiser steps, makes each pattern the signs of the mean of those who took it.

    Args:
        inputs: of the layer; the width divides them.
        settings: of the layer.

    Attributes:
        patterns: (groups, patterns, width) floats, −1 and +1.
        means: (inputs,) running means of the inputs, which are −1 and +1.
    """

    patterns: Tensor
    means: Tensor

    def __init__(self, inputs: int, settings: BankConfig) -> None:
        super().__init__()
        self._settings = settings
        groups = inputs // settings.width
        self.register_buffer("patterns", torch.ones(groups, settings.patterns, settings.width))
        self.register_buffer("means", torch.zeros(inputs))

    @torch.no_grad()
    def begin(self, latent: Tensor) -> None:
        """Take the first patterns from neurons of (outputs, inputs) latent weights, evenly spaced."""
        weights, patterns = self._groups(latent), self._settings.patterns
        chosen = torch.arange(patterns) * weights.shape[1] // patterns
        self.patterns.copy_(sign(weights[:, chosen], "identity"))

    def signs(self, latent: Tensor) -> Tensor:
        """(outputs, inputs) latent weights to −1.0 and +1.0; the gradient passes as it is."""
        return self._chosen(latent) + (latent - latent.detach())  # what is added is 0, with a gradient

    @torch.no_grad()
    def observe(self, inputs: Tensor) -> None:
        """Take a batch of (samples, inputs) into the running means."""
        self.means.lerp_(inputs.mean(0), _MOMENTUM)

    @torch.no_grad()
    def settle(self, latent: Tensor) -> None:
        """A step of k-means; a pattern that nobody takes becomes one that others fit worst."""
        weights = self._groups(latent) * self._deviations()
        scores, pattern, turned = self._choices(weights)
        taken = functional.one_hot(pattern, self._settings.patterns).to(weights.dtype)
        moved = sign(torch.bmm(taken.transpose(1, 2), weights * turned), "identity")
        misfit = weights.abs().sum(2) - scores
        worst = misfit.topk(self._settings.patterns, dim=1).indices
        fresh = sign(_rows(weights, worst), "identity")
        self.patterns.copy_(torch.where(taken.any(1)[..., None], moved, fresh))

    @torch.no_grad()
    def _chosen(self, latent: Tensor) -> Tensor:
        _, pattern, turned = self._choices(self._groups(latent) * self._deviations())
        chosen = _rows(self.patterns, pattern) * turned
        return chosen.transpose(0, 1).reshape(latent.shape)

    def _choices(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of (groups, outputs, width) weights the best score, its pattern, and ±1 to multiply it by."""
        scores = torch.bmm(weights, self.patterns.transpose(1, 2))
        if not self._settings.complement:
            best, pattern = scores.max(2)
            return best, pattern, torch.ones_like(best)[..., None]
        best, pattern = scores.abs().max(2)
        return best, pattern, sign(scores.gather(2, pattern[..., None]), "identity")

    def _groups(self, latent: Tensor) -> Tensor:
        """(outputs, inputs) to (groups, outputs, width)."""
        return latent.reshape(len(latent), -1, self._settings.width).transpose(0, 1)

    def _deviations(self) -> Tensor:
        """(groups, 1, width) standard deviations of the inputs, which are −1 and +1."""
        deviations = (1 - self.means.square()).clamp(min=0).sqrt().clamp(min=_LEAST_DEVIATION)
        return deviations.reshape(-1, 1, self._settings.width)


def _rows(table: Tensor, places: Tensor) -> Tensor:
    """(groups, rows, width) at (groups, places) to (groups, places, width)."""
    return table.gather(1, places[..., None].expand(-1, -1, table.shape[2]))
