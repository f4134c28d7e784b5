"""What can be known to go wrong with a training before it begins."""

from __future__ import annotations

from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError
from bnnedge.importers.load import load
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.runs.config import Config
from bnnedge.training.augmentation import check_images
from bnnedge.training.losses import check_teacher

__all__ = ["check"]


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
