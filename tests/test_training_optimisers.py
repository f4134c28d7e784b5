"""Bop flips what the paper says, and schedules go where they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.runs.config import NetConfig
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.optimisers import Bop, optimisers_of, set_rates, share_of_rate


def test_bop_is_algorithm_1_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((7, 5)) < 0.5, -1.0, 1.0).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    optimiser = Bop([parameter], rate=0.25, threshold=0.125)
    mean, flipped = np.zeros_like(weights), 0
    for _ in range(30):
        gradient = (rng.integers(-4, 5, weights.shape) / 8).astype(np.float32)
        parameter.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
        mean = np.float32(0.75) * mean + np.float32(0.25) * gradient
        for place in np.ndindex(weights.shape):
            if abs(mean[place]) > 0.125 and np.sign(mean[place]) == np.sign(weights[place]):
                weights[place] *= -1
                flipped += 1
        assert np.array_equal(parameter.detach().numpy(), weights)
    assert flipped > 20


def test_bop_takes_a_closure() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))

    def closure() -> float:
        loss = (parameter * torch.tensor([1.0, -1.0, 0.0])).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    assert Bop([parameter], 1.0, 0.5).step(closure) == 0
    assert parameter.tolist() == [-1, 1, 1]


def test_every_parameter_has_one_optimiser() -> None:
    config = NetConfig(hidden=(6,))
    encoding = first_encoding(config, (4,), 255, np.zeros((1, 4), dtype=np.uint8))
    for name, count in (("adam", 1), ("bop", 2)):
        net = BinaryNetwork(encoding, 3, config)
        before = [weight.detach() >= 0 for weight in net.latent_weights()]
        optimisers = optimisers_of(net, TrainingConfig(optimiser=name))  # type: ignore[arg-type]
        groups = [group for optimiser in optimisers for group in optimiser.param_groups]
        held = [parameter for group in groups for parameter in group["params"]]
        assert len(optimisers) == count
        assert sorted(map(id, held)) == sorted(map(id, net.parameters()))
        assert all(torch.equal(w >= 0, b) for w, b in zip(net.latent_weights(), before, strict=True))
    assert all(bool((weight.abs() == 1).all()) for weight in net.latent_weights())
    set_rates(optimisers, 0.5)
    rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    assert rates == [0.5 * TrainingConfig().bop_rate, 0.5 * TrainingConfig().learning_rate]


@given(
    st.sampled_from(["constant", "cosine", "step"]), st.integers(0, 5), st.integers(6, 20), st.integers(1, 9)
)
def test_schedules_rise_while_warm_and_never_after(schedule: str, warm: int, epochs: int, steps: int) -> None:
    settings = TrainingConfig(
        schedule=schedule,  # type: ignore[arg-type]
        warmup_epochs=warm,
        epochs=epochs,
        milestones=(5,) if schedule == "step" else (),
    )
    shares = [share_of_rate(settings, step, steps) for step in range(epochs * steps)]
    rising, falling = shares[: warm * steps], shares[warm * steps :]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert max(shares) == 1
    assert min(shares) > 0


def test_where_schedules_pass() -> None:
    cosine = TrainingConfig(epochs=10)
    assert [share_of_rate(cosine, step, 2) for step in (0, 10)] == [1.0, pytest.approx(0.5)]
    assert share_of_rate(cosine, 19, 2) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.95)))
    stepped = TrainingConfig(schedule="step", milestones=(2, 3))
    shares = [share_of_rate(stepped, step, 4) for step in (7, 8, 11, 12)]
    assert shares == pytest.approx([1, 0.1, 0.1, 0.01])
    warm = TrainingConfig(warmup_epochs=2)
    assert [share_of_rate(warm, step, 2) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
