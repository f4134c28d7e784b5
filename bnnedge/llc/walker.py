"""A Metropolis chain over flips of a network's weight bits, from the bits as they were trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnnedge.llc.flips import FlippableNetwork

__all__ = ["Walker"]

WANTED_ACCEPTED = 0.375
"""The middle of 25 to 50 %, to which a proposal's size is tuned."""


class Walker:
    """The density is ``p^k (1 − p)^(bits − k) exp(−nβ L)``, k the number of flipped bits.

    A proposal draws bits of one neuron, or filter, anew from the prior, so that the loss alone accepts it:
    all of them, unless that is accepted too rarely. Of one neuron, most of what flips do to its sum cancels,
    and what they change is soon worked out. A scan goes through all neurons.

    Args:
        network: whose weights flip.
        layers: in which they do.
        probability: p.
        inverse_temperature: nβ.
        rng: of everything that is random.
    """

    def __init__(
        self,
        network: FlippableNetwork,
        layers: Sequence[int],
        probability: float,
        inverse_temperature: float,
        rng: np.random.Generator,
    ) -> None:
        self._network, self._layers = network, layers
        self._p, self._beta, self._rng = probability, inverse_temperature, rng
        self._flipped = [np.zeros(network.shapes[layer], dtype=bool) for layer in layers]
        self._shares = [1.0 for _ in layers]  # of a neuron's bits that a proposal draws anew
        self._scans = 0
        self._accepted, self._share_flipped = np.zeros(len(layers)), 0.0

    @property
    def accepted(self) -> float:
        """Share of proposals after the burn-in, least of the layers."""
        return float(self._accepted.min() / self._scans)

    @property
    def flipped(self) -> float:
        """Mean share of bits that are flipped, after the burn-in."""
        return self._share_flipped / self._scans

    def burn_in(self, scans: int) -> None:
        """Scans of which nothing is kept; how many bits a proposal draws anew is tuned in them."""
        for scan in range(scans):
            # Robbins and Monro: the share moves until as many are accepted as wanted.
            gain = 2.0 / (1.0 + 10.0 * scan / scans)
            for place, flipped in enumerate(self._flipped):
                accepted = self._scan(place)
                share = self._shares[place] * math.exp(gain * (accepted - WANTED_ACCEPTED))
                self._shares[place] = min(1.0, max(1 / flipped.shape[1], share))

    def draw(self, scans: int) -> NDArray[np.float64]:
        """(scans,) losses after each scan."""
        losses, bits = np.zeros(scans), sum(flipped.size for flipped in self._flipped)
        for scan in range(scans):
            for place in range(len(self._layers)):
                self._accepted[place] += self._scan(place)
            losses[scan] = self._network.loss
            self._share_flipped += sum(int(flipped.sum()) for flipped in self._flipped) / bits
        self._scans += scans
        return losses

    def _scan(self, place: int) -> float:
        """Propose once in every neuron of a layer; the share that is accepted."""
        neurons = len(self._flipped[place])
        return sum(self._propose(place, neuron) for neuron in range(neurons)) / neurons

    def _propose(self, place: int, neuron: int) -> bool:
        """Draw bits of a neuron anew from the prior; take them or leave them by the loss alone."""
        now, rng = self._flipped[place][neuron], self._rng
        anew = rng.random(len(now)) < self._p
        changed = anew ^ now
        if self._shares[place] < 1:
            changed &= rng.random(len(now)) < self._shares[place]
        flips = np.flatnonzero(changed)
        if not len(flips):
            return True
        difference = (
            self._network.attempt(self._layers[place], flips + neuron * len(now)) - self._network.loss
        )
        if difference > 0 and rng.random() >= math.exp(-self._beta * difference):
            return False
        self._network.accept()
        now[flips] ^= True
        return True
