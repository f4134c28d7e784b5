"""Multilayer perceptrons with every weight and activation 1 bit: TFC, SFC, LFC and any other widths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from brevitas.nn import QuantIdentity, QuantLinear
from torch import Tensor, nn

from bnnedge.errors import ConfigError
from bnnedge.nets.quantisers import BinaryWeight, ClippedBinaryActivation, IdentityBinaryActivation
from bnnedge.packed.model import InputEncoding
from bnnedge.runs.config import NetConfig

__all__ = ["BinaryMlp", "ScalarNorm", "input_encoding"]


class ScalarNorm(nn.BatchNorm1d):
    """Batch normalisation with one scale and one offset for all classes together.

    BNN-PYNQ calls it TensorNorm. With a positive scale it never changes which class is largest, so hardware
    needs an arg-max over integers and nothing else.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, scores: Tensor) -> Tensor:
        """(samples, classes) to the same shape."""
        return super().forward(scores.reshape(-1, 1)).reshape(scores.shape)


class BinaryMlp(nn.Module):
    """Input quantiser; then linear, batch-norm, sign for each hidden layer; then linear and the head.

    Attributes:
        encoding: what the first layer sees of a sample.
        input_dither: largest noise added to inputs in training, in their own unit.
        quantise_input: the input quantiser; none for integer inputs.
        linears: QuantLinear layers without bias, hidden ones first, the output layer last.
        norms: a BatchNorm1d for each hidden layer, then the head.
        activations: a QuantIdentity for each hidden layer.
        dropout: before each linear layer, in training alone.
    """

    def __init__(self, encoding: InputEncoding, classes: int, config: NetConfig) -> None:
        super().__init__()
        activation = (
            ClippedBinaryActivation if config.activation_gradient == "clipped" else IdentityBinaryActivation
        )
        widths = [encoding.features, *config.hidden, classes]
        self.encoding = encoding
        self.input_dither = config.input_dither
        self.quantise_input = QuantIdentity(act_quant=activation) if encoding.kind == "bipolar" else None
        self.linears = nn.ModuleList(
            QuantLinear(inputs, outputs, bias=False, weight_quant=BinaryWeight)
            for inputs, outputs in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in config.hidden)
        self.norms.append(ScalarNorm() if config.head == "scale" else nn.BatchNorm1d(classes))
        self.activations = nn.ModuleList(QuantIdentity(act_quant=activation) for _ in config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        for weight in self.latent_weights():
            if config.initial_weights == "uniform":
                nn.init.uniform_(weight, -1.0, 1.0)
            else:
                nn.init.normal_(weight, 0.0, 0.1)

    def latent_weights(self) -> Iterator[nn.Parameter]:
        """The real-valued weights whose signs are the network's, in model order."""
        for linear in self.linears:
            yield linear.weight  # type: ignore[misc]

    def clip_latent_weights(self, limit: float) -> None:
        """Keep latent weights within ±limit, so that no sign goes out of reach of the gradient."""
        with torch.no_grad():
            for weight in self.latent_weights():
                weight.clamp_(-limit, limit)

    def preactivations(self, samples: Tensor) -> list[Tensor]:
        """Every layer's integer pre-activations, (samples, outputs) each, and the logits last."""
        values = samples.to(torch.get_default_dtype())
        if self.quantise_input is not None:
            if self.training and self.input_dither:
                values = values + self.input_dither * (2 * torch.rand_like(values) - 1)
            # x >= threshold is +1, equality included, since the quantiser maps 0 to +1.
            values = self.quantise_input(values - self.encoding.threshold)
        stages = []
        for position, linear in enumerate(self.linears):
            stages.append(linear(self.dropout(values)))
            values = self.norms[position](stages[-1])
            if position < len(self.activations):
                values = self.activations[position](values)
        return [*stages, values]

    def forward(self, samples: Tensor) -> Tensor:
        """(samples, features) whole numbers as stored, any dtype, to (samples, classes) logits."""
        return self.preactivations(samples)[-1]


def input_encoding(config: NetConfig, features: int, maximum: int) -> InputEncoding:
    """The encoding of ``features`` values 0 … maximum that the configuration asks for.

    The default threshold is the sign of 2x/maximum − 1: 128 of 255, 8 of 16.

    Raises:
        ConfigError: a threshold that no input reaches.
    """
    if config.input == "integer":
        return InputEncoding("integer", features, maximum)
    threshold = -(-maximum // 2) if config.input_threshold is None else config.input_threshold
    if threshold > maximum:
        raise ConfigError(
            f"net.input_threshold = {threshold} is above every input", f"inputs run from 0 to {maximum}"
        )
    return InputEncoding("bipolar", features, maximum, threshold)
