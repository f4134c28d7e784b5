"""The local learning coefficient of a model with real weights, or the reason why there is none to give.

``λ̂ = nβ (E[L(w)] − L(w*))`` over the posterior near the trained w* (Lau et al. 2023, arXiv 2308.12108,
eq. 10), with ``β = 1 / log n``. A figure is given only where the chains say that they can be believed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bnnedge.errors import ConfigError, UnsupportedError
from bnnedge.llc.diagnostics import Diagnosis, diagnose
from bnnedge.llc.objective import Data, Loss, Objective, Parameters, evaluating
from bnnedge.llc.sampler import Chains, Integrator, Posterior, top_eigenvalue

__all__ = ["Estimate", "Sampling", "llc"]

MOST_CHANGE = 0.05
"""By how much an estimate may change at half the step, and at twice the length."""

HALVINGS = 4
"""Of the step, until two agree."""

PILOT = 50
COURANT = 0.5
"""Half the step times the largest curvature: at 2 a quadratic is unstable."""
PILOTS = 12
TRIALS = 5
FLOOR = 0.1
"""Of RMSprop, as a share of the gradients' root mean square: it bounds the scale of what does not matter."""
MOST_TOGETHER = 1 << 24
"""Parameters of all chains that move as one batched program."""


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        chains: walkers; all begin at the model's parameters.
        draws: of each chain to begin with, after the burn-in; doubled until two lengths agree.
        most_draws: at which an estimate that is not healthy yet is refused.
        batch_size: samples of a step; None: all of them.
        inverse_temperature: nβ; None: n / log n.
        localisation: γ, which holds a chain near the start.
        step: ε; None: of the largest curvature that is found at the start and on a pilot chain.
        integrator: see :mod:`bnnedge.llc.sampler`.
        preconditioner: ``rmsprop``: by the root mean square of gradients on a pilot chain; fixed while draws
            are taken, so that the density stays what it is.
        precision: standard error to reach, as a share of the value: well below the changes that a step and
            the length are judged by, these are none of chance.
        check_step: whether to run again at half the step.
        check_temperature: whether to run again at a quarter of nβ. λ is the limit of cold chains; where it
            is one the value does not change. At a singular point chains are far from it for very long: they
            have to find the directions in which the loss stays flat, and no figure of theirs shows it.
        together: whether all chains move as one batched program; None: where memory allows.
        seed: of everything that is random.
    """

    chains: int = 8
    draws: int = 500
    most_draws: int = 32000
    batch_size: int | None = None
    inverse_temperature: float | None = None
    localisation: float = 1.0
    step: float | None = None
    integrator: Integrator = "leimkuhler-matthews"
    preconditioner: Literal["none", "rmsprop"] = "none"
    precision: float = 0.006
    check_step: bool = True
    check_temperature: bool = False
    together: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("chains", 1), ("draws", 8), ("most_draws", self.draws), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"expected at least {least}")
        for name in ("inverse_temperature", "localisation", "step", "precision"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name} is {value}", "expected a number above 0")


@dataclass(frozen=True)
class Estimate:
    """A local learning coefficient.

    Attributes:
        value: the estimate; None where it is refused.
        standard_error: of the value, by effective draws.
        verdict: ``ok`` or ``refused``.
        reasons: why it is refused; or what was not checked.
        samples: n.
        inverse_temperature: nβ.
        localisation: γ.
        step: ε.
        parameters: numbers that moved.
        draws: of each chain, after its burn-in.
        diagnosis: of the chains.
        at_half_step: the estimate of a run at half the step; None: there was none.
        at_quarter_nbeta: the estimate of a run at a quarter of nβ; None: there was none.
        at_half_length: the estimate of the first half of the draws.
        traces: (chains, draws) nβ (L − L*) of the batch of each step.
    """

    value: float | None
    standard_error: float | None
    verdict: Literal["ok", "refused"]
    reasons: tuple[str, ...]
    samples: int
    inverse_temperature: float
    localisation: float
    step: float
    parameters: int
    draws: int
    diagnosis: Diagnosis | None
    at_half_step: float | None
    at_quarter_nbeta: float | None
    at_half_length: float | None
    traces: NDArray[np.float64] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """JSON values, without the traces."""
        return {name: value for name, value in asdict(self).items() if name != "traces"}


def llc(model: nn.Module, loss: Loss, data: Data, sampling: Sampling | None = None) -> Estimate:
    """Estimate the local learning coefficient at a model's own parameters.

    The model is left as it is: parameters, buffers, gradients and mode. It is run in evaluation mode.

    Args:
        model: trained; its parameters that require a gradient move.
        loss: outputs and targets of a batch to the mean negative log-likelihood of a sample.
        data: (inputs, targets), or a :class:`~bnnedge.llc.objective.Stream`.
        sampling: how.

    Raises:
        ConfigError: settings, or samples, that cannot be.
        DataError: no samples.
        UnsupportedError: a loss that does not follow its gradient, as that of sign weights: see
            :func:`bnnedge.llc.discrete.dllc`.
    """
    sampling = Sampling() if sampling is None else sampling
    with evaluating(model):
        objective = Objective(model, loss, data, sampling.batch_size)
        beta = sampling.inverse_temperature
        if beta is None:
            if objective.samples < 3:
                raise ConfigError("n / log n takes at least 3 samples", "give inverse_temperature")
            beta = objective.samples / math.log(objective.samples)
        posterior = Posterior(objective, beta, sampling.localisation)
        _refuse_signs(posterior, sampling.seed)
        return _Run(posterior, sampling).estimate()


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Draws at one step.

    Attributes:
        step: ε.
        traces: (chains, draws) nβ (L − L*).
        diagnosis: of the traces; None where they are not finite.
        precision: standard error to reach, as a share of the mean.
    """

    step: float
    traces: NDArray[np.float64]
    diagnosis: Diagnosis | None
    precision: float

    @property
    def mean(self) -> float:
        return float(self.traces.mean())

    @property
    def half_length(self) -> float:
        return float(self.traces[:, : self.traces.shape[1] // 2].mean())

    def drifts(self) -> bool:
        return self.diagnosis is not None and abs(self.diagnosis.drift) > MOST_CHANGE * abs(self.mean)

    def agrees(self, other: _Drawn, change: float = MOST_CHANGE / 2) -> bool:
        """Whether another run says the same: one at half the step to half of what a step may be wrong by."""
        return abs(other.mean - self.mean) <= change * abs(self.mean)

    def complaints(self) -> list[str]:
        """What is wrong with the draws, in words."""
        diagnosis = self.diagnosis
        if diagnosis is None:
            return ["the chains diverged: the loss is not finite any more"]
        said = [*diagnosis.unmixed(), *diagnosis.lowered()]
        if abs(self.half_length - self.mean) > MOST_CHANGE * abs(self.mean):
            said.append(f"half the length gives {self.half_length:.4g}, all of it {self.mean:.4g}")
        if not diagnosis.error <= self.precision * abs(self.mean):
            said.append(
                f"too noisy: {self.mean:.4g} with a standard error of {diagnosis.error:.2g}; draw more"
            )
        return said


class _Run:
    """One estimate, from the choice of a step to the verdict."""

    def __init__(self, posterior: Posterior, sampling: Sampling) -> None:
        self._posterior, self._sampling = posterior, sampling
        self._scale: Parameters | None = None

    def estimate(self) -> Estimate:
        """Sample at a step, and at half of it; where these differ, that half becomes the step."""
        step = self._sampling.step
        if self._sampling.preconditioner == "rmsprop":
            self._scale = self._mean_squares(self._safe_step() if step is None else step)
        step = self._safe_step() if step is None else step
        if not 0 < step < math.inf:
            return self._refused(step, "no step is stable: the loss is not finite near the start")
        drawn, slower, hotter = self._drawn(step), None, None
        if self._sampling.check_step and not drawn.complaints():
            slower = self._drawn(step / 2)
            for _ in range(HALVINGS):
                if slower.complaints() or drawn.agrees(slower):
                    break
                drawn, slower = slower, self._drawn(slower.step / 2)
        if self._sampling.check_temperature and not drawn.complaints():
            hotter = self._hotter(drawn.step)
        return self._judged(drawn, slower, hotter)

    def _hotter(self, step: float) -> _Drawn:
        """Draws at a quarter of nβ, and at four times the step, which is as far from unstable there."""
        cold = self._posterior
        self._posterior = replace(cold, inverse_temperature=cold.inverse_temperature / 4)
        try:
            return self._drawn(4 * step)
        finally:
            self._posterior = cold

    def _drawn(self, step: float) -> _Drawn:
        """Draws of chains that begin at the start, as many as it takes, or as there may be."""
        chains, draws = self._chains(step, 0), self._sampling.draws
        self._advance(chains, draws)
        traces = self._advance(chains, draws)
        while np.isfinite(traces).all():
            drawn = _Drawn(
                step, traces, diagnose(traces, self._below(chains, traces)), self._sampling.precision
            )
            if not drawn.complaints() or 2 * traces.shape[1] > self._sampling.most_draws:
                return drawn
            more = self._advance(chains, traces.shape[1])
            # What was drawn so far was burn-in where it was still on its way.
            traces = more if drawn.drifts() else np.concatenate((traces, more), axis=1)
        return _Drawn(step, traces, None, self._sampling.precision)

    def _judged(self, drawn: _Drawn, slower: _Drawn | None, hotter: _Drawn | None) -> Estimate:
        reasons = drawn.complaints()
        if slower is not None and not reasons:
            reasons = [f"at half the step: {said}" for said in slower.complaints()]
            if not reasons and not drawn.agrees(slower):
                reasons = [f"half the step gives {slower.mean:.4g}, the step {drawn.mean:.4g}"]
        if hotter is not None and not reasons:
            reasons = [f"at a quarter of nβ: {said}" for said in hotter.complaints()]
            if not reasons and not drawn.agrees(hotter, MOST_CHANGE):
                reasons = [f"a quarter of nβ gives {hotter.mean:.4g}, nβ {drawn.mean:.4g}: no asymptote yet"]
        unchecked = [] if slower is not None or reasons else ["half the step was not tried"]
        return Estimate(
            value=None if reasons else drawn.mean,
            standard_error=None if reasons or drawn.diagnosis is None else drawn.diagnosis.error,
            verdict="refused" if reasons else "ok",
            reasons=tuple(reasons or unchecked),
            step=drawn.step,
            draws=drawn.traces.shape[1],
            diagnosis=drawn.diagnosis,
            at_half_step=None if slower is None else slower.mean,
            at_quarter_nbeta=None if hotter is None else hotter.mean,
            at_half_length=drawn.half_length,
            traces=drawn.traces,
            **self._given(),
        )

    def _refused(self, step: float, reason: str) -> Estimate:
        nothing = np.zeros((self._sampling.chains, 0))
        return Estimate(
            None,
            None,
            "refused",
            (reason,),
            step=step,
            draws=0,
            diagnosis=None,
            at_half_step=None,
            at_quarter_nbeta=None,
            at_half_length=None,
            traces=nothing,
            **self._given(),
        )

    def _given(self) -> dict[str, Any]:
        posterior = self._posterior
        return {
            "samples": posterior.objective.samples,
            "inverse_temperature": posterior.inverse_temperature,
            "localisation": posterior.localisation,
            "parameters": posterior.objective.parameters,
        }

    def _chains(self, step: float, purpose: int, chains: int | None = None) -> list[Chains]:
        """Walkers at the start, as one batched program or one after another: the same numbers either way."""
        chains = self._sampling.chains if chains is None else chains
        together = self._sampling.together
        if together is None:
            together = chains * self._posterior.objective.parameters <= MOST_TOGETHER
        generators = [self._generator(purpose, chain) for chain in range(chains)]
        groups = [generators] if together else [[generator] for generator in generators]
        return [
            Chains(self._posterior, group, step, self._sampling.integrator, self._scale) for group in groups
        ]

    def _generator(self, *purpose: int) -> torch.Generator:
        seed = np.random.default_rng((self._sampling.seed, *purpose)).integers(2**63)
        return torch.Generator(device=self._device).manual_seed(int(seed))

    @property
    def _pilot_steps(self) -> int:
        return min(PILOT, self._sampling.draws)

    @property
    def _device(self) -> torch.device:
        return next(iter(self._posterior.objective.start.values())).device

    def _advance(self, chains: list[Chains], steps: int) -> NDArray[np.float64]:
        traces = np.concatenate([some.run(steps) for some in chains])
        return traces * self._posterior.inverse_temperature

    def _below(self, chains: list[Chains], traces: NDArray[np.float64]) -> float:
        """Share of draws below the start; where batches are parts of the data, of where chains are now."""
        objective = self._posterior.objective
        if objective.whole or objective.endless:
            return float((traces < 0).mean())
        return float((torch.cat([objective.excess(some.at) for some in chains]) < 0).double().mean())

    def _safe_step(self) -> float:
        """ε of the largest curvature, at the start and at the end of a pilot chain; 0 if none is stable."""
        generator = self._generator(2)
        start = {name: value[None] for name, value in self._posterior.objective.start.items()}
        step = self._step_at(start, generator)
        for _ in range(PILOTS):
            (pilot,) = self._chains(step, 3, chains=1)
            fine = np.isfinite(pilot.run(self._pilot_steps)).all()
            wanted = self._step_at(pilot.at, generator) if fine else step / 10
            if fine and wanted > step / 1.5:
                return min(step, wanted)
            step = min(wanted, step / 1.5)
        return 0.0

    def _step_at(self, at: Parameters, generator: torch.Generator) -> float:
        top = top_eigenvalue(self._posterior, at, self._scale, generator)
        return 2 * COURANT / top if 0 < top < math.inf else math.inf

    def _mean_squares(self, step: float) -> Parameters:
        """RMSprop's scale, 1 / (δ + √v), of mean 1: v of the loss's gradients on a pilot chain."""
        (pilot,) = self._chains(step, 4, chains=1)
        generators = [self._generator(5)]
        squares = {name: torch.zeros_like(value[0]) for name, value in pilot.at.items()}
        for _ in range(self._pilot_steps):
            pilot.run(1)
            _, slope = self._posterior.slope(pilot.at, generators)
            for name, value in squares.items():
                value.add_(slope[name][0].square())
        roots = {name: value.sqrt() for name, value in squares.items()}
        floor = FLOOR * float(torch.cat([value.flatten() for value in roots.values()]).square().mean().sqrt())
        scale = {name: 1 / (value + floor) for name, value in roots.items()}
        mean = float(torch.cat([value.flatten() for value in scale.values()]).mean())
        return {name: value / mean for name, value in scale.items()}


def _refuse_signs(posterior: Posterior, seed: int) -> None:
    """See that the loss moves when the parameters do, as little as that is.

    Weights that are used by their signs leave it exactly as it is, whatever their gradients say: its level
    sets are full-dimensional, λ is 0, and what a chain returns is a property of the prior alone.
    """
    objective = posterior.objective
    generator = torch.Generator(device=next(iter(objective.start.values())).device).manual_seed(seed)
    batch = [objective.batch(generator)]
    still = 0
    for _ in range(TRIALS):
        at = {name: _near(value, 0.05, generator)[None] for name, value in objective.start.items()}
        excess, slope = objective.excess_and_gradient(at, batch)
        size = max(float(value.abs().max()) for value in slope.values())
        if not (math.isfinite(size) and excess.isfinite().all()):
            continue  # it moves, and how
        if size > 0:
            at = {name: value + 1e-5 * _spread(value) * slope[name] / size for name, value in at.items()}
            still += bool(objective.excess_and_gradient(at, batch)[0] == excess)
        else:
            still += 1
    if still > TRIALS // 2:
        raise UnsupportedError(
            "the loss does not change with the parameters, which are used by their signs or not at all: its "
            "local learning coefficient is 0",
            "bnnedge llc CHECKPOINT measures the discrete one, over flips of the deployed bits",
        )


def _near(value: Tensor, share: float, generator: torch.Generator) -> Tensor:
    noise = torch.randn(value.shape, generator=generator, dtype=value.dtype, device=value.device)
    return value + share * _spread(value) * noise


def _spread(value: Tensor) -> float:
    """Root mean square of a parameter; 1 of one that is 0."""
    return float(value.double().square().mean().sqrt()) or 1.0
