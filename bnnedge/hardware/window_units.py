"""Units that slide over an image: the windows under filters, and max-pooling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod

from bnnedge.hardware.units import Folding, Node, Unit, divisors
from bnnedge.packed.layer import Convolution

__all__ = ["Pool", "StreamingPool", "Window"]


@dataclass(frozen=True)
class Window(Unit):
    """The pixels under a kernel, place after place, out of a buffer of lines.

    Attributes:
        channels: of the image.
        size: (height, width) of the image, padding included.
        places: (height, width) of places of the kernel.
        kernel: its side.
        stride: from place to place.
        value_bits: of a value.
    """

    channels: int
    size: tuple[int, int]
    places: tuple[int, int]
    kernel: int
    stride: int
    value_bits: int

    @classmethod
    def of(cls, layer: str, convolution: Convolution, value_bits: int) -> Window:
        """Under the filters of a convolution."""
        channels, *sides = convolution.input_shape
        height, width = (side + 2 * convolution.padding for side in sides)
        return cls(
            layer,
            channels,
            (height, width),
            convolution.positions,
            convolution.kernel,
            convolution.stride,
            value_bits,
        )

    def foldings(self) -> Iterator[Folding]:
        """Any divisor of the channels at a time; with all of them also all pixels of a window."""
        for simd in divisors(self.channels):
            yield Folding(simd=simd)
        if self.kernel > 1:
            yield Folding(simd=self.channels, parallel=True)

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """One node, of which the buffer is LUTRAM."""
        return (self.node(folding, by_channel=False),)

    def node(self, folding: Folding, *, by_channel: bool) -> Node:
        """The node; ``by_channel`` gives the pixels of one group of channels after those of another."""
        groups = self.channels // folding.simd
        parallel = folding.parallel or self.kernel == 1
        cycles = prod(self.size) * groups + 2 if parallel else self._cycles(groups, by_channel)
        buffer = ceil(self._depth(groups, parallel) / 38)
        luts = 300 + folding.simd * self.value_bits * buffer
        attributes: dict[str, int | str] = {
            "SIMD": folding.simd,
            "parallel_window": int(folding.parallel),
            "ram_style": "distributed",
        }
        return Node("ConvolutionInputGenerator_rtl", cycles, luts, 0, attributes)

    def _cycles(self, groups: int, by_channel: bool) -> int:
        """Lines that fill the buffer, then for each row of places the slower of reading and writing."""
        filling = ((self.kernel - 1) * self.size[1] + self.kernel) * groups
        writing = self.places[1] * self.kernel**2 * groups
        reading = self.stride * self.size[1] * groups
        row, rest = max(writing, reading), 0
        if by_channel:
            row += self.places[1] * (self.stride - 1) * (groups - 1)
            rest = (self.stride - 1) * self.size[1] * groups
        return filling + self.places[0] * row + rest

    def _depth(self, groups: int, parallel: bool) -> int:
        """Words in the buffer: the lines under the kernel, and what a stride reads ahead."""
        if parallel:
            return ((self.kernel - 1) * self.size[1] + self.kernel - 1) * groups + 2
        lines = ((self.kernel - 1) * self.size[1] + self.kernel) * groups
        ahead = (self.stride - 1, (self.stride - 1) * self.size[1])
        return lines + sum(max(0, (pixels - self.kernel**2) * groups) for pixels in ahead)


@dataclass(frozen=True)
class Pool(Unit):
    """Max-pooling as FINN+ and FINN 1.0 have it: a window that gives pixels by channel, and a maximum."""

    window: Window

    def foldings(self) -> Iterator[Folding]:
        """Any divisor of the channels, the same in both nodes."""
        yield from (Folding(pe=group, simd=group) for group in divisors(self.window.channels))

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """A window and the largest of its pixels, which has no cost in the model."""
        window = self.window
        cycles = window.channels * window.kernel**2 // folding.pe * prod(window.places)
        return (
            window.node(folding, by_channel=True),
            Node("Pool_hls", cycles, attributes={"PE": folding.pe}),
        )


@dataclass(frozen=True)
class StreamingPool(Unit):
    """Max-pooling as FINN 0.10 has it: one node, all channels at a time, of square images."""

    window: Window

    def foldings(self) -> Iterator[Folding]:
        """There is nothing to fold."""
        yield Folding()

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """Without a cost in the model."""
        cycles = int(self.window.size[1] ** 2 * (1 + 1 / self.window.kernel**2))
        return (Node("StreamingMaxPool_hls", cycles, attributes={"PE": 1}),)
