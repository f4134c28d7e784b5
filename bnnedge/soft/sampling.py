"""Which part of a layer a term looks at in one training step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bnnedge.errors import ConfigError

__all__ = ["WHOLE", "Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How many of a layer's parts a term takes, and who draws them.

    Attributes:
        share: of the parts, above 0 and at most 1; at least one part is taken.
        generator: on the CPU; None is PyTorch's own.

    Raises:
        ConfigError: the share is not in that range.
    """

    share: float = 1.0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"a share of {self.share} cannot be drawn", "expected above 0 and at most 1")

    def draw(self, parts: int) -> Tensor | None:
        """(drawn,) places of different parts, each as likely as any other; None for all of them."""
        drawn = max(1, round(self.share * parts))
        if drawn >= parts:
            return None
        return torch.randperm(parts, generator=self.generator)[:drawn]


WHOLE = Sampling()
"""Every part."""
