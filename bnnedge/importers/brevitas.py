"""A Brevitas network of ours, packed: signs of the weights, thresholds folded from its own modules."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bnnedge.errors import UnsupportedError
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["BatchNorm", "pack"]


BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


def pack(net: BinaryNetwork, provenance: dict[str, object]) -> PackedModel:
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
    encoding = net.inputs.encoding
    norms = [cast("BatchNorm", norm) for norm in net.norms]
    layers = []
    for position, linear in enumerate(net.linears):
        signs = linear.quant_weight().value.detach().numpy()  # type: ignore[operator]
        weights = PackedMatrix.from_signs(signs.reshape(len(signs), -1))
        convolution = net.convolutions[position] if position < len(net.convolutions) else None
        thresholds = None
        if position < len(net.activations):
            lattice = Lattice(weights.columns, 2) if position else encoding.lattice(weights.columns)
            places = convolution.positions if convolution else ()
            thresholds = _fold(norms[position], net.activations[position], lattice, places)
        layers.append(PackedLayer(net.names[position], weights, thresholds, convolution))
    return PackedModel(encoding, tuple(layers), _affine(norms[-1]), provenance)


def _fold(norm: BatchNorm, activation: nn.Module, lattice: Lattice, places: tuple[int, ...]) -> Thresholds:
    """Thresholds of a batch-norm, evaluated over as many places as it is in the network.

    PyTorch rounds otherwise where an image has one pixel.
    """

    def fires(preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        one = torch.from_numpy(preactivations).float()
        everywhere = one.reshape(1, -1, *(1,) * len(places)).expand(1, -1, *places).contiguous()
        with torch.no_grad():
            values = activation(norm(everywhere))
        fired: NDArray[np.bool_] = (values.flatten(2)[0, :, 0] if places else values[0]).gt(0).numpy()
        return fired

    directions = torch.where(norm.weight < 0, -1, 1).to(torch.int8).numpy()
    return fold_sign(fires, directions, lattice)


def _affine(norm: BatchNorm) -> Affine:
    """Scale and offset of a batch-norm in evaluation mode, computed in float64, rounded once."""
    if norm.running_mean is None or norm.running_var is None:
        raise UnsupportedError("a batch-norm without running statistics has no fixed thresholds")
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    offset = norm.bias.detach().double() - norm.running_mean.double() * scale
    return Affine(scale.float().numpy(), offset.float().numpy())
