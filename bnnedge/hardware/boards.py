"""Boards: parts, resources and clocks, read from ``hw/boards.toml``."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from bnnedge.errors import ConfigError, UnsupportedError
from bnnedge.hardware.finns import Finn, title
from bnnedge.share import share

__all__ = ["DEFAULT_BOARD", "Board", "board", "boards"]

DEFAULT_BOARD = "Pynq-Z1"


@dataclass(frozen=True)
class Board:
    """A board that a network can be built for.

    Attributes:
        name: as people write it.
        part: the FPGA, as Vivado names it.
        finn_board: the board, as FINN names it.
        shell_flow_type: how FINN wraps the accelerator.
        lut: 6-input look-up tables of the programmable logic.
        ff: flip-flops.
        bram36: block RAMs of 36 Kbit.
        clock_mhz: the clock that a build asks for.
        status: ``current``, or ``retired`` where upstream gave the board up.
        finn: the FINNs that know the board.
        finn_opt_in: those of them that refuse it unless one insists.
        note: who supports the board today.
    """

    name: str
    part: str
    finn_board: str
    shell_flow_type: str
    lut: int
    ff: int
    bram36: int
    clock_mhz: float
    status: str
    finn: tuple[Finn, ...]
    finn_opt_in: tuple[Finn, ...]
    note: str

    @property
    def clock_period_ns(self) -> float:
        """Length of a clock cycle in nanoseconds."""
        return 1000 / self.clock_mhz

    @property
    def zynq_7000(self) -> bool:
        """Whether the processor is a Zynq-7000's, not a Zynq UltraScale+'s."""
        return self.part.startswith("xc7z")

    def insist_known(self, finn: Finn) -> None:
        """Pass on if a FINN can build for the board.

        Raises:
            UnsupportedError: it does not know the board; the hint says which does.
        """
        if finn not in self.finn:
            known = " or ".join(f"--finn {name}" for name in self.finn)
            raise UnsupportedError(f"{title(finn)} does not know {self.name}", f"take {known}")


@cache
def boards() -> tuple[Board, ...]:
    """All boards, in the file's order."""
    with (share("hw") / "boards.toml").open("rb") as handle:
        return tuple(_board(table) for table in tomllib.load(handle)["board"])


def _board(table: dict[str, Any]) -> Board:
    return Board(**table | {key: tuple(table[key]) for key in ("finn", "finn_opt_in")})


def board(name: str) -> Board:
    """The board of a name, in any case.

    Raises:
        ConfigError: no board is called that.

    >>> board("pynq-z1").part
    'xc7z020clg400-1'
    """
    known = {candidate.name.lower(): candidate for candidate in boards()}
    if name.lower() in known:
        return known[name.lower()]
    closest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    meant = f"did you mean {known[closest[0]].name}? " if closest else ""
    names = ", ".join(candidate.name for candidate in boards())
    raise ConfigError(f"unknown board {name!r}", f"{meant}known: {names}")
