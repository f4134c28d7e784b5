"""How good a network is, after an epoch, on samples that it does not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from bnnedge.data.dataset import Split
from bnnedge.nets.network import BinaryNetwork

__all__ = ["Figures", "evaluate"]

# Values of the widest layer to hold at a time: 128 MiB of float32.
_VALUES = 1 << 25


@dataclass(frozen=True)
class Figures:
    """Mean loss of the task, share of correct labels, and mean of what was charged for complexity."""

    loss: float
    accuracy: float
    charged: float = 0.0


def evaluate(net: BinaryNetwork, split: Split, device: torch.device) -> Figures:
    """Cross-entropy and accuracy of a network on a device; it is left in evaluation."""
    net.eval()
    inputs, labels = torch.from_numpy(split.inputs).to(device), torch.from_numpy(split.labels).to(device)
    batch = max(1, _VALUES // net.widest)
    loss, correct = 0.0, 0
    with torch.no_grad():
        for some, truth in zip(torch.split(inputs, batch), torch.split(labels, batch), strict=True):
            logits = net(some)
            loss += cross_entropy(logits, truth, reduction="sum").item()
            correct += int((logits.argmax(1) == truth).sum())
    return Figures(loss / len(labels), correct / len(labels))
