"""What a netlist of Yosys holds: look-up tables, flip-flops, carries, memories, and how deep the logic is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Family", "Resources", "cells_in", "depth_of", "families"]

Cells = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Family:
    """How a family of FPGAs counts.

    Attributes:
        name: as Yosys has it.
        command: that maps to it.
        luts: look-up tables that a cell takes.
        flip_flops: beginnings of the names of flip-flops.
        carries: carry elements.
        block_rams: blocks that a cell takes; for xc7 of 36 Kbit.
        levels: cells that count as a level of logic; all others begin and end paths.
    """

    name: str
    command: str
    luts: Mapping[str, int]
    flip_flops: tuple[str, ...]
    carries: tuple[str, ...]
    block_rams: Mapping[str, float]
    levels: frozenset[str]


@dataclass(frozen=True)
class Resources:
    """What a part of a design takes. Memories in look-up tables count among these."""

    luts: int
    flip_flops: int
    carries: int
    block_rams: float

    @classmethod
    def of(cls, cells: Mapping[str, int], family: Family) -> Resources:
        """Counts of cells by type, as a family has them."""

        def weighed(weights: Mapping[str, Any]) -> Any:
            return sum(number * weights.get(kind, 0) for kind, number in cells.items())

        flip_flops = sum(number for kind, number in cells.items() if kind.startswith(family.flip_flops))
        carries = sum(cells.get(kind, 0) for kind in family.carries)
        return cls(weighed(family.luts), flip_flops, carries, float(weighed(family.block_rams)))


# An inverter that is left over counts as a table. Tables of distributed memory: AMD UG474, table 2-3.
_XC7_LUTS = {f"LUT{inputs}": 1 for inputs in range(1, 7)} | {
    "INV": 1,
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
}
_XC7_LEVELS = frozenset({*(f"LUT{i}" for i in range(1, 7)), "INV", "CARRY4", "MUXF7", "MUXF8"})


def families() -> dict[str, Family]:
    """The families that are known, by name."""
    known = (
        Family(
            "xc7",
            "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top network",
            _XC7_LUTS,
            ("FD",),
            ("CARRY4",),
            {"RAMB36E1": 1, "RAMB18E1": 0.5},
            _XC7_LEVELS,
        ),
        Family(
            "ice40",
            "synth_ice40 -top network",
            {"SB_LUT4": 1},
            ("SB_DFF",),
            ("SB_CARRY",),
            {"SB_RAM40_4K": 1},
            frozenset({"SB_LUT4", "SB_CARRY"}),
        ),
        Family(
            "ecp5",
            "synth_ecp5 -top network",
            {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
            ("TRELLIS_FF",),
            ("CCU2C",),
            {"DP16KD": 1},
            frozenset({"LUT4", "CCU2C", "PFUMX", "L6MUX21"}),
        ),
    )
    return {family.name: family for family in known}


def cells_in(netlist: Mapping[str, Any], module: str) -> Counter[str]:
    """Cells of a module by type, those of modules in it included."""
    counts: Counter[str] = Counter()
    for cell in netlist["modules"][module]["cells"].values():
        kind = cell["type"]
        inner = netlist["modules"].get(kind, {"attributes": {"blackbox": "1"}})
        if "blackbox" in inner["attributes"] or "whitebox" in inner["attributes"]:
            counts[kind] += 1
        else:
            counts += cells_in(netlist, kind)
    return counts


def depth_of(cells: Cells, levels: frozenset[str]) -> int:
    """The most cells of these types one after another between registers, memories and pins, of a flat module.

    Raises:
        ValueError: a loop of logic without a register.
    """
    driven: dict[int, str] = {}  # net: the cell that drives it
    for name, cell in cells.items():
        if cell["type"] in levels:
            driven |= dict.fromkeys(_nets(cell, "output"), name)
    sources = {
        name: {driven[net] for net in _nets(cells[name], "input") if net in driven}
        for name in set(driven.values())
    }
    waiting = {name: len(before) for name, before in sources.items()}
    followers: dict[str, list[str]] = {name: [] for name in sources}
    for name, before in sources.items():
        for source in before:
            followers[source].append(name)
    ready = [name for name, count in waiting.items() if not count]
    depth = dict.fromkeys(ready, 1)
    while ready:
        name = ready.pop()
        for follower in followers[name]:
            depth[follower] = max(depth.get(follower, 0), depth[name] + 1)
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    if any(waiting.values()):
        raise ValueError("the netlist has a loop of logic")
    return max(depth.values(), default=0)


def _nets(cell: Mapping[str, Any], direction: str) -> Iterator[int]:
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from (bit for bit in bits if isinstance(bit, int))
