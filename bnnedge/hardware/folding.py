"""How far to fold each layer: the least logic for a speed, or the most speed for the logic there is.

Each unit of the stream may be folded on its own, and the slowest sets the pace. For a number of cycles the
least logic is therefore found unit by unit; block RAMs, of which there is a limit for all together, make it
a knapsack, which is solved exactly over the undominated pairs of LUTs and block RAMs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.matrix_units import LONGEST_ROW, WIDEST_STREAM
from bnnedge.hardware.units import Folding, Node, Unit

__all__ = ["Choice", "Design", "Folder"]


@dataclass(frozen=True)
class Choice:
    """A unit, folded.

    Attributes:
        unit: what is folded.
        folding: how.
        nodes: what it becomes.
    """

    unit: Unit
    folding: Folding
    nodes: tuple[Node, ...]

    @cached_property
    def cycles(self) -> int:
        """Clock cycles a sample, of the slowest node."""
        return max(node.cycles for node in self.nodes)

    @cached_property
    def luts(self) -> int:
        """Look-up tables."""
        return sum(node.luts for node in self.nodes)

    @cached_property
    def bram18(self) -> int:
        """18 Kbit block RAMs."""
        return sum(node.bram18 for node in self.nodes)


@dataclass(frozen=True)
class Design:
    """Every unit of a network, folded."""

    choices: tuple[Choice, ...]

    @property
    def cycles(self) -> int:
        """Clock cycles from one sample to the next."""
        return max(choice.cycles for choice in self.choices)

    @property
    def latency(self) -> int:
        """Clock cycles that a sample takes if no unit starts before the one in front has ended."""
        return sum(node.cycles for choice in self.choices for node in choice.nodes)

    @property
    def luts(self) -> int:
        """Look-up tables."""
        return sum(choice.luts for choice in self.choices)

    @property
    def bram18(self) -> int:
        """18 Kbit block RAMs."""
        return sum(choice.bram18 for choice in self.choices)

    def named_nodes(self) -> list[tuple[str, Choice, Node]]:
        """(name, choice, node) in order; names are FINN's: operators counted one by one, ``MVAU_hls_0``."""
        counts: dict[str, int] = {}
        named = []
        for choice in self.choices:
            for node in choice.nodes:
                number = counts[node.operator] = counts.get(node.operator, -1) + 1
                named.append((f"{node.operator}_{number}", choice, node))
        return named

    def folding_config(self) -> dict[str, dict[str, int | str]]:
        """What FINN reads as ``folding_config_file``."""
        return {"Defaults": {}} | {name: dict(node.attributes) for name, _, node in self.named_nodes()}


class Folder:
    """All foldings of the units of a network, searched again and again.

    Raises:
        UnsupportedError: a layer that FINN cannot fold at all.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self.choices = [_choices(unit) for unit in units]

    def fastest_cycles(self) -> int:
        """Cycles a sample with every unit as fast as it goes: no design is faster, whatever it costs."""
        return max(min(choice.cycles for choice in choices) for choices in self.choices)

    def wanted(self, cycles: int) -> Design:
        """The least logic for at most this many cycles, whatever it takes of block RAMs.

        A unit that cannot be so fast is as fast as it goes.
        """
        chosen = []
        for choices in self.choices:
            limit = max(cycles, min(choice.cycles for choice in choices))
            chosen.append(min((choice for choice in choices if choice.cycles <= limit), key=_cost))
        return Design(tuple(chosen))

    def cheapest(self, cycles: int, bram18: int) -> Design | None:
        """The least logic for at most this many cycles and block RAMs; None where there is none."""
        best: list[tuple[int, int, tuple[Choice, ...]]] = [(0, 0, ())]
        for choices in self.choices:
            fast = _undominated(
                ((choice.luts, choice.bram18, (choice,)) for choice in choices if choice.cycles <= cycles),
                bram18,
            )
            best = _undominated(
                (
                    (luts + more_luts, brams + more_brams, (*chosen, *choice))
                    for luts, brams, chosen in best
                    for more_luts, more_brams, choice in fast
                ),
                bram18,
            )
        return Design(best[0][2]) if best else None

    def fastest(self, luts: int, bram18: int) -> Design | None:
        """The fewest cycles for at most this much logic, and for them the least; None where nothing fits."""
        paces = sorted({choice.cycles for choices in self.choices for choice in choices})

        def fits(cycles: int) -> bool:
            design = self.cheapest(cycles, bram18)
            return design is not None and design.luts <= luts

        # What fits at some pace fits at any slower one: the first that fits is found by bisection.
        place = bisect_left(paces, True, key=fits)
        return self.cheapest(paces[place], bram18) if place < len(paces) else None


def _choices(unit: Unit) -> list[Choice]:
    choices = [Choice(unit, folding, unit.nodes(folding)) for folding in unit.foldings()]
    if not choices:
        raise UnsupportedError(
            f"layer {unit.layer} has too many inputs to be folded: HLS steps through at most "
            f"{LONGEST_ROW:,} of a row, and takes at most {WIDEST_STREAM:,} bits at a time",
            "change the layer's inputs to a number with more divisors, such as a multiple of 64",
        )
    return choices


def _cost(choice: Choice) -> tuple[int, int, Folding]:
    """What a folding costs; of equals, as all of a node without a cost in the model are, the smallest."""
    return choice.luts, choice.bram18, choice.folding


def _undominated(
    options: Iterable[tuple[int, int, tuple[Choice, ...]]], bram18: int
) -> list[tuple[int, int, tuple[Choice, ...]]]:
    """Of (LUTs, block RAMs, choices) within the limit those of which no other needs as little of both."""
    kept: list[tuple[int, int, tuple[Choice, ...]]] = []
    for option in sorted(options, key=lambda one: (one[0], one[1], *map(_cost, one[2][-1:]))):
        if option[1] <= bram18 and (not kept or option[1] < kept[-1][1]):
            kept.append(option)
    return kept
