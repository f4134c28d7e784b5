"""Images moved and mirrored at random, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bnnedge.errors import ConfigError
from bnnedge.runs.training import TrainingConfig

__all__ = ["Augmentation", "check_images"]


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What happens to each sample of a training split in one epoch.

    Attributes:
        shape: (channels, height, width) of the images.
        moves: (samples, 2) int64, how many rows and columns further up and left a pixel comes from, negative
            ones included.
        mirrored: (samples,) bool, whether an image is mirrored left to right, before it is moved.
        edge: whether the edge's pixels come in where an image has moved away; else zeros.
    """

    shape: tuple[int, int, int]
    moves: Tensor
    mirrored: Tensor
    edge: bool

    @classmethod
    def of_epoch(
        cls,
        settings: TrainingConfig,
        shape: tuple[int, ...],
        samples: int,
        epoch: int,
        device: torch.device,
    ) -> Augmentation | None:
        """The draws for one epoch, the same for the same seed and epoch; None where nothing is asked for.

        Raises:
            ConfigError: the samples are no images, or too small to be moved so far.
        """
        check_images(settings, shape)
        if not (settings.flip or settings.shift):
            return None
        channels, height, width = shape
        rng = np.random.default_rng((settings.seed, epoch, 2))
        moves = rng.integers(-settings.shift, settings.shift + 1, (samples, 2))
        mirrored = rng.random(samples) < 0.5 if settings.flip else np.zeros(samples, dtype=bool)
        return cls(
            (channels, height, width),
            torch.from_numpy(moves).to(device),
            torch.from_numpy(mirrored).to(device),
            settings.shift_fill == "edge",
        )

    def __call__(self, inputs: Tensor, chosen: Tensor) -> Tensor:
        """(batch, features) inputs of the samples whose numbers are ``chosen``, to the same, changed."""
        channels, height, width = self.shape
        moves, mirrored = self.moves[chosen], self.mirrored[chosen]
        rows = torch.arange(height, device=inputs.device) + moves[:, :1]
        columns = torch.arange(width, device=inputs.device) + moves[:, 1:]
        rows_inside, columns_inside = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        sources = torch.where(mirrored[:, None], width - 1 - columns_inside, columns_inside)
        pixels = (rows_inside[:, :, None] * width + sources[:, None, :]).reshape(len(inputs), 1, -1)
        images = inputs.reshape(len(inputs), channels, -1)
        moved = images.gather(2, pixels.expand(-1, channels, -1))
        if not self.edge:
            inside = (rows == rows_inside)[:, :, None] & (columns == columns_inside)[:, None, :]
            moved = moved * inside.reshape(len(inputs), 1, -1)
        return moved.reshape(inputs.shape)


def check_images(settings: TrainingConfig, shape: tuple[int, ...]) -> None:
    """See that samples of a shape can be augmented as asked for.

    Raises:
        ConfigError: they are no images, or too small to be moved so far.
    """
    if not (settings.flip or settings.shift):
        return
    if len(shape) != 3:
        raise ConfigError(
            f"training.flip and training.shift are for images, but samples are {shape[0]} features",
            "leave them out",
        )
    if settings.shift >= min(shape[1:]):
        raise ConfigError(
            f"training.shift = {settings.shift} moves images of {shape[1]} x {shape[2]} out of sight",
            "name fewer pixels",
        )
