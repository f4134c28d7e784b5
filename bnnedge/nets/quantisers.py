"""Brevitas quantisers for 1-bit weights and activations, scale 1, as in its BNN-PYNQ networks.

All map 0 to +1. Their gradients are those of :func:`bnnedge.nets.signs.sign`, by the same names.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from brevitas.core.bit_width import BitWidthConst, BitWidthImplType
from brevitas.core.quant import BinaryQuant, ClampedBinaryQuant, QuantType
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.utils import StatelessBuffer
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn

from bnnedge.nets.signs import ActivationGradient, sign

__all__ = ["ACTIVATIONS", "BinaryWeight", "banked_weight"]


class _Binary(ExtendedInjector):  # type: ignore[misc]
    quant_type = QuantType.BINARY
    bit_width_impl_type = BitWidthImplType.CONST
    bit_width = 1
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    zero_point_impl = ZeroZeroPoint
    scaling_per_output_channel = False
    narrow_range = True
    signed = True


class BinaryWeight(_Binary, WeightQuantSolver):  # type: ignore[misc]
    """Weights −1 and +1."""

    scaling_const = 1.0


class PolynomialBinaryQuant(nn.Module):
    """A Brevitas tensor quantiser: the sign, with the gradient of a piecewise polynomial near it."""

    def __init__(self, scaling_impl: nn.Module) -> None:
        super().__init__()
        self.scaling_impl = scaling_impl
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Signs, scale, zero point and bit width."""
        scale = self.scaling_impl(values)
        return sign(values, "polynomial") * scale, scale, self.zero_point(), self.bit_width()


class PatternBinaryQuant(nn.Module):
    """A Brevitas tensor quantiser: patterns out of banks.

    Args:
        scaling_impl: of Brevitas.
        choose: :meth:`bnnedge.nets.banks.PatternBank.signs` of a bank that is not the quantiser's own.
    """

    def __init__(self, scaling_impl: nn.Module, choose: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.scaling_impl = scaling_impl
        self.choose = choose
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Signs, scale, zero point and bit width."""
        scale = self.scaling_impl(values)
        return self.choose(values) * scale, scale, self.zero_point(), self.bit_width()


def banked_weight(choose: Callable[[Tensor], Tensor]) -> type:
    """A quantiser of weights whose signs are those that ``choose`` makes of latent ones."""
    quantiser: type = BinaryWeight.let(tensor_quant=PatternBinaryQuant, choose=choose)
    return quantiser


class ClippedBinaryActivation(_Binary, ActQuantSolver):  # type: ignore[misc]
    """Activations −1 and +1; the gradient passes where |x| <= 1."""

    min_val = -1.0
    max_val = 1.0
    tensor_quant = ClampedBinaryQuant


class IdentityBinaryActivation(ClippedBinaryActivation):
    """Activations −1 and +1; the gradient passes everywhere."""

    tensor_quant = BinaryQuant


class PolynomialBinaryActivation(ClippedBinaryActivation):
    """Activations −1 and +1; the gradient falls from 2 at 0 to 0 at ±1."""

    tensor_quant = PolynomialBinaryQuant


ACTIVATIONS: dict[ActivationGradient, type] = {
    "clipped": ClippedBinaryActivation,
    "identity": IdentityBinaryActivation,
    "polynomial": PolynomialBinaryActivation,
}
"""Quantisers of activations by the name of their gradient."""
