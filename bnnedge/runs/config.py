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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bnnedge.errors import ConfigError
from bnnedge.share import share

__all__ = [
    "Config",
    "DataConfig",
    "NetConfig",
    "TrainingConfig",
    "load_config",
    "override",
    "parse_config",
    "parse_data_config",
    "presets",
    "to_table",
    "to_toml",
]

T = TypeVar("T")


@dataclass(frozen=True)
class DataConfig:
    """``[data]``: which samples, and how they are split.

    Attributes:
        name: ``digits`` (embedded), ``mnist``, ``fashion-mnist``, or ``idx`` for your own IDX files.
        resize: side in pixels that images are resized to; absent: as stored.
        validation: share of the training part held out, stratified, for every decision made in training.
        split_seed: seed of that split.
    """

    name: str = "digits"
    resize: int | None = None
    validation: float = 0.1
    split_seed: int = 0

    def __post_init__(self) -> None:
        _require(0 < self.validation < 1, "data.validation", self.validation, "a share between 0 and 1")
        _require(self.resize is None or 1 <= self.resize <= 1024, "data.resize", self.resize, "1 to 1024")
        _require(self.split_seed >= 0, "data.split_seed", self.split_seed, "0 or more")


@dataclass(frozen=True)
class NetConfig:
    """``[net]``: a multilayer perceptron, weights and activations 1 bit from the first layer to the last.

    Attributes:
        hidden: widths of the hidden layers.
        input: ``bipolar``, one bit a feature, or ``integer``, whole numbers into 1-bit weights.
        input_threshold: for ``bipolar``: a feature is +1 when it is at least this; absent: half the range.
        head: ``scale``: one scale and offset for all classes (an arg-max over integers in hardware);
            ``batchnorm``: one for each class.
        initial_weights: ``uniform`` over (−1, 1), as BNN-PYNQ, or ``normal`` with sd 0.1.
        activation_gradient: straight-through estimator of the activations: ``clipped`` to |x| <= 1, or
            ``identity``.
        input_dither: for ``bipolar``: in training, uniform noise up to ± this much is added to the inputs
            before they are quantised, so that training sees the grey levels that one threshold hides.
        dropout: share of inputs and of hidden activations left out at random in training, as BNN-PYNQ.
    """

    hidden: tuple[int, ...] = (64, 64, 64)
    input: Literal["bipolar", "integer"] = "bipolar"
    input_threshold: int | None = None
    head: Literal["scale", "batchnorm"] = "scale"
    initial_weights: Literal["uniform", "normal"] = "uniform"
    activation_gradient: Literal["clipped", "identity"] = "clipped"
    input_dither: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _require(
            self.input_dither == 0 or (self.input == "bipolar" and 0 < self.input_dither <= 255),
            "net.input_dither",
            self.input_dither,
            "0 to 255, and only for bipolar inputs",
        )
        _require(0 <= self.dropout < 1, "net.dropout", self.dropout, "a share from 0 to below 1")
        _require(all(1 <= width <= 65536 for width in self.hidden), "net.hidden", self.hidden, "1 to 65536")
        _require(
            self.input_threshold is None or (self.input == "bipolar" and self.input_threshold >= 0),
            "net.input_threshold",
            self.input_threshold,
            "a value of the inputs, and only for bipolar ones",
        )


@dataclass(frozen=True)
class TrainingConfig:
    """``[training]``: Adam on latent weights, cross-entropy, best epoch by validation accuracy.

    Attributes:
        epochs: passes over the training split, at most.
        batch_size: samples a step; a smaller last batch is left out of its epoch.
        learning_rate: of Adam; the peak where there is a schedule.
        schedule: ``constant``, or ``cosine`` down to 0 over all epochs.
        weight_limit: latent weights are clipped to ± this after each step; 0: never.
        patience: stop after this many epochs without a smaller validation loss; 0: never.
        seed: of the initial weights and of the order of samples.
        threads: CPU threads of PyTorch; nets of this size run fastest on one.
        checkpoint_every: epochs between checkpoints; the first, the best and the last are always kept.
    """

    epochs: int = 100
    batch_size: int = 100
    learning_rate: float = 0.02
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_limit: float = 1.0
    patience: int = 0
    seed: int = 0
    threads: int = 1
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "threads", "checkpoint_every"):
            _require(getattr(self, name) >= 1, f"training.{name}", getattr(self, name), "1 or more")
        for name in ("patience", "seed", "weight_limit"):
            _require(getattr(self, name) >= 0, f"training.{name}", getattr(self, name), "0 or more")
        _require(self.seed < 2**32, "training.seed", self.seed, "less than 2^32")
        _require(self.batch_size >= 2, "training.batch_size", self.batch_size, "2 or more (batch-norm)")
        _require(0 < self.learning_rate <= 10, "training.learning_rate", self.learning_rate, "0 to 10")


@dataclass(frozen=True)
class Config:
    """A whole training: what ``config.toml`` in a preset or a run directory says.

    Attributes:
        name: of the preset; names the run directory.
    """

    name: str = "custom"
    data: DataConfig = field(default_factory=DataConfig)
    net: NetConfig = field(default_factory=NetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        fit = self.name and all(c.isascii() and (c.isalnum() or c in "-_") for c in self.name)
        _require(bool(fit), "name", self.name, "letters, digits, '-' and '_'")


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
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{origin} is no TOML: {error}") from error
    try:
        return _build(Config, table, "")
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", error.hint) from error


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
    table = to_table(config)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"cannot read the setting {setting!r}", "write --set key=value")
        *sections, last = key.strip().split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"no setting {key!r}", f"{section!r} is a value, not a section")
        inner[last] = _value(text.strip())
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
    except tomllib.TOMLDecodeError:
        return text


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in table.items()
        if value is not None
    }


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
    return kind(**{key: _convert(hints[key], value, path + key) for key, value in table.items()})


def _convert(kind: Any, value: Any, path: str) -> Any:
    """The value as the type hint ``kind`` wants it: int where float is wanted, list where tuple is."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, dict):
            return _build(kind, value, f"{path}.")
        raise _wrong(path, value, "a table")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _convert(arguments[0], value, path)  # X | None: TOML has no null, absent is None
    if origin is Literal:
        if value in arguments:
            return value
        raise _wrong(path, value, " or ".join(repr(choice) for choice in arguments))
    if origin is tuple:
        if isinstance(value, list):
            return tuple(_convert(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
        raise _wrong(path, value, "a list")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise _wrong(path, value, {int: "a whole number", float: "a number", str: "text"}.get(kind, str(kind)))


def _wrong(path: str, value: object, wanted: str) -> ConfigError:
    return ConfigError(f"{path} = {value!r} is not valid", f"expected {wanted}")


def _require(condition: bool, path: str, value: object, wanted: str) -> None:
    if not condition:
        raise _wrong(path, value, wanted)
