"""A Brevitas network of ours, packed: signs of the weights, thresholds folded from its own modules."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bnnedge.errors import UnsupportedError
from bnnedge.nets.mlp import BinaryMlp
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedLayer, PackedModel

__all__ = ["pack"]


def pack(net: BinaryMlp, provenance: dict[str, object]) -> PackedModel:
    """The network in evaluation mode as bits and integers; ``net`` itself is left as it is.

    Thresholds come from evaluating the network's own batch-norm and quantiser modules on the CPU over the
    lattice of pre-activations, so the packed model agrees with Brevitas wherever float32 rounds.

    Raises:
        UnsupportedError: parameters that are not finite, as after a diverged training.
    """
    net = copy.deepcopy(net).cpu().eval()
    if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values()):
        raise UnsupportedError(
            "the network has parameters that are not finite", "training diverged; lower the learning rate"
        )
    norms = [cast("nn.BatchNorm1d", norm) for norm in net.norms]
    layers = []
    lattice = net.encoding.lattice
    for position, linear in enumerate(net.linears):
        weights = PackedMatrix.from_signs(linear.quant_weight().value.detach().numpy())  # type: ignore[operator]
        thresholds = None
        if position < len(net.activations):
            thresholds = _fold(norms[position], net.activations[position], lattice)
        layers.append(PackedLayer(f"fc{position + 1}", weights, thresholds))
        lattice = Lattice(weights.rows, 2)
    return PackedModel(net.encoding, tuple(layers), _affine(norms[-1]), provenance)


def _fold(norm: nn.BatchNorm1d, activation: nn.Module, lattice: Lattice) -> Thresholds:
    def fires(preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        with torch.no_grad():
            values = activation(norm(torch.from_numpy(preactivations).float()[None]))[0]
        fired: NDArray[np.bool_] = (values > 0).numpy()
        return fired

    directions = torch.where(norm.weight < 0, -1, 1).to(torch.int8).numpy()
    return fold_sign(fires, directions, lattice)


def _affine(norm: nn.BatchNorm1d) -> Affine:
    """Scale and offset of a batch-norm in evaluation mode, computed in float64, rounded once."""
    if norm.running_mean is None or norm.running_var is None:
        raise UnsupportedError("a batch-norm without running statistics has no fixed thresholds")
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    offset = norm.bias.detach().double() - norm.running_mean.double() * scale
    return Affine(scale.float().numpy(), offset.float().numpy())
