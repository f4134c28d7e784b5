"""Weight bits by layer, whatever file they came from: what an audit looks at.

A :class:`WeightSet` is less than a :class:`~bnnedge.packed.model.PackedModel`: it need not compute anything.
Every packed model has one; a foreign file may have nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Literal

from bnnedge.errors import DataError
from bnnedge.packed.file import digest
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["BitTensor", "Reading", "WeightSet", "weights_of"]

Reading = Literal["packed", "±1", "0/1", "signs of real values"]


@dataclass(frozen=True, eq=False)
class BitTensor:
    """One layer's weight bits.

    Attributes:
        name: of the layer, unique in its set.
        matrix: (outputs, everything else flattened in C order).
        shape: (outputs, inputs), or (outputs, inputs, height, width) of a convolution.
        reading: how the file's values became bits.

    Raises:
        DataError: the shape does not fit the matrix.
    """

    name: str
    matrix: PackedMatrix
    shape: tuple[int, ...]
    reading: Reading = "packed"

    def __post_init__(self) -> None:
        rows, columns = self.matrix.shape
        if len(self.shape) not in (2, 4) or (self.shape[0], prod(self.shape[1:])) != (rows, columns):
            raise DataError(
                f"{self.name}: a tensor of shape {self.shape} does not fit a {rows} x {columns} matrix",
                "expected (outputs, inputs) or (outputs, inputs, height, width)",
            )
        if not self.matrix.bits:
            raise DataError(f"{self.name}: a tensor of shape {self.shape} has no weights")

    @property
    def is_convolution(self) -> bool:
        """Whether the tensor has a kernel."""
        return len(self.shape) == 4


@dataclass(frozen=True, eq=False)
class WeightSet:
    """The layers of one file, in model order.

    Attributes:
        name: of the file, as reports show it.
        tensors: at least one.
        model: the whole network, where the file holds one.
        digest: SHA-256 that names the content.
        provenance: where it came from; JSON values.
        notes: what a reader should know of how the file was read.
    """

    name: str
    tensors: tuple[BitTensor, ...]
    model: PackedModel | None
    digest: str
    provenance: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tensors:
            raise DataError(f"{self.name} holds no weights")
        if len({tensor.name for tensor in self.tensors}) != len(self.tensors):
            raise DataError(f"{self.name}: layer names must differ")


def weights_of(model: PackedModel, name: str = "model") -> WeightSet:
    """The weight bits of a packed model."""
    tensors = tuple(BitTensor(layer.name, layer.weights, layer.weight_shape) for layer in model.layers)
    return WeightSet(name, tensors, model, digest(model), model.provenance)
