"""The discrete local learning coefficient of a deployed 1-bit network.

The loss of a network of sign weights is constant around its latent weights, where the local learning
coefficient is 0. What is defined is the same expectation over the bits that are deployed: each flips with a
prior probability p, a state weighs ``exp(−nβ L)``, and

    dllc(p) = nβ (E[L] − L*),    β = 1 / log n,

with L the mean cross-entropy of the packed network itself, worked out exactly. It is a property of p, n and
β, always said with them, and no real log canonical threshold. A negative value says that flips lower the loss
more often than not: the network is at no local minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError
from bnnedge.llc.diagnostics import CHANCE, Diagnosis, diagnose
from bnnedge.llc.flips import FlippableNetwork, flippable, flipped, mean_cross_entropy
from bnnedge.packed.model import PackedModel

__all__ = ["DiscreteEstimate", "FlipSampling", "dllc", "dllc_by_enumeration"]

Verdict = Literal["ok", "not mixed", "not a local minimum", "refused"]

LEAST_ACCEPTED = 0.1
WANTED_ACCEPTED = 0.375
"""The middle of 25 to 50 %, to which a proposal's size is tuned."""
ENUMERABLE_BITS = 20


@dataclass(frozen=True)
class FlipSampling:
    """How to sample flips.

    Attributes:
        probability: p, of the prior that a bit is not what it was trained to.
        chains: walkers, which begin at the trained bits.
        burn_in: scans that are left out; the size of proposals is tuned in them.
        scans: that are kept; each proposes once in every layer.
        inverse_temperature: nβ; None: n / log n.
        layers: names of those whose bits may flip; empty: all.
        seed: of everything that is random.
    """

    probability: float = 0.01
    chains: int = 4
    burn_in: int = 300
    scans: int = 600
    inverse_temperature: float | None = None
    layers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 0.5:
            raise ConfigError(
                f"a prior probability of {self.probability}", "expected more than 0, at most 0.5"
            )
        for name, least in (("chains", 2), ("burn_in", 8), ("scans", 8), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"expected at least {least}")
        if self.inverse_temperature is not None and not 0 < self.inverse_temperature < math.inf:
            raise ConfigError(
                f"inverse_temperature is {self.inverse_temperature}", "expected a number above 0"
            )


@dataclass(frozen=True)
class DiscreteEstimate:
    """A discrete local learning coefficient.

    Attributes:
        value: of dllc; None where the chains cannot be believed.
        standard_error: of the value, by effective draws.
        verdict: ``ok``; ``not a local minimum``: the value is believed, and negative; ``not mixed``: chains
            disagree or drift; ``refused``: proposals are not accepted.
        reasons: why it is not ``ok``.
        probability: p.
        inverse_temperature: nβ.
        samples: n.
        layers: names of those whose bits flip.
        loss: L*, in nats.
        accepted: share of proposals, least of the layers.
        flipped: mean share of bits that are flipped.
        diagnosis: of the chains.
        traces: (chains, scans) nβ (L − L*).
    """

    value: float | None
    standard_error: float | None
    verdict: Verdict
    reasons: tuple[str, ...]
    probability: float
    inverse_temperature: float
    samples: int
    layers: tuple[str, ...]
    loss: float
    accepted: float
    flipped: float
    diagnosis: Diagnosis
    traces: NDArray[np.float64] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """JSON values, without the traces."""
        return {name: value for name, value in asdict(self).items() if name != "traces"}


def dllc(
    model: PackedModel,
    inputs: NDArray[np.uint8],
    labels: NDArray[np.int64],
    sampling: FlipSampling | None = None,
    on_scan: Callable[[int, int], None] | None = None,
) -> DiscreteEstimate:
    """Estimate the discrete local learning coefficient by Metropolis sampling of bit flips.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers that fit it; those it was trained on are meant.
        labels: (samples,) classes.
        sampling: how.
        on_scan: called after each scan with how many are done, of all chains, and how many there are.

    Raises:
        ConfigError: settings that cannot be, or a layer that the model does not have.
        DataError: samples that do not fit the model, or fewer than 3.
    """
    sampling = FlipSampling() if sampling is None else sampling
    beta, layers = _beta(sampling, len(inputs)), _chosen(model, sampling.layers)
    walkers = []
    whole = sampling.burn_in + sampling.scans
    for chain in range(sampling.chains):
        network = flippable(model, inputs, labels)
        walker = _Walker(network, layers, sampling, beta, np.random.default_rng((sampling.seed, chain)))
        for done in walker.run():
            if on_scan is not None:
                on_scan(chain * whole + done, sampling.chains * whole)
        walkers.append(walker)
    traces = beta * (np.array([walker.losses for walker in walkers]) - walkers[0].start)
    diagnosis = diagnose(traces, float((traces < 0).mean()))
    accepted = min(walker.accepted.min() for walker in walkers)
    verdict, reasons = _verdict(diagnosis, float(accepted))
    believed = verdict in ("ok", "not a local minimum")
    return DiscreteEstimate(
        value=diagnosis.mean if believed else None,
        standard_error=diagnosis.error if believed else None,
        verdict=verdict,
        reasons=reasons,
        probability=sampling.probability,
        inverse_temperature=beta,
        samples=len(inputs),
        layers=tuple(model.layers[layer].name for layer in layers),
        loss=walkers[0].start,
        accepted=float(accepted),
        flipped=float(np.mean([walker.flipped for walker in walkers])),
        diagnosis=diagnosis,
        traces=traces,
    )


