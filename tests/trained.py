"""Networks that were trained for a moment, on the real digits."""

from __future__ import annotations

from typing import cast

import torch

from bnnedge.data.dataset import Dataset
from bnnedge.importers.brevitas import BatchNorm
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.runs.config import NetConfig


def hidden_norms(net: BinaryNetwork) -> list[BatchNorm]:
    return [cast("BatchNorm", norm) for norm in net.norms][:-1]


def trained(net_config: NetConfig, digits: Dataset, steps: int = 60) -> BinaryNetwork:
    """A network a few steps into training, so that batch-norms are far from where they start."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoding = first_encoding(net_config, digits.shape, digits.maximum, digits.train.inputs)
    net = BinaryNetwork(encoding, 10, net_config)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    inputs, labels = torch.from_numpy(digits.train.inputs), torch.from_numpy(digits.train.labels)
    for step in range(steps):
        batch = slice(20 * step, 20 * step + 20)
        loss = torch.nn.functional.cross_entropy(net(inputs[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():  # negative and zero scales, as long trainings have them
        for norm in hidden_norms(net):
            norm.weight[0], norm.weight[1] = -norm.weight[0].abs(), 0.0
            norm.weight[2], norm.bias[2] = 0.0, -0.0
    return net
