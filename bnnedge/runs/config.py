"""Configurations: the settings of a training, as frozen dataclasses that hold none that cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bnnedge.runs.banks import BankConfig
from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.training import TrainingConfig
from bnnedge.runs.valid import require

__all__ = ["Config", "ConvConfig", "DataConfig", "NetConfig"]


@dataclass(frozen=True)
class DataConfig:
    """``[data]``: which samples, and how they are split.

    Attributes:
        name: ``digits`` (embedded), ``mnist``, ``fashion-mnist``, ``cifar-10``, ``dna``, ``ecg5000`` or
            ``magic``; or ``idx``, ``npz`` or ``csv`` for files of your own.
        path: where your own file, or your own copy of a set, is, as seen from where bnnedge is run; absent:
            the cache of ``bnnedge data fetch``.
        label: for ``csv``: the column of the label.
        shape: for ``npz`` and ``csv`` that have their samples flat: (channels, height, width) of the images;
            absent: as stored.
        resize: side in pixels that images are resized to; absent: as stored.
        validation: share of the training part held out, stratified, for every decision made in training.
        split_seed: seed of that split.
    """

    name: str = "digits"
    path: str | None = None
    label: Literal["first", "last"] = "last"
    shape: tuple[int, ...] | None = None
    resize: int | None = None
    validation: float = 0.1
    split_seed: int = 0

    def __post_init__(self) -> None:
        require(0 < self.validation < 1, "data.validation", self.validation, "a share between 0 and 1")
        require(self.path != "", "data.path", self.path, "a file or folder")
        require(
            self.shape is None or (len(self.shape) in (1, 3) and min(self.shape) >= 1),
            "data.shape",
            self.shape,
            "[channels, height, width] or [features]",
        )
        require(self.resize is None or 1 <= self.resize <= 1024, "data.resize", self.resize, "1 to 1024")
        require(self.split_seed >= 0, "data.split_seed", self.split_seed, "0 or more")


@dataclass(frozen=True)
class ConvConfig:
    """``[[net.conv]]``: a convolution, its batch-norm, sign and pooling.

    Attributes:
        channels: number of filters.
        kernel: side of a filter, in pixels.
        stride: pixels from one place of a filter to the next.
        padding: pixels of −1 around the image, on every side.
        pool: side of the max-pooling windows after the sign; 1: none.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (
            ("channels", 1, 65536),
            ("kernel", 1, 64),
            ("stride", 1, 64),
            ("padding", 0, 63),
            ("pool", 1, 64),
        ):
            value = getattr(self, name)
            require(least <= value <= most, f"net.conv.{name}", value, f"{least} to {most}")


@dataclass(frozen=True)
class NetConfig:
    """``[net]``: convolutions, then dense layers; weights and activations 1 bit from the first to the last.

    Attributes:
        conv: convolutions; none: a multilayer perceptron.
        hidden: widths of the hidden dense layers.
        input: ``bipolar``, one bit a feature, ``thermometer``, several, or ``integer``, whole numbers into
            1-bit weights.
        input_threshold: for ``bipolar``: a feature is +1 when it is at least this; absent: half the range.
        input_bits: for ``thermometer``: bits a feature.
        input_levels: where thresholds lie: ``uniform`` over the range, at ``quantile`` of the training
            samples, by channel, or ``learned``, by channel.
        head: ``scale``: one scale and offset for all classes (an arg-max over integers in hardware);
            ``batchnorm``: one for each class.
        initial_weights: ``uniform`` over (−1, 1), as BNN-PYNQ, or ``normal`` with sd 0.1.
        activation_gradient: straight-through estimator of the activations: ``clipped`` to |x| <= 1,
            ``identity``, or ``polynomial``, 2 − 2|x| within 1 (Bi-Real Net).
        norm_momentum: share of a batch in the running statistics of batch-norm.
        input_dither: for ``bipolar``: in training, uniform noise up to ± this much is added to the inputs
            before they are quantised, so that training sees the grey levels that one threshold hides.
        dropout: share of inputs and of hidden activations left out at random in training, as BNN-PYNQ.
        banks: of the first layers, whose weights are made of few patterns (:mod:`bnnedge.nets.banks`);
            absent: all weights are free.
    """

    conv: tuple[ConvConfig, ...] = ()
    hidden: tuple[int, ...] = (64, 64, 64)
    input: Literal["bipolar", "thermometer", "integer"] = "bipolar"
    input_threshold: int | None = None
    input_bits: int = 1
    input_levels: Literal["uniform", "quantile", "learned"] = "uniform"
    head: Literal["scale", "batchnorm"] = "scale"
    initial_weights: Literal["uniform", "normal"] = "uniform"
    activation_gradient: Literal["clipped", "identity", "polynomial"] = "clipped"
    norm_momentum: float = 0.1
    input_dither: float = 0.0
    dropout: float = 0.0
    banks: tuple[BankConfig, ...] | None = None

    def __post_init__(self) -> None:
        require(
            self.input_dither == 0 or (self.input != "integer" and 0 < self.input_dither <= 255),
            "net.input_dither",
            self.input_dither,
            "0 to 255, and only for inputs in bits",
        )
        several = self.input == "thermometer"
        require(
            1 <= self.input_bits <= 255 and (several or self.input_bits == 1),
            "net.input_bits",
            self.input_bits,
            "1 to 255, and more than 1 only for thermometer inputs",
        )
        given = self.input == "integer" or self.input_threshold is not None
        require(
            self.input_levels == "uniform" or not given,
            "net.input_levels",
            self.input_levels,
            "uniform, where inputs are whole numbers or the threshold is given",
        )
        require(0 < self.norm_momentum <= 1, "net.norm_momentum", self.norm_momentum, "a share above 0")
        require(0 <= self.dropout < 1, "net.dropout", self.dropout, "a share from 0 to below 1")
        require(all(1 <= width <= 65536 for width in self.hidden), "net.hidden", self.hidden, "1 to 65536")
        require(
            self.input_threshold is None or (self.input == "bipolar" and self.input_threshold >= 0),
            "net.input_threshold",
            self.input_threshold,
            "a value of the inputs, and only for bipolar ones",
        )
        fit = self.input == "bipolar" and not self.conv and len(self.banks or ()) <= len(self.hidden) + 1
        require(
            not self.banks or fit,
            "net.banks",
            self.banks,
            f"one for each layer at most, which are {len(self.hidden) + 1}, all dense, of bipolar inputs",
        )


@dataclass(frozen=True)
class Config:
    """A whole training: what ``config.toml`` in a preset or a run directory says.

    Attributes:
        name: of the preset; names the run directory.
        complexity: absent: the loss is the task's alone.
    """

    name: str = "custom"
    data: DataConfig = field(default_factory=DataConfig)
    net: NetConfig = field(default_factory=NetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    complexity: ComplexityConfig | None = None

    def __post_init__(self) -> None:
        require(
            self.complexity is None or self.training.weight_limit > 0,
            "training.weight_limit",
            self.training.weight_limit,
            "above 0 with [complexity], which takes P(weight bit = +1) from where a weight is in its limits",
        )
        alone = self.complexity is None and self.training.optimiser == "adam"
        require(
            not self.net.banks or (alone and self.training.track == "epoch"),
            "net.banks",
            self.net.banks,
            "no banks with [complexity], Bop or tracked steps, which look at latent weights alone",
        )
        fit = self.name and all(c.isascii() and (c.isalnum() or c in "-_") for c in self.name)
        require(bool(fit), "name", self.name, "letters, digits, '-' and '_'")
