"""Two networks known from large ones: ResNet-18 for images, a causal transformer for characters."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CausalTransformer", "resnet18"]


class Residual(nn.Module):
    """Two convolutions beside a short cut: the basic block of He et al. 2016 (arXiv 1512.03385)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, images: Tensor) -> Tensor:
        """(samples, after, height / stride, width / stride) of (samples, before, height, width)."""
        return functional.relu(self.body(images) + self.shortcut(images))


def resnet18(width: int, classes: int = 10) -> nn.Sequential:
    """Four stages of two blocks behind the stem for small images, a 3x3 convolution of stride 1.

    Args:
        width: channels of the first stage, 64 in the paper; each stage has twice those of the one before.
        classes: outputs.
    """
    channels = [width, width, 2 * width, 4 * width, 8 * width]
    stem = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    blocks = [
        block
        for stage, (before, after) in enumerate(pairwise(channels))
        for block in (Residual(before, after, 2 if stage else 1), Residual(after, after, 1))
    ]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes)]
    return nn.Sequential(*stem, *blocks, *head)


class Attention(nn.Module):
    """Causal self-attention of several heads (Vaswani et al. 2017, arXiv 1706.03762)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, states: Tensor) -> Tensor:
        """(samples, places, width), each place of those up to it."""
        samples, places, width = states.shape
        split = self.into(states).view(samples, places, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind()
        scores = queries @ keys.transpose(-1, -2) * (width // self.heads) ** -0.5
        later = torch.ones(places, places, dtype=torch.bool, device=states.device).triu(1)
        shares = scores.masked_fill(later, -torch.inf).softmax(dim=-1)
        mixed: Tensor = self.out((shares @ values).transpose(1, 2).reshape(samples, places, width))
        return mixed


class Layer(nn.Module):
    """Attention and two linear maps of each place, both added to what comes in, both normalised before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.places = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, states: Tensor) -> Tensor:
        """(samples, places, width) of the same."""
        states = states + self.attention(states)
        mapped: Tensor = self.places(states)
        return states + mapped


class CausalTransformer(nn.Module):
    """The logits of the next character at every place.

    Args:
        characters: in the alphabet.
        context: places at most.
        width: of a state.
        layers: of attention.
        heads: of each.
    """

    def __init__(
        self, characters: int, context: int, width: int = 48, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.characters, self.positions = nn.Embedding(characters, width), nn.Embedding(context, width)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)), nn.LayerNorm(width))
        self.head = nn.Linear(width, characters)

    def forward(self, codes: Tensor) -> Tensor:
        """(samples, places, characters) float32 of (samples, places) int64."""
        places = torch.arange(codes.shape[1], device=codes.device)
        logits: Tensor = self.head(self.layers(self.characters(codes) + self.positions(places)))
        return logits
