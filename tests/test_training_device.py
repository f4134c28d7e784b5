"""Devices: the one asked for, or a clear word."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bnnedge.cli.train import command
from bnnedge.errors import ConfigError
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.device import prepare_device


@pytest.mark.parametrize(
    ("asked", "there", "given"),
    [
        ("cpu", False, "cpu"),
        ("cpu", True, "cpu"),
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_device_asked_for(asked: str, there: bool, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert prepare_device(TrainingConfig(device=asked)).type == given  # type: ignore[arg-type]


def test_no_cuda_device_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        prepare_device(TrainingConfig(device="cuda"))


def test_pytorch_is_set_up() -> None:
    prepare_device(TrainingConfig(threads=1, precision="tf32"))
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cuda.matmul.allow_tf32
    prepare_device(TrainingConfig())
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


def test_the_command_says_so_before_it_leaves_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        command.main(["--out", str(tmp_path / "run"), "--device", "cuda"], standalone_mode=False)
    assert not (tmp_path / "run").exists()
