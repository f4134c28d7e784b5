"""Will it fit? A network on a board, by FINN's published cost model, trained or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from bnnedge.errors import ConfigError, DataError, UnsupportedError
from bnnedge.hardware.boards import Board
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.finns import DEFAULT_FINN, Finn
from bnnedge.hardware.folding import Design, Folder
from bnnedge.packed.fold import Lattice
from bnnedge.packed.geometry import Geometry

__all__ = ["HEADROOM", "Budget", "budget", "design_for", "warnings_for"]

HEADROOM = 0.7
"""Share of a board that a design may take by this model.

The model leaves out FIFOs, width converters, thresholds and DMA; FINN+ aims at the same share
(``ideal_utilization``).
"""

SCHEMA = 1


@dataclass(frozen=True)
class Budget:
    """A design for a board, and what is wrong with it.

    Attributes:
        board: what it is for.
        wanted_fps: frames a second that were asked for; None: as many as fit.
        luts: look-up tables that it may take.
        bram18: 18 Kbit block RAMs that it may take.
        design: the least logic that does what was asked for, or what comes closest.
        problems: sentences, one for each reason why that does not fit; empty if it does.
        fitting: the fastest design that fits, where ``design`` does not; None where nothing fits.
    """

    board: Board
    wanted_fps: int | None
    luts: int
    bram18: int
    design: Design
    problems: tuple[str, ...]
    fitting: Design | None

    @property
    def fits(self) -> bool:
        """Whether the design does what was asked for, on the board."""
        return not self.problems

    @property
    def fps(self) -> float:
        """Frames a second of the design, at the board's clock."""
        return self.fps_of(self.design)

    def fps_of(self, design: Design) -> float:
        """Frames a second of any design, at the board's clock."""
        return self.board.clock_mhz * 1e6 / design.cycles

    def describe(self, design: Design) -> str:
        """A design in a line."""
        return (
            f"{self.fps_of(design):,.0f} frames/s at {self.board.clock_mhz:g} MHz, "
            f"{design.luts:,} LUT ({design.luts / self.board.lut:.0%}), "
            f"{design.bram18 / 2:g} BRAM36 ({design.bram18 / 2 / self.board.bram36:.0%})"
        )

    def insist(self) -> None:
        """Pass on if what was asked for fits.

        Raises:
            UnsupportedError: it does not; the hint says what does.
        """
        if not self.fits:
            raise UnsupportedError(
                f"does not fit {self.board.name}: {'; '.join(self.problems)}",
                f"what fits: {self.describe(self.fitting)}"
                if self.fitting
                else "nothing does; take a smaller network",
            )

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.budget",
            "board": self.board.name,
            "clock_mhz": self.board.clock_mhz,
            "wanted_fps": self.wanted_fps,
            "allowed": {"luts": self.luts, "bram18": self.bram18},
            "fits": self.fits,
            "problems": list(self.problems),
            "design": self._figures(self.design),
            "fitting": None if self.fitting is None else self._figures(self.fitting),
        }

    def _figures(self, design: Design) -> dict[str, object]:
        return {
            "fps": self.fps_of(design),
            "cycles": design.cycles,
            "latency_cycles": design.latency,
            "luts": design.luts,
            "bram18": design.bram18,
            "nodes": [
                {
                    "layer": choice.unit.layer,
                    "node": name,
                    "cycles": node.cycles,
                    "luts": node.luts,
                    "bram18": node.bram18,
                }
                for name, choice, node in design.named_nodes()
            ],
            "folding_config": design.folding_config(),
        }


