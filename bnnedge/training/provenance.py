"""What a run says of itself: in each of its checkpoints, and in its summary."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from typing import Any

import numpy as np
import torch

import bnnedge
from bnnedge.data.dataset import Dataset
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import Config
from bnnedge.runs.toml import to_table, to_toml
from bnnedge.training.state import Standing

__all__ = ["provenance_of", "summary"]

Record = dict[str, Any]


def provenance_of(config: Config, data: Dataset, teacher: PackedModel | None) -> Record:
    """What every checkpoint of a run says: where it comes from, and what its user has to know of the data."""
    settings = {key: value for key, value in dataclasses.asdict(config.data).items() if value is not None}
    provenance: Record = {
        "name": config.name,
        "data": settings,
        "seed": config.training.seed,
        "config_sha256": hashlib.sha256(to_toml(config).encode()).hexdigest(),
        "bnnedge": bnnedge.__version__,
    }
    if data.class_names != tuple(map(str, range(data.classes))):
        provenance["class_names"] = list(data.class_names)
    if data.scaling is not None:
        provenance["scaling"] = dataclasses.asdict(data.scaling)
    if config.complexity is not None:
        provenance["complexity"] = to_table(config)["complexity"]
    if teacher is not None:
        provenance["teacher"] = digest(teacher)
    return provenance


def summary(config: Config, data: Dataset, standing: Standing, status: str) -> Record:
    """What run.json says of a training that has come so far."""
    best: Record = {"epoch": standing.best_epoch, "step": standing.best_step}
    if standing.best_epoch:
        best["validation_accuracy"] = standing.best_accuracy
    return {
        "name": config.name,
        "status": status,
        "best": best,
        "last": {"epoch": standing.epoch, "step": standing.step},
        "data": {"name": data.name, "source": data.source, "verified": data.verified},
        "versions": {
            "bnnedge": bnnedge.__version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }
