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
from torch import nn

from bnnedge.errors import ConfigError
from bnnedge.llc.diagnostics import Diagnosis, diagnose
from bnnedge.llc.metric import Metric
from bnnedge.llc.objective import Data, Loss, Objective, evaluating
from bnnedge.llc.pilot import Pilot
from bnnedge.llc.sampler import Chains, Integrator, Posterior
from bnnedge.llc.signs import refuse_signs

__all__ = ["Estimate", "Sampling", "llc"]

MOST_CHANGE = 0.05
"""By how much an estimate may change at half the step, and at twice the length."""

HALVINGS = 4
"""Of the step, until two agree; quarterings, until chains stay finite."""

MOST_TOGETHER = 1 << 24
"""Parameters of all chains that move as one batched program."""


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        chains: walkers; all begin at the model's parameters.
        draws: of each chain to begin with, after the burn-in; doubled until two lengths agree.
        burn_in: steps of each chain before its draws; None: as many as draws.
        most_draws: at which an estimate that is not healthy yet is refused.
        batch_size: samples of a step; None: all of them.
        inverse_temperature: nβ; None: n / log n.
        localisation: γ, which holds a chain near the start.
        step: ε; None: of the largest curvature that is found at the start and on a pilot chain.
        courant: half of that step times that curvature. A quadratic is unstable at 2, and the nearer to that
            the less are its energies correlated; elsewhere a step may be as long as half of it agrees with.
        integrator: see :mod:`bnnedge.llc.sampler`.
        preconditioner: ``rmsprop``: by the root mean square of gradients on a pilot chain; fixed while draws
            are taken, so that the density stays what it is. ``hessian``: by the curvature at the start in all
            directions, of models of a few thousand parameters: flat and steep ones are then seen as soon.
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
    burn_in: int | None = None
    most_draws: int = 32000
    batch_size: int | None = None
    inverse_temperature: float | None = None
    localisation: float = 1.0
    step: float | None = None
    courant: float = 0.5
    integrator: Integrator = "leimkuhler-matthews"
    preconditioner: Literal["none", "rmsprop", "hessian"] = "none"
    precision: float = 0.006
    check_step: bool = True
    check_temperature: bool = False
    together: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("chains", 1), ("draws", 8), ("most_draws", self.draws), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"expected at least {least}")
        if self.burn_in is not None and self.burn_in < 1:
            raise ConfigError(f"burn_in is {self.burn_in}", "expected at least 1")
        if not 0 < self.courant < 2:
            raise ConfigError(f"courant is {self.courant}", "expected a number above 0 and below 2")
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
        refuse_signs(posterior, sampling.seed)
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
        self._burn_in = sampling.draws if sampling.burn_in is None else sampling.burn_in
        self._pilot = Pilot(posterior, sampling.integrator, self._burn_in, sampling.courant, sampling.seed)
        self._metric: Metric | None = None

    def estimate(self) -> Estimate:
        """Sample at a step, and at half of it; where these differ, that half becomes the step."""
        step, pilot = self._sampling.step, self._pilot
        if self._sampling.preconditioner == "rmsprop":
            self._metric = pilot.mean_squares(pilot.safe_step(None) if step is None else step)
        elif self._sampling.preconditioner == "hessian":
            self._metric = pilot.curvature()
        step = pilot.safe_step(self._metric) if step is None else step
        if not 0 < step < math.inf:
            return self._refused(step, "no step is stable: the loss is not finite near the start")
        drawn, slower, hotter = self._drawn(step), None, None
        for _ in range(HALVINGS):
            if drawn.diagnosis is not None:
                break
            # A pilot does not come to everywhere: further out it is steeper still.
            drawn = self._drawn(drawn.step / 4)
        if self._sampling.check_step and not drawn.complaints():
            slower = self._drawn(step / 2)
            for _ in range(HALVINGS):
                if slower.diagnosis is not None and (slower.complaints() or drawn.agrees(slower)):
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
        chains, draws = self._chains(step), self._sampling.draws
        self._advance(chains, self._burn_in)
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

    def _chains(self, step: float) -> list[Chains]:
        """Walkers at the start, as one batched program or one after another: the same numbers either way."""
        sampling, together = self._sampling, self._sampling.together
        if together is None:
            together = sampling.chains * self._posterior.objective.parameters <= MOST_TOGETHER
        generators = [self._posterior.generator(sampling.seed, 0, chain) for chain in range(sampling.chains)]
        groups = [generators] if together else [[generator] for generator in generators]
        return [Chains(self._posterior, group, step, sampling.integrator, self._metric) for group in groups]

    def _advance(self, chains: list[Chains], steps: int) -> NDArray[np.float64]:
        traces = np.concatenate([some.run(steps) for some in chains])
        with np.errstate(over="ignore"):  # of chains that diverge, which is told from what is not finite
            return traces * self._posterior.inverse_temperature

    def _below(self, chains: list[Chains], traces: NDArray[np.float64]) -> float:
        """Share of draws below the start; where batches are parts of the data, of where chains are now."""
        objective = self._posterior.objective
        if objective.whole or objective.endless:
            return float((traces < 0).mean())
        return float((torch.cat([objective.excess(some.at) for some in chains]) < 0).double().mean())
