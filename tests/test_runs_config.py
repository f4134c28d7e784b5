"""Configurations: strict, round-tripping, and every preset valid."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from bnnedge.errors import ConfigError
from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.config import Config
from bnnedge.runs.toml import load_config, override, parse_config, presets, to_toml
from bnnedge.soft.terms import TERMS


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_and_round_trips(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    assert parse_config(to_toml(config), "text") == config


def test_the_declared_presets_are_there() -> None:
    names = "digits-tfc mnist-tfc mnist-tfc-compact mnist-sfc mnist-sfc-compact mnist-lfc"
    names += " fashion-tfc paper-mnist"
    assert set(names.split()) <= presets().keys()


def test_overrides_are_typed_like_the_file() -> None:
    config = override(Config(), ["training.learning_rate=1", "data.resize=10", "net.input=integer"])
    assert config.training.learning_rate == 1.0
    assert isinstance(config.training.learning_rate, float)
    assert config.data.resize == 10
    assert config.net.input == "integer"
    assert dataclasses.replace(config, data=Config().data).data.resize is None


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("training.epoch=3", "no setting training.epoch", "training.epochs"),
        ("epochs=3", "no setting epochs", "known here: name, data, net, training, complexity"),
        ("training.epochs=0", "training.epochs = 0 is not valid", "1 or more"),
        ("training.epochs=2.5", "training.epochs = 2.5 is not valid", "whole number"),
        ("training.epochs=true", "training.epochs = True", "whole number"),
        ("training.epochs.x=1", "no setting", "value, not a section"),
        ("training=3", "training = 3", "a table"),
        ("training.batch_size=1", "batch_size", "2 or more"),
        ("training.schedule=linear", "schedule = 'linear'", "'constant' or 'cosine'"),
        ("training.schedule=step", "training.milestones = ()", "rising numbers of epochs for the step"),
        ("training.milestones=[3]", "training.milestones = (3,)", "and for no other"),
        ("training.warmup_epochs=100", "training.warmup_epochs = 100", "fewer than all epochs"),
        ("training.optimiser=sgd", "optimiser = 'sgd'", "'adam' or 'bop'"),
        ("training.bop_rate=0", "bop_rate = 0.0", "a share above 0"),
        ("training.label_smoothing=1", "label_smoothing = 1.0", "below 1"),
        ("training.temperature=0", "temperature = 0.0", "0 to 100"),
        ("training.shift=-1", "shift = -1", "0 to 64 pixels"),
        ("training.precision=float16", "precision = 'float16'", "'bfloat16'"),
        ("training.teacher=''", "training.teacher = ''", "a checkpoint"),
        ("net.conv=[{pool=2}]", "net.conv[0].channels is missing", "set it"),
        ("complexity.weight=1", "complexity.term is missing", "leave out the whole of complexity"),
        ("complexity.term=none", "complexity.term = 'none'", "'hardware'"),
        ("complexity={term='bdm',weight=-1}", "complexity.weight = -1.0", "0 to 1,000,000"),
        ("complexity={term='bdm',weight=0,target=0.5}", "complexity.weight = 0.0", "there is a target"),
        ("complexity={term='bdm',target=1}", "complexity.target = 1.0", "below 1"),
        ("complexity={term='bdm',start=0.6}", "complexity.start = 0.6", "not after full"),
        ("complexity={term='bdm',full=1.1}", "complexity.full = 1.1", "a share"),
        ("complexity={term='bdm',every=0}", "complexity.every = 0", "1 to 10,000 steps"),
        ("complexity={term='bdm',sample=0}", "complexity.sample = 0.0", "a share above 0"),
        ("net.norm_momentum=0", "norm_momentum = 0.0", "a share above 0"),
        ("training.learning_rate=nan", "learning_rate", "0 to 10"),
        ("net.hidden=64", "net.hidden = 64", "a list"),
        ("net.hidden=[64, 'x']", "net.hidden[1] = 'x'", "whole number"),
        ("net.hidden=[0]", "net.hidden", "1 to 65536"),
        ("net.input_threshold=-1", "input_threshold", "bipolar"),
        ("data.validation=1.0", "data.validation", "between 0 and 1"),
        ("name=../x", "name", "letters"),
        ("training.epochs", "cannot read the setting", "key=value"),
    ],
)
def test_settings_that_cannot_be(setting: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Config(), [setting])
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("mnist-tcf")
    assert caught.value.hint == "did you mean 'mnist-tfc'?"
    with pytest.raises(ConfigError, match="no preset"):
        load_config(tmp_path)
    broken = tmp_path / "config.toml"
    broken.write_text("[training\n")
    with pytest.raises(ConfigError, match="is no TOML"):
        load_config(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(broken)
    broken.write_text("[training]\nepochs = '3'\n")
    with pytest.raises(ConfigError, match=r"config\.toml: training\.epochs = '3' is not valid"):
        load_config(tmp_path)


def test_complexity_is_no_part_of_a_configuration_that_does_not_ask_for_it() -> None:
    assert "complexity" not in to_toml(Config())
    asked = override(Config(), ["complexity.term=bdm", "complexity.target=0.5"])
    assert asked.complexity == ComplexityConfig("bdm", target=0.5)
    assert parse_config(to_toml(asked), "text") == asked


def test_the_terms_that_may_be_named_are_those_that_there_are() -> None:
    assert set(get_args(get_type_hints(ComplexityConfig)["term"])) == set(TERMS)


def test_complexity_needs_limits_of_the_latent_weights() -> None:
    with pytest.raises(ConfigError, match=r"training\.weight_limit = 0\.0"):
        override(Config(), ["complexity.term=bdm", "training.weight_limit=0"])
