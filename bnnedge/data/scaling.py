"""Measured values to whole numbers 0 … 255: one affine map a feature, kept with the network that needs it.

A network in hardware takes bytes. Whoever feeds it from a sensor has to make them of volts and metres in the
way that training did, so the map is part of the data set and goes into a checkpoint's provenance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError

__all__ = ["LEVELS", "Scaling", "fit_images", "fit_table"]

LEVELS = 255
"""The largest whole number that a value is mapped to."""

# A few outliers would squeeze all other values into a few levels: these quantiles become 0 and 255.
_QUANTILES = (0.005, 0.995)


@dataclass(frozen=True)
class Scaling:
    """The map x → round((x − low) / step), half to even, clipped to 0 … 255.

    Attributes:
        low: what becomes 0: one value a feature, or a single one for all (images).
        step: width of one level, in the unit of the feature; as many as ``low``.

    Raises:
        DataError: not as many steps as lows, or a step that is not above 0.

    >>> celsius = Scaling(low=(-20.0,), step=(0.5,))
    >>> celsius.apply(np.array([[-30.0], [-20.0], [21.2], [200.0]])).ravel().tolist()
    [0, 0, 82, 255]
    """

    low: tuple[float, ...]
    step: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.low) == len(self.step) > 0 or not all(step > 0 for step in self.step):
            raise DataError(
                f"a scaling of {len(self.low)} lows and {len(self.step)} steps cannot be",
                "expected as many steps, all above 0, as lows",
            )

    def apply(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Whole numbers of new samples.

        Args:
            samples: (samples, …, features) real numbers; any shape where one map serves all features.

        Returns:
            The same shape, uint8.

        Raises:
            DataError: another number of features, or a value that is no number.
        """
        if len(self.low) > 1 and samples.shape[-1:] != (len(self.low),):
            raise DataError(
                f"samples of shape {samples.shape}", f"expected {len(self.low)} features, each with its map"
            )
        values = samples.astype(np.float64)
        if not np.isfinite(values).all():
            raise DataError("a value is not finite", "leave out or fill in what is missing or infinite")
        values -= np.array(self.low)
        values /= np.array(self.step)
        np.clip(np.rint(values, out=values), 0, LEVELS, out=values)
        return values.astype(np.uint8)


def fit_table(samples: NDArray[np.float64]) -> Scaling:
    """A map for each feature: its 0.5 % quantile becomes 0, its 99.5 % quantile 255.

    Both are values of the samples themselves (the inverted distribution function). Where they are equal, the
    smallest and the largest value stand in; a feature that never changes becomes 0.

    Args:
        samples: (samples, features) float64, of the training split alone.
    """
    low, high = np.quantile(samples, _QUANTILES, axis=0, method="inverted_cdf")
    flat = low == high
    low[flat], high[flat] = samples.min(axis=0)[flat], samples.max(axis=0)[flat]
    return _between(low, high)


def fit_images(samples: NDArray[np.float64]) -> Scaling:
    """One map for all pixels: the smallest becomes 0, the largest 255; pixels keep their order of brightness.

    Args:
        samples: (samples, channels, height, width) float64, of the training split alone.
    """
    return _between(samples.min(keepdims=True).ravel(), samples.max(keepdims=True).ravel())


def _between(low: NDArray[np.float64], high: NDArray[np.float64]) -> Scaling:
    step = np.where(high > low, (high - low) / LEVELS, 1.0)
    return Scaling(tuple(low.tolist()), tuple(step.tolist()))
