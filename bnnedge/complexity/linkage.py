"""Average-linkage clustering (UPGMA), merge for merge as SciPy has it.

Importing SciPy takes longer than clustering a tile. This is its algorithm, nearest-neighbour chains (Müllner,
Modern hierarchical, agglomerative clustering algorithms, arXiv:1109.2378, figure 3), down to how it breaks
ties, so that the two agree exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_linkage"]


def average_linkage(distances: NDArray[np.int32]) -> NDArray[np.intp]:
    """Which clusters merge, the nearest first.

    Time is quadratic in the rows, and so is memory: a copy of the distances as float64.

    Args:
        distances: (rows, rows), symmetric.

    Returns:
        (rows − 1, 2): cluster ``i`` < rows is row ``i``, and the merge in row ``k`` makes cluster
        ``rows + k``; the first two columns of ``scipy.cluster.hierarchy.linkage(…, "average")``.

    >>> average_linkage(np.abs(np.subtract.outer([0, 1, 7, 9], [0, 1, 7, 9]))).tolist()
    [[0, 1], [2, 3], [4, 5]]
    """
    rows = len(distances)
    pairs, heights = _nearest_pairs(distances.astype(np.float64))
    clusters = np.arange(rows)  # of each row, at present
    merges = np.empty((max(0, rows - 1), 2), dtype=np.intp)
    for merge, place in enumerate(np.argsort(heights, kind="stable")):
        left, right = sorted(clusters[pairs[place]].tolist())
        merges[merge] = left, right
        clusters[(clusters == left) | (clusters == right)] = rows + merge
    return merges


def _nearest_pairs(distances: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of rows whose clusters merge, in the order in which chains find them, and at what distance."""
    rows = len(distances)
    pairs, heights = np.empty((max(0, rows - 1), 2), dtype=np.intp), np.empty(max(0, rows - 1))
    sizes = np.ones(rows)  # of the cluster that a row stands for; 0 where another row does
    np.fill_diagonal(distances, np.inf)
    chain: list[int] = []
    for merge in range(rows - 1):
        if not chain:
            chain.append(int(np.argmax(sizes > 0)))
        while True:
            here = chain[-1]
            nearest = int(np.argmin(distances[here]))
            if len(chain) > 1 and distances[here, chain[-2]] <= distances[here, nearest]:
                break
            chain.append(nearest)
        gone, kept = sorted((chain.pop(), chain.pop()))
        pairs[merge], heights[merge] = (gone, kept), distances[gone, kept]
        total = sizes[gone] + sizes[kept]
        means = (sizes[gone] * distances[gone] + sizes[kept] * distances[kept]) / total
        distances[kept], distances[:, kept] = means, means
        distances[gone], distances[:, gone] = np.inf, np.inf
        distances[kept, kept] = np.inf
        sizes[gone], sizes[kept] = 0, total
    return pairs, heights
