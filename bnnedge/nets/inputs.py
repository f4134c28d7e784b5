"""What a network sees of its samples: whole numbers, or bits by thresholds that are given or learnt."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from brevitas.nn import QuantIdentity
from numpy.typing import NDArray
from torch import Tensor, nn

from bnnedge.nets.geometry import check_threshold
from bnnedge.nets.quantisers import ACTIVATIONS
from bnnedge.nets.signs import sign
from bnnedge.packed.encoding import InputEncoding
from bnnedge.runs.config import NetConfig

__all__ = ["InputLayer", "first_encoding"]


class InputLayer(nn.Module):
    """Samples as stored, to what the first layer multiplies with its weights.

    Attributes:
        dither: largest noise added to samples in training, in their own unit.
        limits: (bits, channels or 1) thresholds that are given; None where there are none or they are learnt.
        levels: the same, learnt, in units of ``spacing``.
        spacing: distance of neighbouring levels over the range of inputs: within one of it the gradient of a
            learnt threshold passes.
    """

    limits: Tensor | None

    def __init__(self, encoding: InputEncoding, config: NetConfig) -> None:
        super().__init__()
        self.gradient = config.activation_gradient
        self._start = encoding
        self.dither = config.input_dither
        self.spacing = encoding.maximum / (encoding.bits + 1)
        self.levels: nn.Parameter | None = None
        given: Tensor | None = None
        self.quantise = None
        if encoding.thresholds is not None:
            self.quantise = QuantIdentity(act_quant=ACTIVATIONS[self.gradient])
            given = torch.from_numpy(encoding.thresholds.astype(np.float32))
            if config.input_levels == "learned":
                self.levels, given = nn.Parameter(given / self.spacing), None
        self.register_buffer("limits", given, persistent=False)

    @property
    def encoding(self) -> InputEncoding:
        """The encoding as it is now: a learnt threshold, between two whole numbers, is the upper one."""
        if self.levels is None:
            return self._start
        limits = self._learnt(self.levels).detach().cpu().ceil().numpy().astype(np.int16)
        return InputEncoding(self._start.shape, self._start.maximum, limits)

    def forward(self, samples: Tensor) -> Tensor:
        """(samples, features) whole numbers, any dtype, to (samples, channels, …) as encoded, by Brevitas."""
        margins = self._margins(samples)
        return margins if self.quantise is None else self.quantise(margins).flatten(1, 2)

    def encode(self, samples: Tensor) -> Tensor:
        """The same, bit for bit, quicker."""
        margins = self._margins(samples)
        return margins if self.quantise is None else sign(margins, self.gradient).flatten(1, 2)

    def _margins(self, samples: Tensor) -> Tensor:
        """Inputs less each threshold, (samples, bits, channels, …); or the inputs, where none is."""
        values = samples.to(torch.get_default_dtype()).reshape(len(samples), *self._start.shape)
        if self.quantise is None:
            return values
        if self.training and self.dither:
            values = values + self.dither * (2 * torch.rand_like(values) - 1)
        # x >= limit is +1, equality included, since the sign of 0 is +1. A subtraction of floats has
        # the right sign always, and a division by a positive number keeps it.
        if self.levels is not None:
            return (values[:, None] - self._over_pixels(self._learnt(self.levels))) / self.spacing
        return values[:, None] - self._over_pixels(cast("Tensor", self.limits))

    def _learnt(self, levels: Tensor) -> Tensor:
        return (levels * self.spacing).clamp(0, self._start.maximum)

    def _over_pixels(self, limits: Tensor) -> Tensor:
        """(bits, channels) to (1, bits, channels, 1, 1) of an image."""
        return limits.reshape(1, *limits.shape, *(1,) * (len(self._start.shape) - 1))


def first_encoding(
    config: NetConfig, shape: tuple[int, ...], maximum: int, samples: NDArray[np.uint8]
) -> InputEncoding:
    """The encoding that a training starts from.

    Uniform levels of a thermometer split 0 … maximum evenly; one level is 128 of 255, 8 of 16. Quantiles
    split the samples evenly, channel by channel. Learnt levels start as uniform ones of each channel.

    Args:
        config: what is asked for.
        shape: (channels, height, width), or (features,).
        maximum: largest value of a feature.
        samples: (samples, features) of the training split.

    Raises:
        ConfigError: a threshold that no input reaches.
    """
    if config.input == "integer":
        return InputEncoding.integer(shape, maximum)
    check_threshold(config, maximum)
    if config.input == "bipolar" and config.input_threshold is not None:
        return InputEncoding.bipolar(shape, maximum, config.input_threshold)
    bits = config.input_bits
    shares = np.arange(1, bits + 1)[:, None] / (bits + 1)
    if config.input_levels == "quantile":
        of_channels = samples.reshape(len(samples), shape[0], -1)
        levels = np.quantile(of_channels, shares[:, 0], axis=(0, 2), method="higher")
        return InputEncoding.thermometer(shape, maximum, levels)
    uniform = np.ceil(maximum * shares)
    channels = shape[0] if config.input_levels == "learned" else 1
    return InputEncoding.thermometer(shape, maximum, np.repeat(uniform, channels, axis=1))
