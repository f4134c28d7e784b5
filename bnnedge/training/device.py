"""Where tensors live, and that the same work there gives the same bits again."""

from __future__ import annotations

import os

import torch

from bnnedge.errors import ConfigError
from bnnedge.runs.training import TrainingConfig

__all__ = ["prepare_device"]


def prepare_device(settings: TrainingConfig) -> torch.device:
    """The device that a training asks for, with PyTorch set up: threads, precision, determinism.

    Raises:
        ConfigError: there is no CUDA device.
    """
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise ConfigError(
            "training.device = 'cuda', but PyTorch finds no CUDA device",
            "take --device cpu or auto, or install a PyTorch with CUDA on a machine with a GPU",
        )
    # cuBLAS reads it when it starts, and is deterministic only with one of its two values.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True)
    # Filling tensors that are about to be written anyway would take a tenth of a small network's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = settings.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = settings.precision == "tf32"
    return torch.device("cuda" if there and settings.device != "cpu" else "cpu")
