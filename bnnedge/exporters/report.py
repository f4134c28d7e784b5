"""What an export says of itself: in a few lines for people, and whole for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bnnedge.exporters.verification import Verification
from bnnedge.hardware.estimates import Estimate

__all__ = ["ExportReport"]

SCHEMA = 1
MOST_NAMES, FIRST_NAMES = 16, 3  # of files in a line; where there are more, the first are shown


@dataclass(frozen=True)
class ExportReport:
    """A folder that was written and verified.

    Attributes:
        target: ``onnx``, ``qonnx``, ``finn``, ``pynq``, ``c`` or ``rtl``.
        out: the folder.
        files: names of the files in it.
        board: what it was made for, for ``pynq`` and ``rtl``.
        verification: what it was compared with.
        finn: what FINN+ made of it, where that was asked for.
    """

    target: str
    out: Path
    files: tuple[str, ...]
    board: str | None
    verification: Verification
    finn: Estimate | None = None

    def __str__(self) -> str:
        made_for = f" for {self.board}" if self.board else ""
        files = ", ".join(self.files)
        if len(self.files) > MOST_NAMES:
            files = f"{len(self.files)} files in {self.out}: {', '.join(self.files[:FIRST_NAMES])}, ..."
        lines = [f"{self.target}{made_for}: {files}", str(self.verification)]
        return "\n".join(lines + (self.finn.notes() if self.finn else []))

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema and every file's name."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.export",
            "target": self.target,
            "out": str(self.out),
            "board": self.board,
            "files": list(self.files),
            "verification": self.verification.to_dict(),
            "finn": self.finn.notes() if self.finn else [],
        }
