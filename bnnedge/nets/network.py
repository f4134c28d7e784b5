"""Networks with every weight and activation 1 bit: TFC, SFC, LFC, CNV and any other stack of their layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import cast

import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from torch import Tensor, nn
from torch.nn import functional

from bnnedge.nets.banks import PatternBank
from bnnedge.nets.geometry import check_banks, convolutions_of, layer_names
from bnnedge.nets.inputs import InputLayer
from bnnedge.nets.quantisers import ACTIVATIONS, BinaryWeight, banked_weight
from bnnedge.nets.signs import sign
from bnnedge.packed.encoding import InputEncoding
from bnnedge.runs.config import NetConfig

__all__ = ["BinaryNetwork", "ScalarNorm"]

# Optimiser steps from one step of k-means in the banks to the next.
SETTLING = 10


class ScalarNorm(nn.BatchNorm1d):
    """Batch normalisation with one scale and one offset for all classes together.

    BNN-PYNQ calls it TensorNorm. With a positive scale it never changes which class is largest, so hardware
    needs an arg-max over integers and nothing else.
    """

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__(1, momentum=momentum)

    def forward(self, scores: Tensor) -> Tensor:
        """(samples, classes) to the same shape."""
        return super().forward(scores.reshape(-1, 1)).reshape(scores.shape)


class BinaryNetwork(nn.Module):
    """Input layer; then linear, batch-norm, sign for each hidden layer; then linear and the head.

    Convolutions come first: padding with −1, linear, batch-norm, sign, max-pooling.

    Attributes:
        inputs: the input layer.
        convolutions: how each convolution slides.
        linears: QuantConv2d, then QuantLinear layers, without bias, the output layer last.
        norms: a batch-norm for each hidden layer, then the head.
        activations: a QuantIdentity for each hidden layer.
        banks: of the first linear layers, whose weight bits are patterns out of them.
        layout: memory format of images in training. With ``torch.channels_last`` a step on a CPU takes a
            fifth less time, and gradients are added up in another order.
        precision: in which :meth:`forward` multiplies bits in training; in evaluation it is float32.
        widest: values a sample that the widest layer takes or gives.
        dropout: before each linear layer, in training alone; of convolutions whole channels.
    """

    def __init__(self, encoding: InputEncoding, classes: int, config: NetConfig) -> None:
        super().__init__()
        self.gradient = config.activation_gradient
        self.inputs = InputLayer(encoding, config)
        self.convolutions = convolutions_of(config, encoding.encoded_shape)
        self.linears = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.banks = nn.ModuleList()
        shape: tuple[int, ...] = encoding.encoded_shape
        self.widest = max(math.prod(shape), *config.hidden, classes)
        for convolution, asked in zip(self.convolutions, config.conv, strict=True):
            self.linears.append(
                QuantConv2d(
                    shape[0], asked.channels, asked.kernel, stride=asked.stride, bias=False,
                    weight_quant=BinaryWeight,
                )
            )  # fmt: skip
            self.norms.append(nn.BatchNorm2d(asked.channels, momentum=config.norm_momentum))
            self.widest = max(self.widest, asked.channels * math.prod(convolution.positions))
            shape = (asked.channels, *convolution.pooled)
        inputs = math.prod(shape)
        check_banks(config, inputs, classes)
        for position, outputs in enumerate((*config.hidden, classes)):
            quantiser: type = BinaryWeight
            if config.banks and position < len(config.banks):
                bank = PatternBank(inputs, config.banks[position])
                self.banks.append(bank)
                quantiser = banked_weight(bank.signs)
            self.linears.append(QuantLinear(inputs, outputs, bias=False, weight_quant=quantiser))
            self.norms.append(nn.BatchNorm1d(outputs, momentum=config.norm_momentum))
            inputs = outputs
        if config.head == "scale":
            self.norms[-1] = ScalarNorm(config.norm_momentum)
        self.activations = nn.ModuleList(
            QuantIdentity(act_quant=ACTIVATIONS[self.gradient]) for _ in self.norms[:-1]
        )
        self.dropout = config.dropout
        self.layout = torch.contiguous_format
        self.precision = torch.get_default_dtype()
        for weight in self.latent_weights():
            if config.initial_weights == "uniform":
                nn.init.uniform_(weight, -1.0, 1.0)
            else:
                nn.init.normal_(weight, 0.0, 0.1)
        for position, weight in zip(range(len(self.banks)), self.latent_weights(), strict=False):
            self._bank(position).begin(weight)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the linear layers: conv1, conv2, fc3."""
        return layer_names(len(self.convolutions), len(self.linears))

    def latent_weights(self) -> Iterator[nn.Parameter]:
        """The real-valued weights whose signs are the network's, in model order."""
        for linear in self.linears:
            yield cast("nn.Parameter", linear.weight)

    def clip_latent_weights(self, limit: float) -> None:
        """Keep latent weights within ±limit, so that no sign goes out of reach of the gradient."""
        with torch.no_grad():
            for weight in self.latent_weights():
                weight.clamp_(-limit, limit)

    def settle_banks(self, step: int) -> None:
        """Let patterns follow the latent weights, at every few optimiser steps, counted from 0."""
        if step % SETTLING == 0:
            for position, weight in zip(range(len(self.banks)), self.latent_weights(), strict=False):
                self._bank(position).settle(weight)

    def preactivations(self, samples: Tensor) -> list[Tensor]:
        """Every layer's integer pre-activations, (samples, outputs, …) each, and the logits last.

        Computed by the Brevitas modules, which define the network; :meth:`forward` is the same, quicker.
        """
        return self._through(
            self.inputs(samples),
            lambda position, values: self.linears[position](values),
            lambda position, values: self.activations[position](values),
        )

    def forward(self, samples: Tensor) -> Tensor:
        """(samples, features) whole numbers as stored, any dtype, to (samples, classes) logits.

        Bit for bit what the Brevitas modules compute from the same parameters, and so are the gradients,
        unless ``layout`` or ``precision`` is changed.
        """
        return self._through(
            self.inputs.encode(samples), self._product, lambda _, values: sign(values, self.gradient)
        )[-1]

    def _through(
        self,
        values: Tensor,
        product: Callable[[int, Tensor], Tensor],
        activation: Callable[[int, Tensor], Tensor],
    ) -> list[Tensor]:
        """All pre-activations and the logits from encoded inputs, layer by layer."""
        if self.training and self.convolutions:
            values = values.contiguous(memory_format=self.layout)
        stages = []
        for position, norm in enumerate(self.norms):
            entering = self._entering(position, values)
            if self.training and position < len(self.banks):
                self._bank(position).observe(entering)
            stages.append(product(position, entering))
            values = norm(stages[-1])
            if position < len(self.activations):
                values = activation(position, values)
            if position < len(self.convolutions) and self.convolutions[position].pool > 1:
                values = functional.max_pool2d(values, self.convolutions[position].pool)
        return [*stages, values]

    def _product(self, position: int, values: Tensor) -> Tensor:
        """What a Brevitas linear layer computes, without its proxies."""
        latent = cast("Tensor", self.linears[position].weight)
        banked = position < len(self.banks)
        weights = self._bank(position).signs(latent) if banked else sign(latent, "identity")
        if self.training and position and self.precision != values.dtype:
            values, weights = values.to(self.precision), weights.to(self.precision)
        if position < len(self.convolutions):
            sums = functional.conv2d(values, weights, stride=self.convolutions[position].stride)
        else:
            sums = functional.linear(values, weights)
        return sums.to(torch.get_default_dtype())

    def _bank(self, position: int) -> PatternBank:
        return cast("PatternBank", self.banks[position])

    def _entering(self, position: int, values: Tensor) -> Tensor:
        """What a linear layer multiplies: padded for a convolution, flat for a dense layer."""
        if position >= len(self.convolutions):
            return functional.dropout(values.flatten(1), self.dropout, self.training)
        values = functional.dropout2d(values, self.dropout, self.training)
        padding = self.convolutions[position].padding
        return functional.pad(values, (padding,) * 4, value=-1.0) if padding else values
