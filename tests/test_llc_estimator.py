"""The estimator where the truth is known, where there is none, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnnedge.errors import ConfigError, DataError, UnsupportedError
from bnnedge.llc.deep_linear import local_value
from bnnedge.llc.estimator import Estimate, Sampling, llc
from bnnedge.llc.linear_model import DeepLinear, half_squares
from bnnedge.llc.objective import Batch, Stream

NOTHING = torch.zeros(1, 1)
COLD = Sampling(inverse_temperature=1e4, draws=400)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Potential(nn.Module):
    """``Σ h_i w_i^(2k)``, whatever the input."""

    def __init__(self, curvatures: Sequence[float], power: int = 1) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(len(curvatures)))
        self._curvatures = torch.tensor(curvatures)
        self._power = power

    def forward(self, inputs: Tensor) -> Tensor:
        return (self._curvatures * self.weights ** (2 * self._power)).sum().expand(len(inputs))


def mean_output(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.mean()


def potential(curvatures: Sequence[float], power: int = 1, sampling: Sampling = COLD) -> Estimate:
    return llc(Potential(curvatures, power), mean_output, (NOTHING, NOTHING), sampling)


@pytest.mark.parametrize("integrator", ["leimkuhler-matthews", "baoab"])
@pytest.mark.parametrize("preconditioner", ["none", "rmsprop", "hessian"])
def test_a_regular_model_has_half_its_dimensions(preconditioner: Any, integrator: Any) -> None:
    curvatures = np.linspace(0.05, 1, 60).tolist()
    sampling = replace(COLD, preconditioner=preconditioner, integrator=integrator)
    found = potential(curvatures, sampling=sampling)
    assert (found.verdict, found.reasons) == ("ok", ())
    assert found.value == pytest.approx(30, rel=0.03)


@pytest.mark.parametrize("power", [2, 3])
def test_a_power_of_each_parameter_has_the_inverse_of_it(power: int) -> None:
    """Exactly d / 2k at every temperature, for nothing holds the chain but the loss; γ takes 0.2 % of it."""
    found = potential([1.0] * 100, power, replace(COLD, localisation=1e-2))
    assert found.verdict == "ok"
    assert found.value == pytest.approx(100 / (2 * power), rel=0.03)


@pytest.mark.parametrize("widths", [(16, 16, 16), (12, 20, 20, 12), (30, 30, 30, 30)])
def test_smooth_deep_linear_networks(widths: tuple[int, ...]) -> None:
    net = DeepLinear.orthonormal(widths)
    sampling = Sampling(inverse_temperature=1e7, localisation=1000.0, draws=64)
    found = llc(net, half_squares, net.answers(), sampling)
    truth = local_value(net.matrices())
    assert (found.verdict, truth.kind) == ("ok", "smooth")
    assert truth.coefficient is not None
    assert found.value == pytest.approx(float(truth.coefficient), rel=0.02)


def test_a_singular_network_of_curvatures_far_apart() -> None:
    """3/2 of what is left at 0, and half of 21 directions: a sampler without a metric does not see all."""
    rng = np.random.default_rng(0)
    rotations = [torch.tensor(np.linalg.qr(rng.normal(size=(5, 5)))[0]) for _ in range(3)]
    singular = torch.diag(torch.tensor([1.0, 0.3, 0.03, 0.0, 0.0], dtype=torch.float64))
    net = DeepLinear([rotations[1] @ singular @ rotations[0], rotations[2] @ singular @ rotations[1].T])
    truth = local_value(net.matrices())
    assert truth.coefficient == 12
    assert truth.kind == "singular"
    sampling = Sampling(
        chains=12,
        draws=400,
        inverse_temperature=3e11,
        localisation=1e5,
        integrator="baoab",
        preconditioner="hessian",
        precision=0.015,
        check_step=False,
    )
    found = llc(net, half_squares, net.answers(), sampling)
    assert found.verdict == "ok"
    assert found.value == pytest.approx(12, rel=0.04)
    alone = llc(net, half_squares, net.answers(), replace(sampling, preconditioner="none", most_draws=400))
    assert alone.value is None or alone.value < 11


def test_euler_is_biased_at_the_same_step_and_takes_shorter_ones() -> None:
    curvatures = [0.5] * 200
    step = 0.5 / 1e4  # ε λ / 4 is an eighth: a seventh too much
    right = potential(curvatures, sampling=replace(COLD, step=step))
    wrong = potential(curvatures, sampling=replace(COLD, step=step, integrator="euler"))
    assert right.value == pytest.approx(100, rel=0.03)
    assert wrong.step <= right.step / 4
    at_once = potential(curvatures, sampling=replace(COLD, step=step, integrator="euler", check_step=False))
    assert at_once.value == pytest.approx(100 / (1 - 1 / 8), rel=0.03)
    assert at_once.reasons == ("half the step was not tried",)


def test_batches_of_a_stream_and_of_a_set_agree_with_all_of_it() -> None:
    net = DeepLinear.orthonormal((24, 24, 24))
    inputs, targets = net.answers()

    def draw(generator: torch.Generator) -> Batch:
        chosen = torch.randperm(24, generator=generator)[:12]
        return inputs[chosen], targets[chosen]

    sampling = Sampling(inverse_temperature=1e7, localisation=1000.0, draws=200, step=4e-9)
    of_stream = llc(net, half_squares, Stream(draw, 10**8), replace(sampling, inverse_temperature=1e7))
    of_set = llc(net, half_squares, (inputs, targets), replace(sampling, batch_size=12))
    for found in (of_stream, of_set):
        assert found.verdict == "ok"
        assert found.value == pytest.approx(288, rel=0.05)


def test_chains_together_and_one_after_another_walk_the_same_ways() -> None:
    net = DeepLinear.orthonormal((6, 6, 6))
    sampling = Sampling(inverse_temperature=1e5, localisation=100.0, step=1e-6, draws=16, most_draws=16)
    one, other = (
        llc(net, half_squares, net.answers(), replace(sampling, together=together))
        for together in (True, False)
    )
    np.testing.assert_allclose(one.traces, other.traces, rtol=1e-3)
    again = llc(net, half_squares, net.answers(), replace(sampling, together=True))
    assert np.array_equal(one.traces, again.traces)


def test_the_model_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 4, generator=generator)
    labels = torch.randint(3, (64,), generator=generator)
    net(inputs)
    net[0].weight.grad = torch.ones(8, 4)
    net[3].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    llc(net, nn.functional.cross_entropy, (inputs, labels), Sampling(draws=8, most_draws=8, batch_size=16))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert net[1].training
    assert not net[3].training
    assert torch.equal(net[0].weight.grad, torch.ones(8, 4))


def test_a_point_that_is_no_minimum_is_refused() -> None:
    """Of a saddle, most draws lie below the start."""

    class Saddle(Potential):
        def forward(self, inputs: Tensor) -> Tensor:
            squares = self.weights.square()
            return (squares[0] - squares[1] + squares.square().sum()).expand(len(inputs))

    found = llc(Saddle([1.0, 1.0]), mean_output, (NOTHING, NOTHING), replace(COLD, most_draws=800))
    assert (found.value, found.verdict) == (None, "refused")
    assert any("no local minimum" in said for said in found.reasons)


def test_too_few_draws_are_refused() -> None:
    found = potential([1.0, 1.0], sampling=replace(COLD, draws=16, most_draws=16))
    assert found.verdict == "refused"
    assert any("too noisy" in said for said in found.reasons)
    assert found.to_dict()["value"] is None


def test_a_loss_that_is_not_finite_is_refused() -> None:
    class Cliff(Potential):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.where(self.weights.abs().max() > 1e-6, torch.inf, self.weights.sum()).expand(
                len(inputs)
            )

    found = llc(Cliff([1.0]), mean_output, (NOTHING, NOTHING), COLD)
    assert found.verdict == "refused"
    assert "not finite" in found.reasons[0]


def test_sign_weights_are_refused_and_shown_where_to_go() -> None:
    class Signs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.latent = nn.Parameter(torch.randn(3, 20, generator=torch.Generator().manual_seed(0)))

        def forward(self, inputs: Tensor) -> Tensor:
            # Straight through: the value of a sign, the gradient of the latent weight.
            return inputs @ (self.latent + (self.latent.sign() - self.latent).detach()).T

    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(50, 20, generator=generator)
    with pytest.raises(UnsupportedError, match="by their signs") as refusal:
        llc(Signs(), nn.functional.cross_entropy, (inputs, torch.zeros(50, dtype=torch.int64)))
    assert "bnnedge llc CHECKPOINT" in str(refusal.value.hint)


def test_settings_that_cannot_be() -> None:
    for wrong in (
        {"chains": 0},
        {"draws": 4},
        {"draws": 100, "most_draws": 50},
        {"burn_in": 0},
        {"localisation": 0.0},
        {"courant": 2.0},
    ):
        with pytest.raises(ConfigError):
            Sampling(**wrong)
    with pytest.raises(ConfigError, match="n / log n"):
        llc(Potential([1.0]), mean_output, (NOTHING, NOTHING))
    with pytest.raises(ConfigError, match="a batch of 3"):
        llc(Potential([1.0]), mean_output, (NOTHING, NOTHING), replace(COLD, batch_size=3))
    with pytest.raises(DataError):
        llc(Potential([1.0]), mean_output, (NOTHING, NOTHING[:0]), COLD)
    with pytest.raises(ConfigError, match="no parameters"):
        llc(nn.Identity(), mean_output, (NOTHING, NOTHING), COLD)
