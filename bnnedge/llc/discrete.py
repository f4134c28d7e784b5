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
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError
from bnnedge.llc.diagnostics import CHANCE, Diagnosis, diagnose
from bnnedge.llc.flips import flippable, flipped, mean_cross_entropy
from bnnedge.llc.walker import Walker
from bnnedge.packed.model import PackedModel

__all__ = ["DiscreteEstimate", "FlipSampling", "dllc", "dllc_by_enumeration"]

Verdict = Literal["ok", "not mixed", "not a local minimum", "refused"]

LEAST_ACCEPTED = 0.1
ENUMERABLE_BITS = 20


@dataclass(frozen=True)
class FlipSampling:
    """How to sample flips.

    Attributes:
        probability: p, of the prior that a bit is not what it was trained to.
        chains: walkers, which begin at the trained bits.
        burn_in: scans that are left out; the size of proposals is tuned in them.
        scans: that are kept to begin with; each proposes once in every neuron. They are doubled until the
            chains have mixed, and the first half is left out where these drift.
        most_scans: in all, at which chains that have not mixed yet are given up.
        inverse_temperature: nβ; None: n / log n.
        layers: names of those whose bits may flip; empty: all.
        seed: of everything that is random.
    """

    probability: float = 0.01
    chains: int = 4
    burn_in: int = 40
    scans: int = 100
    most_scans: int = 1600
    inverse_temperature: float | None = None
    layers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 0.5:
            raise ConfigError(
                f"a prior probability of {self.probability}", "expected more than 0, at most 0.5"
            )
        for name, least in (
            ("chains", 2),
            ("burn_in", 8),
            ("scans", 8),
            ("most_scans", self.scans),
            ("seed", 0),
        ):
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
        """JSON values, without the traces; of the diagnosis, what is not finite is None."""
        plain = {name: value for name, value in asdict(self).items() if name != "traces"}
        figures = asdict(self.diagnosis).items()
        return plain | {
            "diagnosis": {name: value if math.isfinite(value) else None for name, value in figures}
        }


def dllc(
    model: PackedModel,
    inputs: NDArray[np.uint8],
    labels: NDArray[np.int64],
    sampling: FlipSampling | None = None,
) -> DiscreteEstimate:
    """Estimate the discrete local learning coefficient by Metropolis sampling of bit flips.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers that fit it; those it was trained on are meant.
        labels: (samples,) classes.
        sampling: how.

    Raises:
        ConfigError: settings that cannot be, or a layer that the model does not have.
        DataError: samples that do not fit the model, or fewer than 3.
    """
    sampling = FlipSampling() if sampling is None else sampling
    beta, layers = _beta(sampling, len(inputs)), _chosen(model, sampling.layers)
    networks = [flippable(model, inputs, labels) for _ in range(sampling.chains)]
    start = networks[0].loss
    walkers = [
        Walker(network, layers, sampling.probability, beta, np.random.default_rng((sampling.seed, chain)))
        for chain, network in enumerate(networks)
    ]
    for walker in walkers:
        walker.burn_in(sampling.burn_in)
    traces, drawn = np.zeros((sampling.chains, 0)), 0
    while True:
        scans = drawn or sampling.scans
        drawn += scans
        more = beta * (np.array([walker.draw(scans) for walker in walkers]) - start)
        traces = np.concatenate((traces, more), axis=1)
        diagnosis = diagnose(traces, float((traces < 0).mean()))
        accepted = min(walker.accepted for walker in walkers)
        verdict, reasons = _verdict(diagnosis, accepted)
        if verdict != "not mixed" or 2 * drawn > sampling.most_scans:
            break
        if diagnosis.drifts():  # what was drawn before was burn-in
            traces = more
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
        loss=start,
        accepted=accepted,
        flipped=float(np.mean([walker.flipped for walker in walkers])),
        diagnosis=diagnosis,
        traces=traces,
    )


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
