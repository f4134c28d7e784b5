"""Where a graph compares its input with several thresholds side by side and puts the bits together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.importers.onnx import OnnxGraph
from bnnedge.importers.steps import Float32, Layout, Step, refusal, run, step_of

__all__ = ["Branches", "find_branches", "joined", "repeating"]

MOST_BRANCHES = 256  # as many thresholds as a byte can tell apart, and no more work for a hostile file
MOST_STEPS = 16  # from where branches part to where they meet; a hostile file may lead in a circle
MOST_OPERANDS = 64


@dataclass(frozen=True, eq=False)
class Branches:
    """A Concat, and the chains of nodes that make what it puts together of one tensor.

    Attributes:
        node: the Concat.
        root: the tensor.
        chains: for each input of the Concat, nodes with the tensor that each takes, from the root on.
    """

    node: onnx.NodeProto
    root: str
    chains: tuple[tuple[tuple[onnx.NodeProto, str], ...], ...]

    @cached_property
    def inner(self) -> set[str]:
        """Every tensor between the root and the Concat."""
        return {output for chain in self.chains for node, _ in chain for output in node.output}


def find_branches(graph: OnnxGraph) -> Branches | None:
    """The branches of the first Concat that has some; None where there is none."""
    producers = {output: node for node in graph.nodes for output in node.output}
    for node in graph.nodes:
        constant = any(name in graph.constants or not name for name in node.input)
        if node.op_type != "Concat" or constant or len(node.input) > MOST_BRANCHES:
            continue
        paths = [list(islice(_upwards(graph, producers, name), MOST_STEPS)) for name in node.input]
        shared = set.intersection(*({tensor for _, tensor in path} for path in paths)) if paths else set()
        roots = [tensor for _, tensor in paths[0] if tensor in shared] if shared else []
        if roots:
            chains = tuple(_down_from(roots[0], path) for path in paths)
            return Branches(node, roots[0], chains)
    return None


def joined(graph: OnnxGraph, branches: Branches, layout: Layout) -> Step:
    """The branches as one step: bits of all thresholds side by side, or what there was, several times over.

    Raises:
        UnsupportedError: a branch is more than a comparison, or only some are.
    """
    chains = [[step_of(graph, node, tensor, layout) for node, tensor in chain] for chain in branches.chains]
    sources = np.tile(np.arange(layout.width), len(chains))
    if not any(chains):
        return repeating(branches.node, sources)
    ends = [_levels(chain, layout.width) for chain in chains]
    low, high = (np.concatenate([end[side] for end in ends if end is not None]) for side in (0, 1))
    if any(end is None for end in ends):
        raise refusal(branches.node, "puts tensors together that are not all bits of a threshold")

    def apply(values: Float32) -> Float32:
        return np.concatenate([run(chain, values) for chain in chains], axis=-1)

    return Step(branches.node, apply, levels=(low, high), sources=sources)


def repeating(node: onnx.NodeProto, sources: NDArray[np.intp]) -> Step:
    """A step that puts features side by side by their numbers, 0 where that is −1."""

    def apply(values: Float32) -> Float32:
        return np.where(sources >= 0, values[..., sources], np.float32(0))

    return Step(node, apply, sources=sources)


def _levels(chain: list[Step], width: int) -> tuple[Float32, Float32] | None:
    """What a chain that ends in a comparison makes of −1 and +1, (width,) each."""
    signs = [place for place, step in enumerate(chain) if step.levels]
    levels = chain[signs[-1]].levels if signs else None
    if levels is None:
        return None
    one, other = (run(chain[signs[-1] + 1 :], np.broadcast_to(level, (width,))) for level in levels)
    return one, other


def _upwards(
    graph: OnnxGraph, producers: dict[str, onnx.NodeProto], name: str
) -> Iterator[tuple[onnx.NodeProto | None, str]]:
    """A tensor, then each that it was made from with the node that takes it, while there is but one."""
    taker: onnx.NodeProto | None = None
    yield taker, name
    while (taker := producers.get(name)) is not None and len(taker.input) <= MOST_OPERANDS:
        made_from = {each for each in taker.input if each and each not in graph.constants}
        if len(made_from) != 1:
            return
        (name,) = made_from
        yield taker, name


def _down_from(
    root: str, path: list[tuple[onnx.NodeProto | None, str]]
) -> tuple[tuple[onnx.NodeProto, str], ...]:
    end = next(place for place, (_, tensor) in enumerate(path) if tensor == root)
    return tuple((node, tensor) for node, tensor in reversed(path[: end + 1]) if node is not None)
