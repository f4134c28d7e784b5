"""The command line, run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bnnedge.cli import main
from bnnedge.errors import BnnedgeError


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Bnnedge = Callable[..., Outcome]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bnnedge:
    """A function that runs one command; its arguments are the command line's."""

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bnnedge", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as done:
            code = int(done.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


def two_lines(outcome: Outcome, kind: type[BnnedgeError]) -> tuple[str, str]:
    """The message and the hint, once the exit code is the kind's."""
    assert outcome.code == kind.exit_code, outcome.err
    message, hint = outcome.err.splitlines()
    assert message.startswith("Error: ")
    assert hint.startswith("Hint: ")
    return message, hint
