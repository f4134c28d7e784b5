"""Brevitas quantisers for 1-bit weights and activations, scale 1, as in its BNN-PYNQ networks.

Both map 0 to +1 and pass the gradient straight through; the clipped one only where |x| <= 1.
"""

from __future__ import annotations

from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import BinaryQuant, ClampedBinaryQuant, QuantType
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver

__all__ = ["BinaryWeight", "ClippedBinaryActivation", "IdentityBinaryActivation"]


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


class ClippedBinaryActivation(_Binary, ActQuantSolver):  # type: ignore[misc]
    """Activations −1 and +1; the gradient passes where |x| <= 1."""

    min_val = -1.0
    max_val = 1.0
    tensor_quant = ClampedBinaryQuant


class IdentityBinaryActivation(ClippedBinaryActivation):
    """Activations −1 and +1; the gradient passes everywhere."""

    tensor_quant = BinaryQuant
