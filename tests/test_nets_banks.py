"""Weights out of banks: of few patterns, the nearest ones, and trained like any others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError
from bnnedge.nets.banks import PatternBank
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.packed.file import load_packed
from bnnedge.runs.banks import BankConfig
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override, parse_config, to_toml
from bnnedge.training.loop import train

SETTINGS = [BankConfig(4, 8), BankConfig(3, 4, complement=False), BankConfig(1, 16)]
BANKS = "net.banks=[{patterns = 4, width = 8}, {patterns = 2, width = 4, complement = false}]"
SMALL = ("net.hidden=[24, 16]", "training.epochs=3")


def bank_and_latent(settings: BankConfig) -> tuple[PatternBank, torch.Tensor]:
    torch.manual_seed(5)
    latent = torch.rand(20, 32) * 2 - 1
    bank = PatternBank(32, settings)
    bank.begin(latent)
    bank.observe(torch.where(torch.rand(50, 32) < torch.linspace(0, 1, 32), 1.0, -1.0))
    return bank, latent


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_signs_are_the_nearest_patterns(settings: BankConfig) -> None:
    bank, latent = bank_and_latent(settings)
    bank.settle(latent)
    signs, width = bank.signs(latent), settings.width
    deviations = (1 - bank.means.square()).sqrt().clamp(min=1e-3)
    for group, patterns in enumerate(bank.patterns):
        here = slice(group * width, (group + 1) * width)
        allowed = torch.cat((patterns, -patterns)) if settings.complement else patterns
        scores = (latent * deviations)[:, here] @ allowed.T
        own = ((latent * deviations)[:, here] * signs[:, here]).sum(1)
        assert torch.allclose(own, scores.max(1).values)
        assert all(any(torch.equal(row, one) for one in allowed) for row in signs[:, here])


def test_the_gradient_passes_as_it_is() -> None:
    bank, latent = bank_and_latent(SETTINGS[0])
    latent.requires_grad_()
    upstream = torch.rand(20, 32)
    bank.signs(latent).backward(upstream)  # type: ignore[no-untyped-call]
    assert latent.grad is not None
    assert torch.equal(latent.grad, upstream)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_settling_brings_patterns_nearer(settings: BankConfig) -> None:
    bank, latent = bank_and_latent(settings)
    deviations = (1 - bank.means.square()).sqrt().clamp(min=1e-3)

    def fit() -> float:
        return float((latent * deviations * bank.signs(latent)).sum())

    fits = [fit()]
    for _ in range(6):
        bank.settle(latent)
        fits.append(fit())
    assert fits[-1] > fits[0]
    assert set(bank.patterns.flatten().tolist()) == {-1.0, 1.0}


def test_a_pattern_that_nobody_takes_is_replaced() -> None:
    bank, latent = bank_and_latent(BankConfig(2, 32, complement=False))
    rows = torch.where(torch.arange(20) % 2 == 0, 1.0, -1.0)[:, None] * latent[:1].sign()
    bank.patterns.copy_(latent[0].sign())  # both patterns the same: ties go to the first
    bank.settle(rows)
    bank.settle(rows)
    assert torch.equal(bank.signs(rows), rows)


def test_more_banks_than_layers_or_of_other_widths_are_refused() -> None:
    config = load_config("digits-tfc")
    for banks, what in (
        ("[{patterns = 4, width = 5}]", "do not fit"),
        ("[{patterns = 65, width = 8}]", "do not fit"),
        ("[{patterns = 0, width = 8}]", "patterns"),
        ("[{patterns = 4}]", "width is missing"),
        ("[" + ", ".join(["{patterns = 2, width = 2}"] * 9) + "]", "net.banks"),
    ):
        with pytest.raises(ConfigError, match=what):
            geometry_of_config(override(config, [f"net.banks={banks}"]).net, (1, 8, 8), 16, 10)
    for setting in ("net.input=thermometer", "training.optimiser=bop", "training.track=steps"):
        with pytest.raises(ConfigError, match=r"net\.banks"):
            override(config, [BANKS, setting])


def test_a_configuration_with_banks_is_read_back() -> None:
    config = override(load_config("digits-tfc"), [BANKS])
    assert parse_config(to_toml(config), "text") == config
    assert "banks" not in to_toml(load_config("digits-tfc"))


class Killed(BaseException):
    """As abrupt as a kill can be inside one process."""


def checkpoints(run: RunDirectory) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in run.path.rglob("*.safetensors")
    }


def configured() -> Config:
    return override(load_config("digits-tfc"), [*SMALL, BANKS])


def test_a_resumed_training_ends_in_the_same_bits_and_in_few_patterns(tmp_path: Path) -> None:
    data, config = load_dataset("digits"), configured()

    def kill(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise Killed

    whole, killed = (RunDirectory.create(tmp_path / name, config) for name in ("whole", "killed"))
    train(config, data, whole, lambda _: None)
    with pytest.raises(Killed):
        train(config, data, killed, kill)
    train(config, data, killed, lambda _: None)
    assert checkpoints(whole) == checkpoints(killed)
    first, second, last = load_packed(whole.best_checkpoint()).layers
    assert last.weights.bits == 160
    for layer, width, patterns, complement in ((first, 8, 4, True), (second, 4, 2, False)):
        bits = layer.weights.to_bits().reshape(layer.outputs, -1, width)
        for group in range(bits.shape[1]):
            rows = bits[:, group] ^ (bits[:, group, :1] & complement)
            assert len(np.unique(rows, axis=0)) <= patterns
