"""Weight matrices of many kinds, on which scripts/fit_hardware_term learns what a layer costs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

import bnnedge
from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.soft.terms import TERMS

__all__ = ["Signs", "made_matrices", "trained_matrices"]

Signs = NDArray[np.int8]

SHAPES = ((64, 64), (10, 64), (32, 128), (128, 64), (64, 256), (128, 128), (64, 784))
MODELS = ("digits-tfc", "mnist-tfc", "fashion-tfc", "mnist-sfc")
LARGEST = 1 << 16  # weights


def made_matrices(seed: int) -> Iterator[tuple[str, Signs]]:
    """Families of drawn matrices of every shape, by name."""
    rng = np.random.default_rng(seed)
    for rows, columns in SHAPES:
        shape = rows, columns
        for density in (0.5, 0.3, 0.1):
            yield "drawn", _signs(rng.random(shape) < density)
        for differing in (0.02, 0.05, 0.1, 0.2):
            yield "near one another", _near(rng, shape, differing)
        for rank in (2, 4, 8):
            factors = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
            yield "low rank", _signs(factors[0] @ factors[1] > 0)
        for patterns in (2, 4, 8, 16):
            yield "few aligned patterns", _aligned(rng, shape, patterns)
        for kinds in (4, 32):
            blocks = rng.random((kinds, 4, 4)) < 0.5
            tiles = blocks[rng.integers(kinds, size=(-(-rows // 4), -(-columns // 4)))]
            yield "few blocks", _signs(tiles.swapaxes(1, 2).reshape(4 * len(tiles), -1)[:rows, :columns])
        for distinct in (rows // 8, rows // 2):
            yield (
                "few rows",
                _signs(rng.random((distinct + 1, columns)) < 0.5)[rng.integers(distinct + 1, size=rows)],
            )


def trained_matrices(seed: int) -> Iterator[tuple[str, Signs]]:
    """Layers of the trained models, as they are, on their way to simpler ones, and shuffled."""
    rng = np.random.default_rng(seed)
    for name in MODELS:
        for layer in bnnedge.load(name).layers:
            if layer.weights.bits > LARGEST:
                continue
            signs = layer.weights.to_signs()
            yield "trained", signs
            yield "trained, shuffled", rng.permuted(signs.reshape(-1)).reshape(signs.shape)
            for share in (0.3, 0.6, 0.9):
                yield "trained, towards its tree", _towards_parents(rng, signs, share)
            for term, strength in product(("tree", "distinct", "bdm_drawn"), (0.1, 0.3)):
                yield f"trained, then {term}", _lowered(signs, term, strength)


def _signs(bits: NDArray[np.bool_]) -> Signs:
    return np.where(bits, 1, -1).astype(np.int8)


def _near(rng: np.random.Generator, shape: tuple[int, int], differing: float) -> Signs:
    """Each row an earlier one, maybe its complement, in which a share of the bits is turned."""
    rows = [_signs(rng.random(shape[1]) < 0.5)]
    for place in range(1, shape[0]):
        turned = _signs(rng.random(shape[1]) >= differing)
        rows.append((rows[rng.integers(place)] * turned * rng.choice((-1, 1))).astype(np.int8))
    return np.stack(rows)


def _aligned(rng: np.random.Generator, shape: tuple[int, int], patterns: int) -> Signs:
    """Of every eight inputs, a few patterns for all the neurons."""
    words = _signs(rng.random((-(-shape[1] // 8), patterns, 8)) < 0.5)
    chosen = rng.integers(patterns, size=(len(words), shape[0]))
    made: Signs = words[np.arange(len(words))[:, None], chosen]
    return made.swapaxes(0, 1).reshape(shape[0], -1)[:, : shape[1]]


def _towards_parents(rng: np.random.Generator, signs: Signs, share: float) -> Signs:
    """A share of the bits in which neurons differ from their parents in the tree taken from those."""
    tree = minimum_spanning_tree(PackedMatrix.from_signs(signs))
    parents = signs[tree.parents] * np.where(tree.complemented, -1, 1)[:, None].astype(np.int8)
    taken = rng.random(signs.shape) < share
    taken[0] = False
    return np.where(taken, parents, signs)


def _lowered(signs: Signs, term: str, strength: float) -> Signs:
    """What a term makes of weights that are held where they were with a strength of one."""
    start = torch.from_numpy(signs).float() * 0.5
    latent = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([latent], lr=0.02)
    with torch.no_grad():
        scale = float(TERMS[term]([(start + 1) / 2]))
    for _ in range(60):
        optimiser.zero_grad()
        value = TERMS[term]([(latent.clamp(-1, 1) + 1) / 2]) / scale
        (value * strength * 100 + (latent - start).square().mean()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return _signs(latent.detach().numpy() >= 0)
