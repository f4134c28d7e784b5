"""Everything a resumed training needs, in one file: parameters, optimisers, and where it stood."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.files import write_atomically

__all__ = ["Standing", "load_state", "read_state", "save_state"]

SCHEMA = 4


@dataclass(frozen=True)
class Pressure:
    """How much a training pays for complex weight bits.

    Attributes:
        initial: complexity of the first weight bits, in the term's unit.
        level: what the controller of a target has added up.
        weight: of the term, before its schedule.
    """

    initial: float
    level: float
    weight: float


@dataclass(frozen=True)
class Standing:
    """How far a training has come, and what it has found.

    Attributes:
        epoch: epochs finished.
        step: optimiser steps done.
        best_epoch: the epoch that the best checkpoint is of.
        best_step: the step of that checkpoint.
        best_accuracy: its validation accuracy, 0 to 1.
        best_loss: its validation loss, which decides between equal accuracies.
        lowest_loss: the smallest validation loss so far, for patience.
        stale_epochs: epochs since then.
        best_lack: by how much the best epoch missed what ``[complexity]`` asks for.
        pressure: of ``[complexity]``, where there is one.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_step: int = 0
    best_accuracy: float = -1.0
    best_loss: float = 0.0
    lowest_loss: float | None = None
    stale_epochs: int = 0
    best_lack: float = 0.0
    pressure: Pressure | None = None

    def after_epoch(
        self, step: int, accuracy: float, loss: float, lack: float = 0.0, settling: bool = False
    ) -> Standing:
        """The standing once another epoch has ended with this validation accuracy and loss.

        Args:
            step: optimiser steps done.
            accuracy: 0 to 1; the higher the better, then the lower the loss.
            loss: of validation.
            lack: what the epoch is short of, to be compared with others before their accuracies are.
            settling: whether it is too early for patience to begin.
        """
        lower = settling or self.lowest_loss is None or loss < self.lowest_loss
        following = dataclasses.replace(
            self,
            epoch=self.epoch + 1,
            step=step,
            lowest_loss=loss if lower else self.lowest_loss,
            stale_epochs=0 if lower else self.stale_epochs + 1,
        )
        best = (-self.best_lack, self.best_accuracy, -self.best_loss)
        if self.best_epoch and (-lack, accuracy, -loss) <= best:
            return following
        return dataclasses.replace(
            following,
            best_epoch=following.epoch,
            best_step=step,
            best_accuracy=accuracy,
            best_loss=loss,
            best_lack=lack,
        )


def save_state(
    path: Path, net: nn.Module, optimisers: Sequence[Optimizer], standing: Standing, keep: Path | None = None
) -> None:
    """Write the state with its SHA-256, atomically; ``keep`` is where the one that is there goes.

    Raises:
        OutputError: the place cannot be written.
    """
    tensors = {f"net.{name}": tensor.detach() for name, tensor in net.state_dict().items()}
    for place, optimiser in enumerate(optimisers):
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{index}.{name}": t for name, t in moments.items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    description = {"schema": SCHEMA, **dataclasses.asdict(standing)}
    description["sha256"] = _sha256(description, tensors)
    # One entry, for safetensors writes several in any order.
    metadata = {"bnnedge.state": json.dumps(description, sort_keys=True)}
    write_atomically(path, safetensors.torch.save(tensors, metadata), keep=keep)


def load_state(path: Path, net: nn.Module, optimisers: Sequence[Optimizer]) -> Standing:
    """Put a saved state into a network and its optimisers of the same configuration.

    Raises:
        FileError: damaged, or of another network.
    """
    description, tensors = read_state(path)
    try:
        net.load_state_dict({name[4:]: t for name, t in tensors.items() if name.startswith("net.")})
        for place, optimiser in enumerate(optimisers):
            moments: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                if name.startswith(f"optimiser.{place}."):
                    _, _, index, key = name.split(".")
                    moments.setdefault(int(index), {})[key] = tensor
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": moments, "param_groups": groups})
        pressure = description.pop("pressure")
        return Standing(**description, pressure=None if pressure is None else Pressure(**pressure))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _unusable(path, error) from error


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The standing, as JSON has it, and the tensors by name.

    Raises:
        FileError: missing, damaged or of another schema.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            description: dict[str, Any] = parse_json((file.metadata() or {})["bnnedge.state"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if description["schema"] != SCHEMA:
            raise FileError(f"{path} is not of schema {SCHEMA}", "train anew into another folder: --out")
        if description.pop("sha256") != _sha256(description, tensors):
            raise ValueError("its content has another SHA-256 than it was written with")
        del description["schema"]
    except (
        safetensors.SafetensorError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, OSError
    ) as error:  # fmt: skip
        raise _unusable(path, error) from error
    return description, tensors


def _unusable(path: Path, error: Exception) -> FileError:
    return FileError(
        f"cannot resume from {path}: {error}", "the state is damaged or of another network; train anew"
    )


def _sha256(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Of the standing and of every tensor: its name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
