"""The loss of a model as a function of its parameters, for many chains at once, the model left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from bnnedge.errors import ConfigError, DataError

__all__ = ["Batch", "Data", "Loss", "Objective", "Parameters", "Stream", "evaluating", "flat", "views"]

Parameters = dict[str, Tensor]
"""A model's trainable parameters by name; of chains: with a first axis of chains."""


def flat(values: Parameters, out: Tensor | None = None) -> Tensor:
    """(chains, numbers) of parameters of chains, new or in a tensor that is there."""
    return torch.cat([value.flatten(1) for value in values.values()], dim=1, out=out)


def views(numbers: Tensor, like: Parameters) -> Parameters:
    """The parameters of chains that lie in (chains, numbers), each of the shape of one without chains."""
    places = torch.split(numbers, [value.numel() for value in like.values()], dim=1)
    return {
        name: place.view(len(numbers), *value.shape)
        for (name, value), place in zip(like.items(), places, strict=True)
    }


Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs and targets of a batch to its mean loss."""

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Stream:
    """Samples without end.

    Attributes:
        draw: a batch of inputs and targets, of a generator.
        samples: for how many the posterior is meant, n.
    """

    draw: Callable[[torch.Generator], Batch]
    samples: int


Data = Batch | Stream
"""All samples, (inputs, targets), or a stream of them."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and each module's own mode again afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class Objective:
    """Mean loss and its gradient at parameters that are not the model's.

    Buffers are copies, made once: what a forward pass does to them is not seen by the model.

    Args:
        model: whose forward pass takes the inputs alone.
        loss: mean over a batch.
        data: samples; on the parameters' device.
        batch_size: samples of a step, drawn with replacement; None: all, or a stream's own.

    Raises:
        ConfigError: a batch size that cannot be, or a model with nothing to move.
        DataError: no samples, or inputs and targets that do not belong together.
    """

    def __init__(self, model: nn.Module, loss: Loss, data: Data, batch_size: int | None) -> None:
        self._model, self._loss, self._data = model, loss, data
        self.start: Parameters = {
            name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad
        }
        if not self.start:
            raise ConfigError("the model has no parameters that require a gradient", "expected at least one")
        self._fixed = {
            name: value.detach().clone()
            for name, value in [*model.named_parameters(), *model.named_buffers()]
            if name not in self.start
        }
        self.samples = data.samples if isinstance(data, Stream) else _checked(data, batch_size)
        self._batch_size = None if batch_size == self.samples else batch_size
        self._start_loss: Tensor | None = None
        self._programs: dict[tuple[torch.Size, ...], GraphModule] = {}

    @property
    def parameters(self) -> int:
        """Numbers that move."""
        return sum(value.numel() for value in self.start.values())

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return next(iter(self.start.values())).device

    @property
    def whole(self) -> bool:
        """Whether every step sees every sample."""
        return not isinstance(self._data, Stream) and self._batch_size is None

    @property
    def endless(self) -> bool:
        """Whether samples come from a stream."""
        return isinstance(self._data, Stream)

    def batch(self, generator: torch.Generator) -> Batch:
        """What a step of a chain sees."""
        if isinstance(self._data, Stream):
            return self._data.draw(generator)
        if self._batch_size is None:
            return self._data
        inputs, targets = self._data
        chosen = torch.randint(len(inputs), (self._batch_size,), generator=generator, device=inputs.device)
        return inputs[chosen], targets[chosen]

    def excess_and_gradient(self, at: Parameters, batches: list[Batch]) -> tuple[Tensor, Parameters]:
        """For each chain, its batch's loss less the same batch's at the start, and the loss's gradient."""
        if len(batches) == 1:
            alone = {name: value[0].detach().requires_grad_() for name, value in at.items()}
            value = self._value(alone, *batches[0])
            slopes = torch.autograd.grad(value, list(alone.values()))
            values = value.detach()[None]
            gradient = {name: slope[None] for name, slope in zip(alone, slopes, strict=True)}
        else:
            batch = batches[0] if self.whole else tuple(map(torch.stack, zip(*batches, strict=True)))
            gradient, values = self._together(at, *batch)
        return values - self._at_start(batches), gradient

    def _together(self, at: Parameters, inputs: Tensor, targets: Tensor) -> tuple[Parameters, Tensor]:
        """Gradients and losses of all chains at once, recorded as plain operations.

        These take less than half the time of what records them: small models spend it on the way to PyTorch.
        """
        arguments = [*at.values(), inputs, targets]
        shapes = tuple(one.shape for one in arguments)
        if shapes not in self._programs:
            # Where all chains see all samples, these are not copied for each.
            shared = None if self.whole else 0
            batched = vmap(grad_and_value(self._value), in_dims=(0, shared, shared), randomness="error")

            def program(*given: Tensor) -> tuple[Parameters, Tensor]:
                slopes, values = batched(dict(zip(at, given, strict=False)), *given[-2:])
                return slopes, values

            self._programs[shapes] = make_fx(program)(*arguments)
        gradient, values = self._programs[shapes](*arguments)
        return gradient, values

    def of_all(self, numbers: Tensor) -> Tensor:
        """The loss of all samples at (parameters,) numbers, to be derived twice."""
        if isinstance(self._data, Stream):
            raise ConfigError("a stream has no loss of all its samples", "use a batch's")
        at = {name: value[0] for name, value in views(numbers[None], self.start).items()}
        return self._value(at, *self._data)

    @torch.no_grad()
    def excess(self, at: Parameters) -> Tensor:
        """For each chain, the loss of all samples less that at the start; of a stream there is none."""
        if isinstance(self._data, Stream):
            raise ConfigError("a stream has no loss of all its samples", "use a batch's")
        chains = len(next(iter(at.values())))
        values = [
            self._value({name: value[c] for name, value in at.items()}, *self._data) for c in range(chains)
        ]
        return torch.stack(values) - self._value(self.start, *self._data)

    @torch.no_grad()
    def _at_start(self, batches: list[Batch]) -> Tensor:
        if self.whole:  # one loss for all, for ever
            if self._start_loss is None:
                self._start_loss = self._value(self.start, *batches[0])
            return self._start_loss
        return torch.stack([self._value(self.start, *batch) for batch in batches])

    def _value(self, parameters: Parameters, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = functional_call(self._model, parameters | self._fixed, (inputs,))
        return self._loss(outputs, targets)


def _checked(data: Batch, batch_size: int | None) -> int:
    """The number of samples."""
    inputs, targets = data
    if not len(inputs) or len(inputs) != len(targets):
        raise DataError(
            f"{len(inputs)} inputs and {len(targets)} targets", "expected as many of each, at least one"
        )
    if batch_size is not None and not 1 <= batch_size <= len(inputs):
        raise ConfigError(f"a batch of {batch_size} samples cannot be", f"expected 1 to {len(inputs)}")
    return len(inputs)