class _Walker:
    """A chain over the bits of some layers."""

    def __init__(
        self,
        network: FlippableNetwork,
        layers: Sequence[int],
        sampling: FlipSampling,
        beta: float,
        rng: np.random.Generator,
    ) -> None:
        self._network, self._layers, self._sampling = network, layers, sampling
        self._beta, self._rng = beta, rng
        self._flips = [np.zeros(0, dtype=np.int64) for _ in layers]
        # Share of a layer's bits that a proposal draws anew.
        self._shares = np.full(len(layers), 0.1)
        self.start, self.losses = network.loss, np.zeros(sampling.scans)
        self.accepted, self.flipped = np.zeros(len(layers)), 0.0

    def run(self) -> Iterator[int]:
        """All scans, and how many are done; what is counted is counted after the burn-in."""
        bits = sum(self._network.sizes[layer] for layer in self._layers)
        for scan in range(-self._sampling.burn_in, self._sampling.scans):
            for place in range(len(self._layers)):
                accepted = self._propose(place)
                if scan < 0:
                    # Robbins and Monro: the share moves until as many are accepted as wanted.
                    gain = 2.0 / (1.0 + 10.0 * (1 + scan / self._sampling.burn_in))
                    share = self._shares[place] * math.exp(gain * (accepted - WANTED_ACCEPTED))
                    least = 1 / self._network.sizes[self._layers[place]]
                    self._shares[place] = min(1.0, max(least, share))
                else:
                    self.accepted[place] += accepted / self._sampling.scans
            if scan >= 0:
                self.losses[scan] = self._network.loss
                self.flipped += sum(map(len, self._flips)) / (bits * self._sampling.scans)
            yield self._sampling.burn_in + scan + 1

    def _propose(self, place: int) -> bool:
        """Draw some of a layer's bits anew from the prior; take them or leave them by the loss alone."""
        layer, share, p = self._layers[place], self._shares[place], self._sampling.probability
        now, rng, size = self._flips[place], self._rng, self._network.sizes[self._layers[place]]
        back = now[rng.random(len(now)) < share * (1 - p)]
        away = self._unflipped(now, size, int(rng.binomial(size - len(now), share * p)))
        changed = np.concatenate((back, away))
        if not len(changed):
            return True
        difference = self._network.attempt(layer, changed) - self._network.loss
        if difference > 0 and rng.random() >= math.exp(-self._beta * difference):
            return False
        self._network.accept()
        self._flips[place] = np.concatenate((np.setdiff1d(now, back, assume_unique=True), away))
        return True

    def _unflipped(self, now: NDArray[np.int64], size: int, count: int) -> NDArray[np.int64]:
        """So many bits, each once, of those that are not flipped."""
        chosen = self._rng.permutation(size)[: count + len(now)] if 4 * (count + len(now)) > size else None
        if chosen is None:
            chosen = np.unique(self._rng.integers(size, size=2 * (count + len(now)) + 8))
            self._rng.shuffle(chosen)
        free = chosen[~np.isin(chosen, now)]
        return free[:count] if len(free) >= count else self._unflipped(now, size, count)


def _verdict(diagnosis: Diagnosis, accepted: float) -> tuple[Verdict, tuple[str, ...]]:
    if accepted < LEAST_ACCEPTED:
        return "refused", (f"{accepted:.1%} of a layer's proposals are accepted, under {LEAST_ACCEPTED:.0%}",)
    if unmixed := diagnosis.unmixed():
        return "not mixed", unmixed
    if diagnosis.mean < -CHANCE * diagnosis.error:
        return "not a local minimum", ("flips lower the loss, on average",)
    return "ok", ()


def dllc_by_enumeration(
    model: PackedModel, inputs: NDArray[np.uint8], labels: NDArray[np.int64], sampling: FlipSampling
) -> float:
    """The discrete local learning coefficient of a tiny network, over all states of its bits.

    Args:
        model: of at most 20 bits in the layers that are meant.
        inputs: as :func:`dllc` takes them.
        labels: (samples,) classes.
        sampling: of which p, nβ and the layers are used.

    Raises:
        ConfigError: more bits, or a layer that the model does not have.
        DataError: samples that do not fit the model.
    """
    beta, layers = _beta(sampling, len(inputs)), _chosen(model, sampling.layers)
    sizes = [model.layers[layer].weights.bits for layer in layers]
    if sum(sizes) > ENUMERABLE_BITS:
        raise ConfigError(
            f"{sum(sizes)} bits have too many states", f"expected at most {ENUMERABLE_BITS} bits"
        )
    losses, flips = [], []
    for state in product((False, True), repeat=sum(sizes)):
        tried, start = model, 0
        for layer, size in zip(layers, sizes, strict=True):
            tried = flipped(tried, layer, np.flatnonzero(state[start : start + size]))
            start += size
        losses.append(mean_cross_entropy(tried.predict(inputs).logits, labels))
        flips.append(sum(state))
    count, loss, p = np.array(flips), np.array(losses), sampling.probability
    weight = -beta * (loss - loss.min()) + count * math.log(p) + (sum(sizes) - count) * math.log1p(-p)
    weight = np.exp(weight - weight.max())
    return float(beta * (weight @ loss / weight.sum() - loss[0]))


def _beta(sampling: FlipSampling, samples: int) -> float:
    if samples < 3:
        raise DataError(f"{samples} samples are too few", "n / log n takes at least 3")
    given = sampling.inverse_temperature
    return samples / math.log(samples) if given is None else given


def _chosen(model: PackedModel, names: tuple[str, ...]) -> list[int]:
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            raise ConfigError(f"the model has no layer {name!r}", f"it has {', '.join(known)}")
    return [place for place, name in enumerate(known) if name in names or not names]
