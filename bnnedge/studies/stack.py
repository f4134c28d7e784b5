"""Many networks of one shape in one program: every tensor has a leading axis of runs.

A layer of 100 x 32 keeps a core busy for some microseconds, and PyTorch takes longer than that to start each
operation. Of all runs together an operation is large enough to be worth its start. What one run computes does
not depend on the others: products are batched over runs, each run's batch-norm sees its own samples, and Adam
works element by element.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.optim import Adam

from bnnedge.errors import ConfigError
from bnnedge.nets.network import BinaryNetwork
from bnnedge.nets.signs import sign
from bnnedge.runs.config import Config, NetConfig
from bnnedge.runs.training import TrainingConfig

__all__ = ["Stack", "check_stackable", "telling_settings"]

# Settings that may be anything: those that change what a run computes, and those that do not.
_TELLING = {
    "net": ("hidden", "initial_weights", "activation_gradient", "norm_momentum"),
    "training": ("epochs", "batch_size", "learning_rate", "patience"),
}
_SILENT = ("seed", "threads", "checkpoint_every", "track", "track_every")
# All others have their default, but for these.
_ONLY: dict[str, dict[str, object]] = {
    "net": {"input": "integer", "head": "batchnorm"},
    "training": {"schedule": "constant", "weight_limit": 0.0},
}


def check_stackable(config: Config) -> None:
    """See that trainings of this configuration can be one program.

    Raises:
        ConfigError: names the first setting that they cannot have.
    """
    if config.complexity is not None:
        raise ConfigError("[complexity] cannot be trained many at a time", "train one by one: bnnedge train")
    for table, default in (("net", NetConfig()), ("training", TrainingConfig())):
        wanted = dataclasses.asdict(default) | _ONLY[table]
        for name in wanted.keys() - {*_TELLING[table], *_SILENT}:
            given = getattr(getattr(config, table), name)
            if given != wanted[name]:
                raise ConfigError(
                    f"{table}.{name} = {given!r} cannot be trained many at a time",
                    f"expected {wanted[name]!r}; or train one by one: bnnedge train",
                )


def telling_settings(config: Config) -> dict[str, object]:
    """The settings by which trainings in a stack can differ, as TOML calls them, but for the seed."""
    settings: dict[str, object] = {
        f"data.{name}": value for name, value in dataclasses.asdict(config.data).items() if value is not None
    }
    for table, names in _TELLING.items():
        settings |= {f"{table}.{name}": getattr(getattr(config, table), name) for name in names}
    return settings


class Stack:
    """The parameters and running statistics of some networks, and the Adam that steps them.

    Attributes:
        weights: for each layer (runs, outputs, inputs) latent weights.
        scales: for each layer (runs, outputs), of its batch-norm.
        offsets: likewise.
        means: likewise, running; :func:`torch.nn.functional.batch_norm` updates them.
        variances: likewise.
    """

    def __init__(self, nets: Sequence[BinaryNetwork], config: Config) -> None:
        """Start from networks of one shape, whose parameters are copied.

        Raises:
            ConfigError: see :func:`check_stackable`.
        """
        check_stackable(config)
        self._momentum, self._gradient = config.net.norm_momentum, config.net.activation_gradient
        self.weights = [
            nn.Parameter(torch.stack(of_layer).detach())
            for of_layer in zip(*(net.latent_weights() for net in nets), strict=True)
        ]
        norms = [
            cast("tuple[nn.BatchNorm1d, ...]", some) for some in zip(*(n.norms for n in nets), strict=True)
        ]
        self._eps = norms[0][0].eps
        self.scales = [nn.Parameter(torch.stack([norm.weight for norm in some]).detach()) for some in norms]
        self.offsets = [nn.Parameter(torch.stack([norm.bias for norm in some]).detach()) for some in norms]
        self.means = [_stacked(norm.running_mean for norm in some) for some in norms]
        self.variances = [_stacked(norm.running_var for norm in some) for some in norms]
        self._adam = Adam(self._parameters(), lr=config.training.learning_rate, fused=True)

    @property
    def runs(self) -> int:
        """Number of networks."""
        return len(self.weights[0])

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits in training, each run's samples its own.

        Args:
            inputs: (runs, samples, features) floats.

        Returns:
            (runs, classes, samples).
        """
        values = torch.bmm(sign(self.weights[0], "identity"), inputs.transpose(1, 2))
        return self._after_first(values, training=True)

    @torch.no_grad()
    def evaluate(self, inputs: Tensor) -> Tensor:
        """Logits in evaluation, by the running statistics, of samples that all runs share.

        Args:
            inputs: (samples, features) floats.

        Returns:
            (runs, classes, samples).
        """
        runs, outputs, features = self.weights[0].shape
        weights = sign(self.weights[0], "identity").reshape(runs * outputs, features)
        values = (weights @ inputs.T).reshape(runs, outputs, len(inputs))
        return self._after_first(values, training=False)

    def step(self, loss: Tensor) -> None:
        """One step of Adam; ``loss`` is the sum of what each run makes small."""
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()

    @torch.no_grad()
    def keep(self, runs: Tensor) -> None:
        """Let go of all runs but those of these places, (kept,) int64."""
        for parameter in self._parameters():
            parameter.grad = None
            parameter.data = parameter.data[runs]
            state = self._adam.state[parameter]
            for moment in state.keys() & {"exp_avg", "exp_avg_sq"}:
                state[moment] = state[moment][runs]
        self.means = [mean[runs] for mean in self.means]
        self.variances = [variance[runs] for variance in self.variances]

    def _after_first(self, values: Tensor, *, training: bool) -> Tensor:
        last = len(self.weights) - 1
        for place, weight in enumerate(self.weights):
            if place:
                values = torch.bmm(sign(weight, "identity"), values)
            values = self._normalised(place, values, training)
            if place < last:
                values = sign(values, self._gradient)
        return values

    def _normalised(self, place: int, values: Tensor, training: bool) -> Tensor:
        """Batch-norm over the samples of each run: to it, runs are no more than further channels."""
        runs, outputs, samples = values.shape
        return batch_norm(
            values.reshape(1, runs * outputs, samples),
            self.means[place].reshape(-1),
            self.variances[place].reshape(-1),
            self.scales[place].reshape(-1),
            self.offsets[place].reshape(-1),
            training,
            self._momentum,
            self._eps,
        ).reshape(values.shape)

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.weights, *self.scales, *self.offsets]


def _stacked(tensors: Iterator[Tensor | None]) -> Tensor:
    return torch.stack([cast("Tensor", tensor) for tensor in tensors])
