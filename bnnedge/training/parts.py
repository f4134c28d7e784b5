"""What a training is made of: the network, what changes it, and the samples on their device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from bnnedge.data.dataset import Dataset
from bnnedge.importers.brevitas import pack
from bnnedge.importers.load import load
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import Config
from bnnedge.training.complexity_loss import ComplexityLoss
from bnnedge.training.losses import taught_logits
from bnnedge.training.optimisers import optimisers_of
from bnnedge.training.provenance import provenance_of
from bnnedge.training.state import Standing

__all__ = ["Parts", "Samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """The training split on the device, whole.

    Attributes:
        inputs: (samples, features) uint8.
        labels: (samples,) int64.
        taught: (samples, classes) logits of a teacher, or None.
        shape: of a sample.
    """

    inputs: Tensor
    labels: Tensor
    taught: Tensor | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, data: Dataset, teacher: PackedModel | None, device: torch.device) -> Samples:
        """The training split of ``data``, and what a teacher has to say of it."""
        return cls(
            torch.from_numpy(data.train.inputs).to(device),
            torch.from_numpy(data.train.labels).to(device),
            None if teacher is None else taught_logits(teacher, data).to(device),
            data.shape,
        )


@dataclass(frozen=True, eq=False)
class Parts:
    """All of a training but where it stands.

    Attributes:
        net: the network.
        optimisers: what steps its parameters.
        samples: the training split.
        charge: the complexity in the loss, if there is one.
        steps_per_epoch: optimiser steps, of whole batches.
        provenance: what each checkpoint says of where it comes from.
    """

    net: BinaryNetwork
    optimisers: Sequence[Optimizer]
    samples: Samples
    charge: ComplexityLoss | None
    steps_per_epoch: int
    provenance: dict[str, Any]

    @classmethod
    def of(cls, config: Config, data: Dataset, device: torch.device) -> Parts:
        """New parts on a device; the first weights depend on the configuration's seed.

        Raises:
            FileError: a teacher that is missing or damaged.
        """
        settings = config.training
        torch.manual_seed(settings.seed)
        encoding = first_encoding(config.net, data.shape, data.maximum, data.train.inputs)
        net = BinaryNetwork(encoding, data.classes, config.net).to(device)
        net.layout = torch.channels_last
        if settings.precision == "bfloat16":
            net.precision = torch.bfloat16
        optimisers = optimisers_of(net, settings)
        teacher = None if settings.teacher is None else load(settings.teacher)
        samples = Samples.of(data, teacher, device)
        steps_per_epoch = len(samples.labels) // settings.batch_size
        charge = None
        if config.complexity is not None:
            net.clip_latent_weights(settings.weight_limit)
            charge = ComplexityLoss(net, config.complexity, settings, steps_per_epoch)
        return cls(net, optimisers, samples, charge, steps_per_epoch, provenance_of(config, data, teacher))

    def packed(self, standing: Standing) -> PackedModel:
        """The network as it is now, with where it comes from.

        Raises:
            UnsupportedError: the training diverged.
        """
        return pack(self.net, self.provenance | {"epoch": standing.epoch, "step": standing.step})
