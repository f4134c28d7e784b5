"""Null models: what BDM and block entropy are worth beside those of matrices that are alike but random.

- ``shuffle``: all bits of the matrix shuffled, its density kept. Beside it, structure of any kind shows as a
  z far below 0.
- ``neurons``: the neurons permuted, and in layers after the first the neurons of the layer before: rows and
  columns of a dense layer; where a neuron is a filter, all the columns of a channel together. A network so
  reordered computes the same function: what differs is mere order.
- ``inputs``: in the first layer, the columns permuted. Beside it, what shows is structure that follows the
  order of the inputs, such as neighbouring pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.layout import DEFAULT_LAYOUT, Reordering
from bnnedge.complexity.null_draws import permuted_histograms, shuffled_histograms
from bnnedge.errors import ConfigError
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["NullScore", "score_nulls"]

_MEASURES = {"bdm_bits": bdm_of, "block_entropy_bits": block_entropy_of}

# Sums of the same terms in another order differ by about 1e-15 of their size; measures that tell blocks apart
# by far more.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class NullScore:
    """One measure of one layer beside its values on draws from one null model.

    Attributes:
        null: ``shuffle``, ``neurons`` or ``inputs``, as at the top of this file.
        measure: ``bdm_bits`` or ``block_entropy_bits``.
        observed: the layer's own value.
        mean: of the draws.
        sd: of the draws, with draws − 1 degrees of freedom; exactly 0 where they differ by rounding only.
        z: (observed − mean) / sd; NaN where sd is 0: the null model says nothing of this matrix.
        low: 2.5th percentile of the draws, linear between them; with ``high``, where 95 % of the null lies.
        high: 97.5th percentile of the draws.
        draws: number of draws.
    """

    null: str
    measure: str
    observed: float
    mean: float
    sd: float
    z: float
    low: float
    high: float
    draws: int


def score_nulls(
    matrix: PackedMatrix,
    *,
    first_layer: bool,
    draws: int,
    seed: int,
    reordering: Reordering | None = None,
) -> tuple[NullScore, ...]:
    """4x4 BDM and block entropy of a layer beside its null models.

    Args:
        matrix: the layer's bits.
        first_layer: whether the columns are inputs of the network, not hidden neurons.
        draws: matrices drawn from each null model; at least 2.
        seed: of the draws; each null model has a stream of its own.
        reordering: what moves when neurons do; None: rows, and columns one by one.

    Returns:
        A score of BDM and one of block entropy for each null model, ``shuffle``, ``neurons`` and, of a first
        layer, ``inputs``; nothing where not a single block fits.

    Raises:
        ConfigError: fewer than 2 draws.

    >>> halves = PackedMatrix.from_bits(np.arange(64) < 32 * np.ones((64, 1)))
    >>> score = score_nulls(halves, first_layer=True, draws=100, seed=0)[0]
    >>> score.null, score.measure, score.z < -100
    ('shuffle', 'bdm_bits', True)
    """
    if draws < 2:
        raise ConfigError(
            f"cannot tell a spread from {draws} draws of a null model", "ask for 2 or more, or 0 for none"
        )
    moves = reordering or Reordering(matrix.shape, DEFAULT_LAYOUT, matrix.columns)
    observed = block_histogram(matrix)
    if not observed.blocks:
        return ()
    # A fixed number of streams, so that those of one null model do not depend on whether another is drawn.
    shuffle, neurons, inputs = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    nulls = {
        "shuffle": shuffled_histograms(matrix, draws, shuffle),
        "neurons": permuted_histograms(
            matrix, (moves.draw(neurons, channels=not first_layer) for _ in range(draws))
        ),
    }
    if first_layer:
        nulls["inputs"] = permuted_histograms(
            matrix, ((None, inputs.permutation(matrix.columns)) for _ in range(draws))
        )
    return tuple(score for null, drawn in nulls.items() for score in _scores(null, observed, drawn))


def _scores(null: str, observed: BlockHistogram, drawn: Iterable[BlockHistogram]) -> list[NullScore]:
    values = np.array([[measure(histogram) for measure in _MEASURES.values()] for histogram in drawn])
    return [
        _score(null, key, measure(observed), values[:, column])
        for column, (key, measure) in enumerate(_MEASURES.items())
    ]


def _score(null: str, measure: str, observed: float, values: NDArray[np.float64]) -> NullScore:
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if np.ptp(values) <= _ROUNDING * abs(mean):
        sd = 0.0
    low, high = np.percentile(values, [2.5, 97.5])
    z = (observed - mean) / sd if sd else math.nan
    return NullScore(null, measure, observed, mean, sd, z, float(low), float(high), len(values))
