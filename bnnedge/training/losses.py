"""What a training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError
from bnnedge.packed.model import PackedModel
from bnnedge.runs.training import TrainingConfig

__all__ = ["check_teacher", "taught_logits", "training_loss"]


def training_loss(settings: TrainingConfig, logits: Tensor, labels: Tensor, taught: Tensor | None) -> Tensor:
    """Mean over a batch of the cross-entropy, its labels smoothed if asked for, and of what a teacher adds.

    (1 − α) CE + α T² KL(softmax(taught / T) ‖ softmax(logits / T)), as Hinton et al. 2015.

    Args:
        settings: α, T and the smoothing.
        logits: (samples, classes).
        labels: (samples,) int64.
        taught: (samples, classes) logits of the teacher; None: no teacher, α = 0.
    """
    hard = cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    if taught is None:
        return hard
    share, temperature = settings.distillation, settings.temperature
    soft = kl_div(
        log_softmax(logits / temperature, 1),
        log_softmax(taught / temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - share) * hard + share * temperature**2 * soft


def taught_logits(teacher: PackedModel, data: Dataset) -> Tensor:
    """(samples, classes) float32 logits of the golden model on the training split, as it is stored.

    Raises:
        ConfigError: the teacher is for other samples or other classes.
    """
    check_teacher(teacher, data)
    return torch.from_numpy(teacher.predict(data.train.inputs).logits)


def check_teacher(teacher: PackedModel, data: Dataset) -> None:
    """See that a teacher is for these samples and classes.

    Raises:
        ConfigError: it is for others.
    """
    encoding, classes = teacher.encoding, teacher.layers[-1].outputs
    if (encoding.features, encoding.maximum, classes) != (
        data.train.inputs.shape[1],
        data.maximum,
        data.classes,
    ):
        raise ConfigError(
            f"training.teacher takes {encoding.features} features from 0 to {encoding.maximum} and knows "
            f"{classes} classes",
            f"{data.name} has {data.train.inputs.shape[1]} from 0 to {data.maximum}, "
            f"and {data.classes} classes",
        )
