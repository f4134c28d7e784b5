"""What can be known to go wrong with a training before it begins, or before it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError
from bnnedge.importers.load import load
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.packed.file import load_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.training.augmentation import check_images
from bnnedge.training.losses import check_teacher
from bnnedge.training.state import Standing

__all__ = ["check", "check_resumed"]


def check(config: Config, data: Dataset) -> None:
    """See that a network of this configuration can be, and be trained on this data.

    Raises:
        ConfigError: layers, an input threshold, a batch, an augmentation or a teacher that do not fit the
            data.
        FileError: a teacher that is missing or damaged.
    """
    settings, samples = config.training, len(data.train.labels)
    geometry_of_config(config.net, data.shape, data.maximum, data.classes)
    if settings.batch_size > samples:
        raise ConfigError(
            f"training.batch_size = {settings.batch_size} is more than the training split has",
            f"it has {samples:,} samples",
        )
    check_images(settings, data.shape)
    if settings.teacher is not None:
        check_teacher(load(settings.teacher), data)


def check_resumed(
    config: Config, provenance: Mapping[str, Any], run: RunDirectory, standing: Standing
) -> None:
    """See that a resumed run learns from the teacher that it started with, and pays for complexity if it did.

    Args:
        config: of the run, as it is now.
        provenance: what a checkpoint would say now.
        run: with the first checkpoint.
        standing: as its state has it.

    Raises:
        ConfigError: it does not.
    """
    if load_packed(run.checkpoint(0)).provenance.get("teacher") != provenance.get("teacher"):
        raise ConfigError(
            "training.teacher is another model than when this run started",
            "put the old one back, or train anew",
        )
    if (standing.pressure is None) != (config.complexity is None):
        raise ConfigError(
            "[complexity] is in the configuration or in the state of the run, but not in both", "train anew"
        )
