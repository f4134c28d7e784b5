"""Configurations: TOML into frozen dataclasses, strictly, and back.

A key that is unknown, of the wrong type or out of range is a ConfigError that names it; nothing is
converted silently and nothing is ignored.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bnnedge.errors import ConfigError
from bnnedge.runs.banks import BankConfig
from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.training import TrainingConfig
from bnnedge.runs.valid import require, wrong
from bnnedge.share import share

__all__ = [
    "BankConfig",
    "ComplexityConfig",
    "Config",
    "ConvConfig",
    "DataConfig",
    "NetConfig",
    "TrainingConfig",
    "change",
    "load_config",
    "override",
    "parse_config",
    "parse_data_config",
    "parse_toml",
    "presets",
    "to_table",
    "to_toml",
]

T = TypeVar("T")

_LONGEST = 1 << 20  # characters of a configuration or a study
_MOST_DOTS = 4000


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


def presets() -> dict[str, Path]:
    """The presets by name: folders of ``models/`` with a config.toml."""
    return {path.parent.name: path for path in sorted(share("models").glob("*/config.toml"))}


def load_config(source: str | Path) -> Config:
    """Read a configuration: a preset's name, a TOML file, or a folder with a config.toml.

    Raises:
        ConfigError: no such preset or file, no TOML, or settings that cannot be.
    """
    path = presets().get(str(source), Path(source))
    if path.is_dir():
        path = path / "config.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        near = difflib.get_close_matches(str(source), presets(), n=1)
        raise ConfigError(
            f"no preset and no file {str(source)!r}",
            f"did you mean {near[0]!r}?" if near else f"the presets are: {', '.join(presets())}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return parse_config(text, str(path))


def parse_config(text: str, origin: str) -> Config:
    """A configuration from TOML text; ``origin`` names it in errors.

    Raises:
        ConfigError: no TOML, or settings that cannot be.
    """
    table = parse_toml(text, origin)
    try:
        return _build(Config, table, "")
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", error.hint) from error


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """TOML text that a person may have written; ``origin`` names it in errors.

    Raises:
        ConfigError: no TOML, or with more dots than that: of a key of n parts Python's reader keeps all n²/2
            beginnings, a gigabyte of 40 KB.
    """
    if text.count(".") > _MOST_DOTS or len(text) > _LONGEST:
        raise ConfigError(
            f"{origin} has more than {_LONGEST:,} characters, or {_MOST_DOTS:,} dots among them"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ConfigError(f"{origin} is no TOML: {error}") from error


def parse_data_config(table: dict[str, Any]) -> DataConfig:
    """The ``[data]`` table of a checkpoint's provenance, checked like a configuration's.

    Raises:
        ConfigError: settings that cannot be.
    """
    return _build(DataConfig, table, "data.")


def override(config: Config, settings: typing.Iterable[str]) -> Config:
    """The configuration with ``key=value`` settings applied, values in TOML (bare words count as strings).

    Raises:
        ConfigError: a setting without ``=``, an unknown key, or a value that cannot be.

    >>> override(Config(), ["training.epochs=3", "net.hidden=[16, 8]", "data.name=mnist"]).net.hidden
    (16, 8)
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"cannot read the setting {setting!r}", "write --set key=value")
        values[key.strip()] = _value(text.strip())
    return change(config, values)


def change(config: Config, values: Mapping[str, object]) -> Config:
    """The configuration with other values, as TOML has them, under dotted keys.

    Raises:
        ConfigError: an unknown key, or a value that cannot be.

    >>> change(Config(), {"net.hidden": [16, 8]}).net.hidden
    (16, 8)
    """
    table = to_table(config)
    for key, value in values.items():
        *sections, last = key.split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"no setting {key!r}", f"{section!r} is a value, not a section")
        inner[last] = value
    return _build(Config, table, "")


def to_table(config: Config) -> dict[str, Any]:
    """Plain dictionaries, absent values left out: what TOML and JSON can hold."""
    return _without_none(dataclasses.asdict(config))


def to_toml(config: Config) -> str:
    """TOML text that :func:`parse_config` reads back to an equal configuration."""
    import tomli_w

    return tomli_w.dumps(to_table(config))


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in table.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return _without_none(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _build(kind: type[T], table: dict[str, Any], path: str) -> T:
    """An instance of the dataclass ``kind`` from a table, every key and type checked."""
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            raise ConfigError(
                f"no setting {path}{key}",
                f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(hints)}",
            )
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        if each.name not in table and each.default is each.default_factory is dataclasses.MISSING:
            raise ConfigError(
                f"{path}{each.name} is missing", f"set it, or leave out the whole of {path[:-1]}"
            )
    return kind(**{key: _convert(hints[key], value, path + key) for key, value in table.items()})


def _convert(kind: Any, value: Any, path: str) -> Any:
    """The value as the type hint ``kind`` wants it: int where float is wanted, list where tuple is."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, dict):
            return _build(kind, value, f"{path}.")
        raise wrong(path, value, "a table")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _convert(arguments[0], value, path)  # X | None: TOML has no null, absent is None
    if origin is Literal:
        if value in arguments:
            return value
        raise wrong(path, value, " or ".join(repr(choice) for choice in arguments))
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_convert(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
        raise wrong(path, value, "a list")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise wrong(path, value, {int: "a whole number", float: "a number", str: "text"}.get(kind, str(kind)))
