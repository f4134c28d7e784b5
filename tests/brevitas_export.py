"""Networks exported to QONNX by Brevitas itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

BrevitasExport = Callable[..., Path]


class _NoOptimiser:
    """In place of onnxoptimizer, which Brevitas' exporter wants to tidy up with: constants stay nodes."""

    @staticmethod
    def optimize(model: onnx.ModelProto, passes: list[str]) -> onnx.ModelProto:
        assert passes
        return model


def exporter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> BrevitasExport:
    """A function that exports a network for a batch of a shape, one sample unless ``batch`` is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Brevitas, about itself
        from brevitas.export import export_qonnx
        from brevitas.export.onnx import manager
    monkeypatch.setattr(manager, "opt", _NoOptimiser)
    monkeypatch.setattr(manager, "onnx", onnx)

    def exported(net: torch.nn.Module, *shape: int, batch: int = 1) -> Path:
        path = folder / "exported.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch, about its exporter
            export_qonnx(net, torch.zeros(batch, *shape), str(path), dynamo=False, opset_version=13)
        return path

    return exported
