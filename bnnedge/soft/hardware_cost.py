"""Expected LUTs of unrolled layers: their spanning trees, as the generator builds them."""

from __future__ import annotations

from torch import Tensor

from bnnedge.complexity.hardware_cost import COEFFICIENTS, shape_factor
from bnnedge.soft.sampling import WHOLE, Sampling
from bnnedge.soft.variation import tree_variation

__all__ = ["hardware_cost"]


def hardware_cost(probabilities: Tensor, sampling: Sampling = WHOLE) -> Tensor:
    """LUTs that a layer of (outputs, inputs) probabilities is expected to take, a scalar.

    The model and its coefficients are those of the hard measure, :mod:`bnnedge.complexity.hardware_cost`.

    Args:
        probabilities: of one layer.
        sampling: of the inputs, as for the variation.
    """
    neurons, inputs = probabilities.shape
    corrections = tree_variation(probabilities, sampling) + inputs
    return shape_factor(neurons, inputs) * corrections ** COEFFICIENTS["tree"]
