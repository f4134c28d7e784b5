"""trajectory/: what was measured between epochs, one file an epoch, written whole or not at all.

Text would cost more time than the measuring does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.files import write_atomically

__all__ = ["Steps", "join_steps", "read_steps", "write_steps"]

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Steps:
    """Measures after some optimiser steps. The last of the parts is all layers pooled.

    Attributes:
        names: names of the parts: the layers, and ``all``.
        step: (steps,) int64, rising.
        loss: (steps,) float32, what the step's batch was trained on, before the step.
        bdm: (parts, steps) float64, 4x4 blocks, in bits; NaN where a layer is too small for a block.
        block_entropy: (parts, steps) float64, bits a block; NaN likewise.
        flips: (parts, steps) int64, weights whose sign differs from the line before.
        changed_blocks: (parts, steps) int64, 4x4 blocks that do.
    """

    names: tuple[str, ...]
    step: NDArray[np.int64]
    loss: NDArray[np.float32]
    bdm: NDArray[np.float64]
    block_entropy: NDArray[np.float64]
    flips: NDArray[np.int64]
    changed_blocks: NDArray[np.int64]


_ARRAYS = tuple(field.name for field in fields(Steps))[1:]


def write_steps(path: Path, steps: Steps) -> None:
    """Write one file, atomically.

    Raises:
        OutputError: the place cannot be written.
    """
    arrays = {name: np.ascontiguousarray(getattr(steps, name)) for name in _ARRAYS}
    description = {"schema": SCHEMA, "names": steps.names}
    write_atomically(path, safetensors.numpy.save(arrays, {"bnnedge.steps": json.dumps(description)}))


def read_steps(path: Path) -> Steps:
    """Read one file back.

    Raises:
        FileError: missing, damaged or of another schema.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            description = parse_json((file.metadata() or {})["bnnedge.steps"])
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        if description["schema"] != SCHEMA:
            raise FileError(f"{path} is not of schema {SCHEMA}")
        steps = Steps(tuple(map(str, description["names"])), **arrays)
    except (
        safetensors.SafetensorError, AttributeError, KeyError, TypeError, ValueError, OSError
    ) as error:  # fmt: skip
        raise FileError(f"cannot read {path}: {error}") from error
    line, table = steps.step.shape, (len(steps.names), *steps.step.shape)
    wanted = {name: line if name in ("step", "loss") else table for name in _ARRAYS}
    if len(line) != 1 or any(arrays[name].shape != shape for name, shape in wanted.items()):
        raise FileError(f"{path} has arrays that do not fit one another")
    return steps


def join_steps(parts: Iterable[Steps]) -> Steps:
    """Several files' steps, one after the other; at least one, all of the same run."""
    several = list(parts)
    arrays = {name: np.concatenate([getattr(one, name) for one in several], axis=-1) for name in _ARRAYS}
    return Steps(several[0].names, **arrays)