def budget(
    geometry: Geometry,
    board: Board,
    *,
    fps: int | None = None,
    luts: int | None = None,
    finn: Finn = DEFAULT_FINN,
) -> Budget:
    """Fold a network for a board.

    Args:
        geometry: the network.
        board: what it is for.
        fps: frames a second to reach, with the least logic; None: as many as fit.
        luts: look-up tables that the design may take; None: :data:`HEADROOM` of the board's. Of block RAMs
            it may take that share always.
        finn: which FINN.

    Raises:
        ConfigError: a speed or a budget that cannot be.
        UnsupportedError: a layer that the FINN cannot build or fold, or a board that it does not know.
    """
    board.insist_known(finn)
    clock = board.clock_mhz * 1e6
    if fps is not None and not 1 <= fps <= clock:
        raise ConfigError(
            f"{fps} frames a second cannot be reached at {board.clock_mhz:g} MHz",
            "expected at least 1, and at most one a clock cycle",
        )
    if luts is not None and luts < 1:
        raise ConfigError(f"a budget of {luts} LUTs holds nothing", f"{board.name} has {board.lut:,}")
    allowed = int(HEADROOM * board.lut) if luts is None else luts
    bram18 = int(HEADROOM * 2 * board.bram36)
    folder = Folder(units_of(geometry, finn))
    fastest = folder.fastest(allowed, bram18)
    if fps is None:
        design = fastest or folder.wanted(int(clock))
        cycles = design.cycles
    else:
        cycles = int(clock / fps)
        design = folder.cheapest(cycles, bram18) or folder.wanted(cycles)
    problems = (
        *_too_slow(design, cycles, clock),
        *_too_large(design, "luts", allowed, "LUT"),
        *_too_large(design, "bram18", bram18, "BRAM18"),
    )
    return Budget(board, fps, allowed, bram18, design, problems, fastest if problems else None)


def design_for(
    geometry: Geometry,
    board: Board,
    *,
    fps: int | None = None,
    luts: int | None = None,
    finn: Finn = DEFAULT_FINN,
) -> Design:
    """The design of a build folder.

    With ``fps`` the least logic that reaches it, with ``luts`` the fastest within that many look-up tables,
    with both the first within the second; with neither the smallest design that there is.

    Raises:
        ConfigError: a frame rate or a budget that cannot be.
        UnsupportedError: a layer that the FINN cannot build or fold, a board that it does not know, or a
            design that does not fit the board.
    """
    if fps is None and luts is None:
        board.insist_known(finn)
        return Folder(units_of(geometry, finn)).wanted(int(board.clock_mhz * 1e6))
    result = budget(geometry, board, fps=fps, luts=luts, finn=finn)
    result.insist()
    return result.design


def warnings_for(geometry: Geometry, board: Board, fps: int | None = None) -> list[str]:
    """Why a network cannot be exported to a board, or not as one would wish; known before any training.

    Raises:
        ConfigError: a frame rate that cannot be reached by any network.
    """
    warnings = []
    try:
        Lattice(geometry.layers[0].inputs * (1 if geometry.bits else geometry.maximum), 1)
    except DataError as error:
        warnings.append(f"no graph can be exported: {error.message}")
    if not geometry.head_keeps_order:
        warnings.append(
            "a head with a scale for each class is built in floating point, and FINN leaves the arg-max "
            'to the processor: net.head = "scale" needs neither'
        )
    for layer in geometry.layers:
        sliding = layer.convolution
        if sliding is not None and sliding.padding and 1 in sliding.input_shape[1:]:
            warnings.append(f"FINN cannot build it: {layer.name} pads images of one row or column")
    try:
        result = budget(geometry, board, fps=fps)
    except UnsupportedError as error:
        return [*warnings, f"FINN cannot build it: {error.message}"]
    return [*warnings, *(f"does not fit {board.name}: {problem}" for problem in result.problems)]


def _too_slow(design: Design, cycles: int, clock: float) -> list[str]:
    """Units that are slower than wanted: each is as fast as it goes."""
    slowest: dict[str, int] = {}
    for choice in design.choices:
        if choice.cycles > cycles:
            layer = choice.unit.layer
            slowest[layer] = max(choice.cycles, slowest.get(layer, 0))
    return [
        f"{layer} reaches at most {clock / taken:,.0f} frames/s, however much logic it gets"
        for layer, taken in slowest.items()
    ]


def _too_large(design: Design, resource: Literal["luts", "bram18"], allowed: int, name: str) -> list[str]:
    """Whether a design needs more than there is, and which layers need it most."""
    needed: Counter[str] = Counter()
    for choice in design.choices:
        needed[choice.unit.layer] += choice.luts if resource == "luts" else choice.bram18
    if needed.total() <= allowed:
        return []
    largest = [f"{layer} {count:,}" for layer, count in needed.most_common(3)]
    return [f"{needed.total():,} {name} needed, {allowed:,} allowed; most in {', '.join(largest)}"]
