"""The terms of a training loss by name: each a complexity of the weights that a gradient can lower.

Every term has a hard measure in the audit, to which it is equal where all probabilities are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from bnnedge.errors import DataError
from bnnedge.soft.drawn import drawn_reading
from bnnedge.soft.hardware_cost import hardware_cost
from bnnedge.soft.histogram import blocks_of, expected_histogram
from bnnedge.soft.memory import edge_bits
from bnnedge.soft.patterns import distinct_patterns
from bnnedge.soft.readings import BDM, CTM, DICTIONARY, ENTROPY, Reading
from bnnedge.soft.sampling import Sampling
from bnnedge.soft.tree import spanning_tree_weight
from bnnedge.soft.variation import tree_variation

__all__ = ["TERMS", "Term"]

Of = Callable[[Sequence[Tensor], Sampling], Tensor]
OfBlocks = Callable[[Tensor, Sampling], Tensor]


@dataclass(frozen=True)
class Term:
    """A differentiable complexity of a network's weights.

    Attributes:
        name: of the term, in a config.
        unit: of its value.
        measure: key of its hard measure in an audit: of all blocks pooled, or the sum over layers.
        meaning: what it is, and whether a share of it is taken, in one line.
        of: its value, of the layers' probabilities and of the part of them to look at.
    """

    name: str
    unit: str
    measure: str
    meaning: str
    of: Of

    def __call__(
        self, probabilities: Sequence[Tensor], share: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """The term, a scalar, differentiable once.

        Args:
            probabilities: for each layer a (outputs, inputs) tensor of P(weight = +1), of one type.
            share: of blocks, segments or neurons to look at in this call, above 0 and at most 1.
            generator: draws what is drawn, on the CPU; None is PyTorch's own.

        Raises:
            ConfigError: no such share.
            DataError: no layer, or tensors of another shape or type.
        """
        if not probabilities or any(p.dim() != 2 or not p.is_floating_point() for p in probabilities):
            given = [f"{p.dtype} {tuple(p.shape)}" for p in probabilities]
            raise DataError(
                f"probabilities of {', '.join(given) or 'no layer'}",
                "expected (outputs, inputs) floats of at least one layer",
            )
        return self.of(probabilities, Sampling(share, generator))


def _expected(reading: Reading) -> OfBlocks:
    return lambda blocks, sampling: reading.of(expected_histogram(blocks, sampling), len(blocks))


def _drawn(reading: Reading) -> OfBlocks:
    return lambda blocks, sampling: drawn_reading(blocks, reading, sampling)


def _pooled(of_blocks: OfBlocks) -> Of:
    """What is read off the blocks of all layers; 0 where there are none."""

    def of(layers: Sequence[Tensor], sampling: Sampling) -> Tensor:
        blocks = blocks_of(layers)
        return of_blocks(blocks, sampling) if len(blocks) else blocks.sum()

    return of


def _by_layer(of: Callable[[Tensor, Sampling], Tensor]) -> Of:
    """The sum over layers of what is read off each."""
    return lambda layers, sampling: torch.stack([of(layer, sampling) for layer in layers]).sum()


def _blocks_of_layer(of_blocks: OfBlocks) -> Of:
    """The sum over layers of what is read off each one's blocks."""
    of = _pooled(of_blocks)
    return _by_layer(lambda layer, sampling: of([layer], sampling))


def _memory(of_blocks: OfBlocks) -> Of:
    """Dictionaries of layers, and what of them is in no block."""
    of = _blocks_of_layer(of_blocks)
    return lambda layers, sampling: of(layers, sampling) + sum(map(edge_bits, layers))


_POOLED, _DRAWN = "of all layers' 4x4 blocks, expected histogram", "of weights drawn once, all blocks"
_ALL = (
    Term("bdm", "bits", "bdm", f"BDM {_POOLED}", _pooled(_expected(BDM))),
    Term("bdm_drawn", "bits", "bdm", f"BDM {_DRAWN}", _pooled(_drawn(BDM))),
    Term("bdm_layers", "bits", "bdm", "BDM, the sum over layers", _blocks_of_layer(_expected(BDM))),
    Term("entropy", "bits a block", "block_entropy", f"entropy {_POOLED}", _pooled(_expected(ENTROPY))),
    Term("entropy_drawn", "bits a block", "block_entropy", f"entropy {_DRAWN}", _pooled(_drawn(ENTROPY))),
    Term("ctm", "bits a block", "ctm_bits", f"mean CTM {_POOLED}", _pooled(_expected(CTM))),
    Term("rom", "bits", "rom_bits", "dictionaries of folded layers", _memory(_expected(DICTIONARY))),
    Term("rom_drawn", "bits", "rom_bits", f"the same {_DRAWN}", _memory(_drawn(DICTIONARY))),
    Term("distinct", "patterns", "distinct_patterns", "over 8 to 64 inputs", distinct_patterns),
    Term("tree", "bits", "spanning_tree_neurons_bits", "between neurons", _by_layer(spanning_tree_weight)),
    Term("variation", "bits", "spanning_tree_neurons_bits", "along the tree", _by_layer(tree_variation)),
    Term("hardware", "LUTs", "hardware_luts", "of unrolled layers", _by_layer(hardware_cost)),
)

TERMS: Mapping[str, Term] = MappingProxyType({term.name: term for term in _ALL})
"""Every term, by its name."""
